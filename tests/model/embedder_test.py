import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb.model.config import EmbedderConfig, EncoderConfig
from gemb.model.embedder import end_pool, make_embedder, mean_pool
from gemb.types import PAD

CONFIG = EmbedderConfig(
  encoder=EncoderConfig(
    vocabulary=32,
    width=16,
    layers=3,
    heads=4,
    kv_heads=2,
    head_dim=8,
    mlp_width=32,
    local_radius=2,
    global_every=3,
    dtype='float32',
  ),
  embedding_width=8,
)
# Texts of 7, 5, 1 and 0 tokens.
TEXTS = np.array(
  [
    [3, 9, 4, 20, 31, 5, 6],
    [8, 8, 30, 2, 11, 0, 0],
    [17, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 0],
  ],
  np.int32,
)


@pytest.fixture(scope='module')
def params():
  return jax.jit(make_embedder(CONFIG).init)(jax.random.key(0))


@pytest.fixture(scope='module')
def embed(params):
  apply = jax.jit(make_embedder(CONFIG).apply)
  return lambda tokens: np.asarray(apply(params, jnp.asarray(tokens)))


@pytest.fixture(scope='module')
def embeddings(embed):
  return embed(TEXTS)


def test_padding_further_does_not_change_an_embedding(embed, embeddings):
  padded = embed(np.pad(TEXTS, ((0, 0), (0, 5))))
  np.testing.assert_allclose(padded, embeddings, atol=1e-6)


def test_texts_embed_alike_alone_and_in_company(embed, embeddings):
  for text, embedding in zip(TEXTS, embeddings, strict=True):
    others = np.stack([text, *np.full((3, 7), 5, np.int32)])
    np.testing.assert_allclose(embed(others)[0], embedding, atol=1e-6)


def test_permuting_the_batch_permutes_the_embeddings(embed, embeddings):
  order = [2, 0, 3, 1]
  np.testing.assert_allclose(embed(TEXTS[order]), embeddings[order], atol=1e-6)


@pytest.mark.parametrize('position', range(5))
def test_every_token_counts(embed, embeddings, position):
  texts = TEXTS.copy()
  texts[1, position] = 29
  difference = np.abs(embed(texts) - embeddings).max(axis=1)
  assert difference[1] > 1e-3
  assert difference[[0, 2, 3]].max() <= 1e-6


def test_the_order_of_tokens_counts(embed, embeddings):
  texts = TEXTS.copy()
  texts[0] = texts[0, ::-1]
  assert np.abs(embed(texts)[0] - embeddings[0]).max() > 1e-3


def test_a_text_without_tokens_is_zero_before_and_after_projection(embeddings):
  assert not embeddings[3].any()
  assert embeddings[:3].all()


def test_a_text_without_tokens_leaves_gradients_finite_and_zero(params):
  embedder = make_embedder(CONFIG)

  @jax.jit
  def gradient(tokens):
    def loss(params):
      return jnp.sum((embedder.apply(params, tokens) - 1) ** 2)

    return jax.grad(loss)(params)

  nothing = gradient(jnp.asarray(TEXTS[[3, 3]]))
  assert all(not leaf.any() for leaf in jax.tree.leaves(nothing))
  something = gradient(jnp.asarray(TEXTS[[0, 3]]))
  assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(something))
  assert something['encoder']['table'][3].any()
  assert not something['encoder']['table'][PAD].any()


def test_a_bfloat16_encoder_gives_float32_embeddings_near_float32s(
  params, embeddings
):
  encoder = dataclasses.replace(CONFIG.encoder, dtype='bfloat16')
  config = dataclasses.replace(CONFIG, encoder=encoder)
  half = jax.jit(make_embedder(config).apply)(params, jnp.asarray(TEXTS))
  assert half.dtype == jnp.float32
  difference = np.abs(half - embeddings).max()
  # bfloat16 has 8 bits: 2^-8 an operation, over some twenty in a row.
  assert 0 < difference < 20 * 2**-8 * np.abs(embeddings).max()


def test_mean_pooling_averages_real_tokens_in_float32():
  x = jnp.array([[[1.0, 3.0], [2.0, 5.0], [9.0, 9.0]]], jnp.bfloat16)
  means = mean_pool(x, jnp.array([[1, 1, 0]]), slots=1)
  assert means.dtype == jnp.float32
  np.testing.assert_array_equal(means, [[[1.5, 4.0]]])


def test_mean_pooling_keeps_the_texts_of_a_row_apart():
  x = jnp.arange(5, dtype=jnp.float32).reshape(1, 5, 1)
  means = mean_pool(x, jnp.array([[1, 1, 2, 2, 0]]), slots=3)
  np.testing.assert_array_equal(means[..., 0], [[0.5, 2.5, 0]])


def test_mean_pooling_of_nothing_is_zero():
  means = mean_pool(jnp.ones((1, 2, 3)), jnp.zeros((1, 2), jnp.int32), slots=1)
  np.testing.assert_array_equal(means, np.zeros((1, 1, 3)))


@pytest.mark.parametrize(
  ('last', 'wanted'), [(False, [0, 2, 0]), (True, [1, 3, 0])]
)
def test_first_and_last_tokens_are_those_of_each_text_of_a_row(last, wanted):
  x = jnp.arange(5, dtype=jnp.bfloat16).reshape(1, 5, 1)
  ends = end_pool(x, jnp.array([[1, 1, 2, 2, 0]]), slots=3, last=last)
  assert ends.dtype == jnp.float32
  np.testing.assert_array_equal(ends[0, :, 0], wanted)


def test_the_last_token_of_a_row_without_padding_is_found():
  x = jnp.arange(3, dtype=jnp.float32).reshape(1, 3, 1)
  ends = end_pool(x, jnp.array([[1, 1, 1]]), slots=1, last=True)
  np.testing.assert_array_equal(ends, [[[2.0]]])


def test_the_first_token_of_a_causal_model_is_refused():
  with pytest.raises(ValueError, match='would see itself alone'):
    dataclasses.replace(CONFIG, pooling='first', causal=True)


def test_texts_that_share_a_row_embed_as_they_do_alone(params, embeddings):
  rows = np.zeros((2, 16), np.int32)
  segments = np.zeros_like(rows)
  rows[0, :7], segments[0, :7] = TEXTS[0], 1
  rows[0, 7:12], segments[0, 7:12] = TEXTS[1, :5], 2
  rows[0, 12], segments[0, 12] = TEXTS[2, 0], 3
  rows[1, :5], segments[1, :5] = TEXTS[1, :5], 1
  rows[1, 5:12], segments[1, 5:12] = TEXTS[0], 2
  apply = jax.jit(make_embedder(CONFIG).apply_packed, static_argnums=3)
  packed = apply(params, jnp.asarray(rows), jnp.asarray(segments), 4)
  one, two, three, none = embeddings
  wanted = np.stack([[one, two, three, none], [two, one, none, none]])
  np.testing.assert_allclose(packed, wanted, atol=1e-5)


def test_parameters_are_float32_and_differ_by_key(params):
  other = jax.jit(make_embedder(CONFIG).init)(jax.random.key(1))
  assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(params))
  assert not np.allclose(
    params['projection']['kernel'], other['projection']['kernel']
  )


def test_logical_axes_mirror_the_parameters(params):
  names = make_embedder(CONFIG).logical_axes
  jax.tree.map(lambda leaf, axes: None, params, names)
  assert names['encoder']['table'] == ('vocab', 'embed')
  assert names['projection']['kernel'] == ('embed', 'embedding')
  assert names['encoder']['blocks']['attention']['out']['kernel'] == (
    'layers',
    'heads',
    'head_dim',
    'embed',
  )
