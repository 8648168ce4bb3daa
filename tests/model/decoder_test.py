import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb.model.config import EmbedderConfig, EncoderConfig
from gemb.model.decoder import make_decoder, score
from gemb.model.embedder import make_embedder

CONFIG = EncoderConfig(
  vocabulary=16,
  width=8,
  layers=2,
  heads=2,
  kv_heads=1,
  head_dim=4,
  mlp_width=8,
  local_radius=2,
  global_every=2,
  logit_softcap=1.5,
  dtype='float32',
)
TOKENS = jnp.array([[2, 5, 6, 7, 8], [2, 9, 10, 0, 0]])


def test_log_probabilities_are_those_of_the_capped_tied_head():
  embedder = make_embedder(EmbedderConfig(encoder=CONFIG, embedding_width=4))
  params = embedder.init(jax.random.key(0))
  decoder = make_decoder(CONFIG)
  scores = jax.jit(decoder.log_probabilities)(params, TOKENS)
  vectors = jax.jit(decoder.token_vectors)(params, TOKENS)
  logits = vectors @ params['encoder']['table'].T
  logits = 1.5 * np.tanh(logits / 1.5)
  wanted = np.log(np.exp(logits) / np.exp(logits).sum(-1, keepdims=True))
  assert scores.shape == (2, 4)
  for row, column in ((0, 0), (0, 3), (1, 1)):
    token = TOKENS[row, column + 1]
    np.testing.assert_allclose(
      scores[row, column], wanted[row, column, token], atol=1e-5
    )


def test_padding_has_no_score():
  embedder = make_embedder(EmbedderConfig(encoder=CONFIG, embedding_width=4))
  params = embedder.init(jax.random.key(0))
  scores = jax.jit(make_decoder(CONFIG).log_probabilities)(params, TOKENS)
  np.testing.assert_array_equal(scores[1, 2:], 0)
  assert np.all(scores[1, :2] < 0)


def test_a_token_does_not_depend_on_what_follows_it():
  embedder = make_embedder(EmbedderConfig(encoder=CONFIG, embedding_width=4))
  params = embedder.init(jax.random.key(0))
  encode = jax.jit(make_decoder(CONFIG).token_vectors)
  changed = TOKENS.at[0, 3].set(15)
  same = np.isclose(encode(params, TOKENS), encode(params, changed), atol=0)
  assert np.all(same[0, :3]) and not np.any(same[0, 3:].all(-1))


def test_many_positions_are_scored_in_parts(monkeypatch):
  key = jax.random.key(0)
  table = jax.random.normal(key, (16, 8))
  x = jax.random.normal(key, (2, 7, 8))
  tokens = jax.random.randint(key, (2, 7), 1, 16)
  whole = score(CONFIG, table, x, tokens)
  monkeypatch.setattr('gemb.model.decoder._TOKENS_AT_ONCE', 4)
  np.testing.assert_allclose(score(CONFIG, table, x, tokens), whole, atol=1e-6)


@pytest.mark.parametrize(
  'name', ['gemma1_causal', 'gemma2_causal_softcap', 'gemma3_causal']
)
def test_likelihoods_equal_the_references(
  name, golden_gemmas, read_config, load, one_device
):
  config = read_config(golden_gemmas / name)
  _, params = load(golden_gemmas / name, config, one_device)
  with np.load(golden_gemmas / name / 'io.npz') as arrays:
    tokens = arrays['input_ids'].astype(np.int32)
  with np.load(golden_gemmas / 'language.npz') as arrays:
    starts = arrays['starts'].astype(np.int32)
    wanted = arrays[f'{name}/likelihood']
  score_texts = jax.jit(make_decoder(config).likelihoods, static_argnums=3)
  got = score_texts(params, tokens, starts, 16)
  np.testing.assert_allclose(got, wanted, atol=1e-4)
  assert np.count_nonzero(wanted) == 4  # one prompt has no token but <bos>


def test_a_likelihood_is_the_sum_over_the_texts_tokens():
  embedder = make_embedder(EmbedderConfig(encoder=CONFIG, embedding_width=4))
  params = jax.jit(embedder.init)(jax.random.key(0))
  decoder = make_decoder(CONFIG)
  each = jax.jit(decoder.log_probabilities)(params, TOKENS)
  score_texts = jax.jit(decoder.likelihoods, static_argnums=3)
  got = score_texts(params, TOKENS, jnp.array([2, 1]), 4)
  wanted = [each[0, 1:].sum(), each[1, :2].sum()]
  np.testing.assert_allclose(got, wanted, atol=1e-5)
