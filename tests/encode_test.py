import dataclasses
import itertools
import re

import jax
import numpy as np
import pytest

from gemb import axes, encode
from gemb.data.tokenizer import Tokenizer
from gemb.model.config import EmbedderConfig, EncoderConfig
from gemb.model.embedder import make_embedder

LENGTHS = (8, 16, 32)
TEXTS = [
  'a table',
  'The clock is no longer here, and nobody knows where it went to.',
  '',
  'Der Tisch ist neu.',
  'def add(a, b):\n  return a + b',
  'a table',
]


@pytest.fixture(scope='module')
def tokenizer(golden_model):
  return Tokenizer(golden_model)


@pytest.fixture(scope='module')
def embedder():
  encoder = EncoderConfig(
    vocabulary=4096,
    width=16,
    layers=2,
    heads=2,
    kv_heads=1,
    head_dim=8,
    mlp_width=32,
    local_radius=4,
    global_every=2,
    dtype='float32',
  )
  return make_embedder(EmbedderConfig(encoder=encoder, embedding_width=12))


@pytest.fixture(scope='module')
def layout():
  return axes.Layout(axes.make_mesh(axes.MeshConfig()), axes.AxisRules())


@pytest.fixture(scope='module')
def encoder(embedder, tokenizer, layout):
  params = jax.jit(embedder.init)(jax.random.key(0))
  return encode.make_encoder(
    embedder, params, tokenizer, layout, lengths=LENGTHS, rows=8
  )


def embed_alone(encoder, embedder, text):
  """Returns what the model says to one text, without any padding."""
  (ids,) = encoder.tokenizer.encode([text])
  ids = encoder.tokenizer.cut(ids, LENGTHS[-1])
  tokens = np.array([ids], np.int32)
  return np.asarray(jax.jit(embedder.apply)(encoder.params, tokens))[0]


def test_each_text_gets_the_embedding_that_it_gets_alone(encoder, embedder):
  expected = [embed_alone(encoder, embedder, text) for text in TEXTS]
  found = encoder.encode(TEXTS)
  assert found.shape == (6, 12) and found.dtype == np.float32
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_order_of_texts_is_kept(encoder):
  texts = [f'{"word " * (n % 13)}{n}' for n in range(40)]  # of many lengths
  shuffled = np.random.default_rng(0).permutation(40)
  found = encoder.encode(texts)
  again = encoder.encode([texts[i] for i in shuffled])
  np.testing.assert_allclose(again, found[shuffled], rtol=1e-4, atol=1e-5)
  assert len(np.unique(found.round(4), axis=0)) == 40


@pytest.fixture
def counting(encoder):
  """An encoder that notes the shapes of its calls: (encoder, shapes)."""
  shapes = []

  def apply(params, tokens):
    if not isinstance(tokens, jax.core.Tracer):  # those only ask the width
      shapes.append(tokens.shape)
    return encoder.apply(params, tokens)

  return dataclasses.replace(encoder, apply=apply), shapes


def test_equal_texts_are_embedded_once(counting):
  encoder, shapes = counting
  found = encoder.encode(['a', 'b', 'a'] * 10)
  assert shapes == [(32, 8)]
  np.testing.assert_array_equal(found, np.tile(found[:3], (10, 1)))
  np.testing.assert_array_equal(found[0], found[2])


def test_the_longest_come_first_and_all_calls_but_the_last_are_full(counting):
  encoder, shapes = counting
  short = [f'{n}' for n in range(45)]
  long = [f'{"word " * 20}{n}' for n in range(10)]
  encoder.encode([*short, *long])
  # The second call has two long texts and six short ones.
  assert shapes == [(8, 32), (8, 32), (32, 8), (32, 8)]


def test_the_other_texts_of_a_call_do_not_matter(encoder):
  texts = [f'text {n}' for n in range(8)]
  alone = encoder.encode(texts[:1])
  np.testing.assert_array_equal(encoder.encode(texts)[:1], alone)


def test_texts_that_are_too_long_are_cut(encoder, tokenizer):
  long = 'one two three ' * 100
  (ids,) = tokenizer.encode([long])
  assert len(ids) > 32
  found = encoder.encode([long, f'{long} and something else'])
  np.testing.assert_array_equal(found[0], found[1])
  (cut,) = tokenizer.encode([tokenizer.decode(ids[:31])])
  assert len(cut) == 32  # what is left with its <eos>
  np.testing.assert_allclose(
    found[0], encoder.encode([tokenizer.decode(cut)])[0], rtol=1e-4, atol=1e-5
  )


def test_no_texts_give_no_embeddings(encoder):
  assert encoder.encode([]).shape == (0, 12)


def test_other_parameters_give_other_embeddings(encoder, embedder):
  other = encoder.with_params(jax.jit(embedder.init)(jax.random.key(1)))
  assert other.apply is encoder.apply
  assert not np.allclose(other.encode(TEXTS), encoder.encode(TEXTS))


@pytest.mark.parametrize('longest', [3, 8, 9, 64, 1000])
def test_lengths_end_at_the_longest_and_waste_little(longest):
  lengths = encode.lengths_to(longest)
  assert lengths[-1] == longest
  for shorter, longer in itertools.pairwise(lengths):
    assert shorter < longer <= max(1.25 * shorter, shorter + 4)


def test_a_call_on_cpus_has_no_more_tokens_than_stay_in_the_caches(
  embedder, tokenizer, layout, monkeypatch
):
  def tokens(rows):
    return encode.make_encoder(
      embedder, {}, tokenizer, layout, lengths=LENGTHS, rows=rows
    ).tokens

  # On each of eight devices.
  assert (tokens(8), tokens(800)) == (32, 1024)
  monkeypatch.setattr(jax, 'default_backend', lambda: 'tpu')
  assert (tokens(8), tokens(800)) == (32, 3200)


def test_a_model_with_too_few_rows_is_refused(embedder, tokenizer, layout):
  small = dataclasses.replace(embedder.config.encoder, vocabulary=4095)
  small = make_embedder(dataclasses.replace(embedder.config, encoder=small))
  message = re.escape('has 4096 pieces, but the embedding table has 4095 rows')
  with pytest.raises(ValueError, match=message):
    encode.check_vocabulary(small, tokenizer)
  with pytest.raises(ValueError, match=message):
    encode.make_encoder(small, {}, tokenizer, layout, lengths=LENGTHS, rows=8)


def test_rows_that_the_mesh_does_not_divide_are_refused(
  embedder, tokenizer, layout
):
  message = 'The number of rows in a call is 12, which the 8 devices'
  with pytest.raises(ValueError, match=message):
    encode.make_encoder(
      embedder, {}, tokenizer, layout, lengths=LENGTHS, rows=12
    )
