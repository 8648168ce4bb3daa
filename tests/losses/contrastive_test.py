import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb.losses.config import LossConfig
from gemb.losses.contrastive import contrastive_loss
from gemb.losses.matryoshka import total_loss
from gemb.losses.plain import plain_loss
from gemb.types import Batch, Embeddings, Padded

CONFIG = LossConfig(prefixes=(2, 8), temperature=0.1, tile=4)


@pytest.fixture(scope='module')
def loss():
  """The loss of each query, compiled once for each configuration."""
  return jax.jit(contrastive_loss, static_argnums=0)


@pytest.fixture(scope='module')
def usual(loss, case):
  return loss(CONFIG, *case)


def pairs(query, positive, query_id=None, positive_id=None):
  """Embeddings and a batch without hard negatives."""
  number = list(range(len(query)))

  def ids(numbers):
    return jnp.array([[0, n] for n in numbers or number], jnp.uint32)

  texts = jnp.ones((len(query), 1), jnp.int32)
  batch = Batch(
    texts=Padded(query=texts, positive=texts, negatives=texts[:, :0, None]),
    has_negative=jnp.zeros((len(query), 0), bool),
    query_id=ids(query_id),
    positive_id=ids(positive_id),
  )
  query, positive = jnp.array(query), jnp.array(positive)
  none = jnp.zeros((0, *query.shape))
  return Embeddings(query=query, positive=positive, negatives=none), batch


def test_the_loss_is_equation_1(usual, case, equation_1):
  for j, M in enumerate(CONFIG.prefixes):
    wanted = equation_1(CONFIG, *case, M)
    np.testing.assert_allclose(usual[0][:, j], wanted, rtol=2e-5)


def test_the_loss_can_be_worked_by_hand(loss):
  config = LossConfig(prefixes=(2,), temperature=0.5)
  sides = [[1.0, 0.0], [0.0, 1.0]], [[0.6, 0.8], [-0.8, 0.6]]
  e = math.exp
  wanted = [
    [-math.log(e(1.2) / (e(1.2) + e(-1.6)))],
    [-math.log(e(1.2) / (e(1.2) + e(1.6)))],
  ]
  losses, accuracy = loss(config, *pairs(*sides))
  np.testing.assert_allclose(losses, wanted, rtol=1e-6)
  assert accuracy == 0.5


def test_every_variant_equals_the_plain_one(differentiate, variant):
  (value, metrics), gradient = differentiate(total_loss, variant)
  (wanted, plain_metrics), plain_gradient = differentiate(plain_loss, variant)
  np.testing.assert_allclose(value, wanted, rtol=1e-5)
  assert metrics.keys() == plain_metrics.keys()
  for name, metric in metrics.items():
    np.testing.assert_allclose(
      metric, plain_metrics[name], rtol=1e-5, atol=1e-6, err_msg=name
    )
  for got, plain in zip(
    jax.tree.leaves(gradient), jax.tree.leaves(plain_gradient), strict=True
  ):
    np.testing.assert_allclose(got, plain, rtol=1e-5, atol=1e-6)


def test_the_paper_read_literally_drops_the_positive(loss):
  """The deviation that gemb/losses/contrastive.py names."""
  apart = pairs([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]])
  config = LossConfig(prefixes=(2,), temperature=1.0)
  ours, _ = loss(config, *apart)
  np.testing.assert_allclose(
    ours, 2 * [[math.log(1 + math.exp(-1))]], rtol=1e-6
  )
  letter, _ = loss(replace(config, positive_in_denominator=False), *apart)
  # mask(i, i) = 0, since q_i and q_i are the same text: Z_i = e^0.
  np.testing.assert_allclose(letter, [[-1], [-1]], rtol=1e-6)


def test_to_the_letter_a_query_that_meets_nothing_has_no_loss():
  config = LossConfig(
    prefixes=(2,), temperature=1.0, positive_in_denominator=False
  )
  embeddings, batch = pairs(
    [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]],
    [[1.0, 0.0], [0.8, 0.6], [1.0, 1.0]],
    query_id=[7, 7, 7],
  )

  def value(embeddings):
    return contrastive_loss(config, embeddings, batch)[0].sum()

  result, gradient = jax.jit(jax.value_and_grad(value))(embeddings)
  assert result == 0
  assert not any(x.any() for x in jax.tree.leaves(gradient))


# What a change of one example's ids masks: rows and columns, both ways.
@pytest.mark.parametrize('side', ['query_id', 'positive_id'])
def test_texts_that_are_the_same_are_masked_both_ways(
  loss, usual, case, equation_1, side
):
  embeddings, batch = case
  ids = getattr(batch, side)
  same = replace(batch, **{side: ids.at[4].set(ids[11])})
  losses, _ = loss(CONFIG, embeddings, same)
  changed = np.flatnonzero((losses != usual[0]).any(axis=1))
  assert changed.tolist() == [4, 11]
  np.testing.assert_allclose(
    losses[:, 1], equation_1(CONFIG, embeddings, same, 8), rtol=2e-5
  )


@pytest.mark.parametrize('word', [0, 1])
def test_ids_are_the_same_only_in_both_words(loss, usual, case, word):
  embeddings, batch = case
  ids = batch.query_id.at[4, word].set(batch.query_id[11, word])
  losses, _ = loss(CONFIG, embeddings, replace(batch, query_id=ids))
  np.testing.assert_array_equal(losses, usual[0])


def test_a_query_may_have_the_id_of_another_rows_positive(loss, usual, case):
  embeddings, batch = case
  ids = batch.query_id.at[4].set(batch.positive_id[11])
  losses, _ = loss(CONFIG, embeddings, replace(batch, query_id=ids))
  np.testing.assert_array_equal(losses, usual[0])


def test_permuting_the_batch_permutes_the_losses(loss, usual, case):
  embeddings, batch = case
  order = np.random.default_rng(1).permutation(16)
  permuted = Embeddings(
    query=embeddings.query[order],
    positive=embeddings.positive[order],
    negatives=embeddings.negatives[:, order],
  )
  losses, accuracy = loss(
    CONFIG, permuted, jax.tree.map(lambda x: x[order], batch)
  )
  np.testing.assert_allclose(losses, usual[0][order], rtol=1e-5)
  assert accuracy == usual[1]


def test_a_hard_negative_matters_to_its_own_row_alone(loss, usual, case):
  embeddings, batch = case
  assert batch.has_negative[6, 0]
  nearer = embeddings.negatives.at[0, 6].set(embeddings.query[6])
  losses, accuracy = loss(CONFIG, replace(embeddings, negatives=nearer), batch)
  changed = np.flatnonzero((losses != usual[0]).any(axis=1))
  assert changed.tolist() == [6]
  assert accuracy == usual[1]


def test_a_hard_negative_that_is_not_there_does_not_matter(loss, usual, case):
  embeddings, batch = case
  there = batch.has_negative.T[..., None]
  assert not there.all()
  zero = jnp.where(there, embeddings.negatives, 0)
  losses, _ = loss(CONFIG, replace(embeddings, negatives=zero), batch)
  np.testing.assert_array_equal(losses, usual[0])


def test_a_missing_hard_negative_has_a_gradient_of_zero(
  case, differentiate, variant
):
  _, gradient = differentiate(total_loss, variant)
  absent = ~case[1].has_negative.T
  assert not gradient.negatives[absent].any()
  assert gradient.negatives[~absent].any()


def test_anothers_hard_negative_that_is_the_positive_is_no_negative(
  loss, case, equation_1
):
  config = replace(CONFIG, hard_negatives='all')
  embeddings, batch = case
  there = batch.has_negative.at[2, 1].set(True)  # is the positive of query 7
  batch = replace(batch, has_negative=there)
  losses, _ = loss(config, embeddings, batch)
  wanted = equation_1(config, embeddings, batch, 8)
  np.testing.assert_allclose(losses[:, 1], wanted, rtol=2e-5)
  far = embeddings.negatives.at[1, 2].set(-embeddings.query[7])
  moved, _ = loss(config, replace(embeddings, negatives=far), batch)
  assert np.flatnonzero((moved == losses).all(axis=1)).tolist() == [7]


def test_embeddings_of_length_zero_leave_gradients_finite(
  case, differentiate, variant
):
  embeddings, batch = case
  zeros = replace(
    embeddings,
    query=embeddings.query.at[0].set(0),
    positive=embeddings.positive.at[1].set(0),
    negatives=0 * embeddings.negatives,
  )
  _, gradients = differentiate(total_loss, variant, zeros, batch)
  for gradient in jax.tree.leaves(gradients):
    assert np.isfinite(gradient).all()


def test_accuracy_is_the_share_of_nearest_positives(loss):
  config = LossConfig(prefixes=(1, 2), temperature=1.0)
  query = [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]
  positive = [[0.8, 0.6], [0.96, 0.28], [-0.8, 0.6]]
  _, accuracy = loss(config, *pairs(query, positive))
  np.testing.assert_allclose(accuracy, 1 / 3, rtol=1e-6)
  # Where positive 1 answers query 0 as well, it is no rival.
  _, accuracy = loss(config, *pairs(query, positive, positive_id=[5, 5, 6]))
  np.testing.assert_allclose(accuracy, 2 / 3, rtol=1e-6)


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_collapsed_embeddings_have_an_accuracy_of_zero(loss, dtype):
  config = LossConfig(prefixes=(100,), temperature=1.0, dtype=dtype)
  # Whose cosines to themselves differ by rounding, depending on the product.
  vector = np.random.default_rng(100).normal(size=100).tolist()
  _, accuracy = loss(config, *pairs(6 * [vector], 6 * [vector]))
  assert accuracy == 0


def test_bfloat16_products_change_the_loss_by_rounding_alone(loss, usual, case):
  losses, _ = loss(replace(CONFIG, dtype='bfloat16'), *case)
  assert losses.dtype == jnp.float32
  assert (losses != usual[0]).any()
  np.testing.assert_allclose(losses, usual[0], rtol=0.05, atol=0.05)
