import math
import operator
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb.losses.config import LossConfig
from gemb.losses.plain import plain_loss
from gemb.types import Batch, Embeddings, Packed, Padded


def exp(*logits):
  return sum(math.exp(logit) for logit in logits)


def of(*others):
  """Returns -log of the positive's share in a denominator."""
  return -math.log(exp(1.6) / exp(*others))


@pytest.fixture
def angles():
  """Two examples, one the mirror image of the other, t = 0.5.

  A query has a cosine of 0.8 to its positive, 0.6 to the other's, 0.6 to its
  hard negative, -0.8 to the other's and 0 to the other query; the positives
  have 0.96 to each other.
  """
  number = jnp.array([1, 2], jnp.int32)
  ids = jnp.stack([number, number], axis=1).astype(jnp.uint32)
  mirrored = operator.itemgetter(slice(None, None, -1))

  def both(*vector):
    return jnp.array([vector, mirrored(vector)])

  batch = Batch(
    texts=Padded(
      query=number[:, None],
      positive=number[:, None] + 2,
      negatives=number[:, None, None] + 4,
    ),
    has_negative=jnp.ones((2, 1), bool),
    query_id=ids,
    positive_id=ids,
    # 0.8 to the query, 1 to the positive, 0.6 to the hard negative.
    teacher=jnp.stack([both(0.8, 0.6), both(0.8, 0.6), both(1.0, 0.0)], axis=1),
  )
  embeddings = Embeddings(
    query=both(1.0, 0.0),
    positive=both(0.8, 0.6),
    negatives=both(0.6, -0.8)[None],
  )
  return embeddings, batch


@pytest.mark.parametrize(
  ('switches', 'wanted'),
  [
    ({}, of(1.6, 1.2, 1.2)),
    ({'positive_in_denominator': False}, of(1.2, 1.2)),
    ({'hard_negatives': 'all'}, of(1.6, 1.2, 1.2, -1.6)),
    ({'same_tower': 'queries'}, of(1.6, 1.2, 1.2, 0)),
    ({'same_tower': 'both'}, of(1.6, 1.2, 1.2, 0, 1.92)),
    (
      # Beyond 0.8 + 0.1 is the other positive, seen from this one.
      {'same_tower': 'both', 'false_negative_margin': 0.1},
      of(1.6, 1.2, 1.2, 0),
    ),
    ({'hardness': 5.0}, of(1.6, 1.2, 1.2 + 5 * 0.6)),
    # The hardness of others' is not weighed.
    (
      {'hardness': 5.0, 'hard_negatives': 'all'},
      of(1.6, 1.2, 1.2 + 5 * 0.6, -1.6),
    ),
    (
      {'focal': 0.5},
      of(1.6, 1.2, 1.2) * math.sqrt(1 - exp(1.6) / exp(1.6, 1.2, 1.2)),
    ),
    ({'symmetric': True}, (of(1.6, 1.2, 1.2) + of(1.6, 1.2)) / 2),
    ({'spread_out': 2.0}, of(1.6, 1.2, 1.2) + 2 * (0**2 + 0.96**2)),
    ({'distillation': 0.5}, of(1.6, 1.2, 1.2) + 0.5 * (0.2 + 0 + 0.4)),
    ({'weights': (3.0,)}, 3 * of(1.6, 1.2, 1.2)),
  ],
)
def test_each_switch_can_be_worked_by_hand(angles, switches, wanted):
  config = LossConfig(prefixes=(2,), temperature=0.5, **switches)
  value, _ = plain_loss(config, *angles)
  np.testing.assert_allclose(value, wanted, rtol=1e-5)


def test_without_the_mask_equal_texts_are_contrasted(angles):
  embeddings, batch = angles
  same = replace(batch, positive_id=jnp.zeros_like(batch.positive_id))
  masked = LossConfig(prefixes=(2,), temperature=0.5)
  value, _ = plain_loss(masked, embeddings, same)
  np.testing.assert_allclose(value, of(1.6, 1.2), rtol=1e-5)
  value, _ = plain_loss(
    replace(masked, mask_same_texts=False), embeddings, same
  )
  np.testing.assert_allclose(value, of(1.6, 1.2, 1.2), rtol=1e-5)


def test_a_margin_drops_the_own_hard_negative_too(angles):
  embeddings, batch = angles
  config = LossConfig(prefixes=(2,), temperature=0.5, false_negative_margin=0.1)
  near = replace(embeddings, negatives=embeddings.query[None])  # cosine 1
  value, _ = plain_loss(config, near, batch)
  np.testing.assert_allclose(value, of(1.6, 1.2), rtol=1e-5)


def test_to_the_letter_a_query_that_meets_nothing_has_no_loss(angles):
  embeddings, batch = angles
  config = LossConfig(
    prefixes=(2,), temperature=0.5, positive_in_denominator=False
  )
  alone = replace(
    batch,
    query_id=jnp.zeros_like(batch.query_id),
    has_negative=jnp.zeros_like(batch.has_negative),
  )
  value, gradient = jax.jit(
    jax.value_and_grad(lambda x: plain_loss(config, x, alone)[0])
  )(embeddings)
  assert value == 0
  assert not any(x.any() for x in jax.tree.leaves(gradient))


def test_it_is_the_equations_term_after_term(
  case, differentiate, equation_1, variant
):
  (_, metrics), _ = differentiate(plain_loss, variant)
  for M in variant.prefixes:
    wanted = equation_1(variant, *case, M).mean()
    np.testing.assert_allclose(metrics[f'loss/{M}'], wanted, rtol=2e-5)


def test_example_losses_are_the_equations_summed_over_prefixes(
  case, equation_1
):
  config = LossConfig(
    prefixes=(2, 4, 8), temperature=0.1, weights=(4.0, 2.0, 1.0)
  )
  _, metrics = jax.jit(plain_loss, static_argnums=0)(config, *case)
  wanted = sum(
    weight * equation_1(config, *case, M)
    for M, weight in zip((2, 4, 8), (4, 2, 1), strict=True)
  )
  np.testing.assert_allclose(metrics['example_loss'], wanted, rtol=2e-5)


@pytest.mark.parametrize(
  'name',
  ['pair', 'hard_negatives', 'symmetric', 'hardness', 'matryoshka', 'weights'],
)
def test_values_and_gradients_equal_sentence_transformers(assert_golden, name):
  assert_golden(plain_loss, name)


def test_it_is_computed_in_float64_where_embeddings_are(case, equation_1):
  config = LossConfig(prefixes=(8,), temperature=0.02)
  with jax.enable_x64(True):
    embeddings = jax.tree.map(lambda x: x.astype(jnp.float64), case[0])
    value, _ = jax.jit(plain_loss, static_argnums=0)(
      config, embeddings, case[1]
    )
    assert value.dtype == jnp.float64
  wanted = equation_1(config, *case, 8).mean()
  np.testing.assert_allclose(value, wanted, rtol=1e-12)


def test_texts_are_compared_in_padded_batches_only(case):
  embeddings, batch = case
  rows = jnp.ones((2, 8), jnp.int32)
  packed = Packed(tokens=rows, segments=rows, place=rows, slots=1, shards=1)
  config = LossConfig(prefixes=(8,), temperature=1.0, hard_negatives='all')
  with pytest.raises(ValueError, match=r'compares texts, .* the padded form'):
    jax.eval_shape(
      lambda x: plain_loss(config, x, replace(batch, texts=packed)), embeddings
    )


def test_a_teacher_that_is_missing_is_named(case):
  embeddings, batch = case
  config = LossConfig(prefixes=(8,), temperature=1.0, distillation=0.5)
  with pytest.raises(ValueError, match=r'the batch has none; name some'):
    jax.eval_shape(
      lambda x: plain_loss(config, x, replace(batch, teacher=None)), embeddings
    )
