import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb.certify import batches, plain_model, small
from gemb.model.embedder import make_embedder

GEMMA_2 = (
  'EncoderConfig.qk_norm=False',
  'EncoderConfig.attention_softcap=0.5',
  'EncoderConfig.query_scale=8.0',
  'EncoderConfig.global_rope_scale=8.0',
)


DECODER = ("EmbedderConfig.pooling='last'", 'EmbedderConfig.causal=True')
FIRST = ("EmbedderConfig.pooling='first'",)


@pytest.mark.parametrize(
  'bindings',
  [(), GEMMA_2, DECODER, FIRST],
  ids=['Gemma 3', 'Gemma 2', 'causal, last token', 'first token'],
)
def test_it_computes_what_the_model_computes(load, bindings):
  run = small.shrink(load('00_quickstart', *bindings))
  embedder = make_embedder(run.model)
  params = jax.jit(embedder.init)(jax.random.key(0))
  examples = batches.make_examples(run)
  texts = batches.padded(examples, run).texts
  embed = functools.partial(plain_model.embed_batch, run.model)
  got = jax.jit(embed)(params, examples.tokens)
  wanted = jax.jit(embedder.apply)(params, texts.positive)
  np.testing.assert_allclose(got.positive, wanted, atol=2e-5)


def test_a_text_that_is_not_there_is_embedded_as_nothing(finetuning):
  tokens = jnp.zeros(4, jnp.int32)
  model = finetuning.run.model
  params = jax.tree.map(jnp.asarray, finetuning.params)
  got = plain_model.embed_text(model, params, tokens)
  np.testing.assert_array_equal(got, np.zeros(16))
