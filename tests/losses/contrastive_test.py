import doctest

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb.losses import contrastive


def ids(*numbers):
  """Texts' ids, from one number each."""
  return jnp.array([[0, number] for number in numbers], jnp.uint32)


def normalised(x):
  length = np.linalg.norm(x, axis=-1, keepdims=True)
  return x / np.where(length == 0, 1, length)


@pytest.fixture
def arguments(case):
  """The case as contrastive_loss takes it."""
  q, p, n = (normalised(case[name]) for name in 'qpn')
  mask = contrastive.in_batch_mask(
    jnp.asarray(case['query_id']), jnp.asarray(case['positive_id'])
  )
  return {
    'similarity_BB': jnp.asarray(q @ p.T),
    'hard_similarity_BR': jnp.asarray(np.einsum('bd,brd->br', q, n)),
    'mask_BB': mask,
    'has_negative_BR': jnp.asarray(case['has_negative']),
    'temperature': 0.1,
  }


def loss(arguments, **changes):
  a = arguments | changes
  return contrastive.contrastive_loss(
    a.pop('similarity_BB'), a.pop('hard_similarity_BR'), **a
  )


def test_repeated_texts_are_masked_on_both_sides():
  mask = contrastive.in_batch_mask(ids(1, 2, 1, 3), ids(5, 6, 7, 6))
  np.testing.assert_array_equal(
    mask.astype(int),
    [
      [1, 1, 0, 1],  # query 0 is query 2
      [1, 1, 1, 0],  # positive 1 is positive 3
      [0, 1, 1, 1],
      [1, 0, 1, 1],
    ],
  )


def test_a_batch_of_one_text_keeps_the_diagonal():
  mask = contrastive.in_batch_mask(ids(1, 1, 1), ids(2, 2, 2))
  np.testing.assert_array_equal(mask, np.eye(3, dtype=bool))


def test_ids_are_the_same_only_in_both_words():
  query_id = jnp.array([[1, 2], [1, 3], [4, 2]], jnp.uint32)
  assert contrastive.in_batch_mask(query_id, ids(1, 2, 3)).all()


def test_a_query_may_have_the_id_of_another_rows_positive():
  assert contrastive.in_batch_mask(ids(1, 2), ids(2, 1)).all()


@pytest.mark.parametrize('temperature', [0.02, 0.1, 1.0])
def test_the_loss_is_equation_1(case, equation_1, arguments, temperature):
  wanted = equation_1(**case, temperature=temperature)
  got = loss(arguments, temperature=temperature)
  np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=1e-5)


def test_the_loss_can_be_worked_by_hand():
  got = contrastive.contrastive_loss(
    jnp.array([[0.5, 0.25], [0.0, 1.0]]),
    jnp.array([[0.5], [9.0]]),
    mask_BB=jnp.ones((2, 2), bool),
    has_negative_BR=jnp.array([[True], [False]]),
    temperature=0.5,
  )
  e = np.exp
  wanted = [
    -np.log(e(1) / (e(1) + e(1) + e(0.5))),
    -np.log(e(2) / (e(2) + e(0))),
  ]
  np.testing.assert_allclose(got, wanted, rtol=1e-6)


def test_the_paper_read_literally_would_drop_the_positive(arguments):
  """The deviation that gemb/losses/contrastive.py names."""
  apart = {
    'similarity_BB': jnp.array([[1.0, 0.0], [0.0, 1.0]]),
    'hard_similarity_BR': jnp.zeros((2, 0)),
    'mask_BB': jnp.ones((2, 2), bool),
    'has_negative_BR': jnp.zeros((2, 0), bool),
    'temperature': 1.0,
  }
  ours = loss(apart)
  # mask(i, i) = 0, since q_i and q_i are the same text: Z_i = e^0.
  literal = -np.log(np.exp(1.0) / np.exp(0.0))
  np.testing.assert_allclose(ours, np.log(1 + np.exp(-1.0)), rtol=1e-6)
  assert literal == -1.0  # not a log-likelihood: it falls without end
  assert (loss(arguments) >= 0).all()


def test_the_gradient_is_that_of_finite_differences(case):
  with jax.enable_x64(True):
    rng = np.random.default_rng(0)
    similarity = jnp.asarray(rng.uniform(-1, 1, (6, 6)))
    hard = jnp.asarray(rng.uniform(-1, 1, (6, 2)))
    kwargs = {
      'mask_BB': contrastive.in_batch_mask(
        jnp.asarray(case['query_id']), jnp.asarray(case['positive_id'])
      ),
      'has_negative_BR': jnp.asarray(case['has_negative']),
      'temperature': 0.5,
    }

    @jax.jit
    def total(similarity, hard):
      return contrastive.contrastive_loss(similarity, hard, **kwargs).sum()

    gradients = jax.jit(jax.grad(total, argnums=(0, 1)))(similarity, hard)
    assert gradients[0].dtype == jnp.float64
    for which, gradient in enumerate(gradients):
      for at in np.ndindex(gradient.shape):
        values = []
        for step in (1e-5, -1e-5):
          x = [similarity, hard]
          x[which] = x[which].at[at].add(step)
          values.append(float(total(*x)))
        numeric = (values[0] - values[1]) / 2e-5
        assert abs(numeric - float(gradient[at])) < 1e-8


def test_permuting_the_batch_permutes_the_losses(arguments):
  order = np.array([4, 2, 0, 5, 1, 3])
  permuted = loss(
    arguments,
    similarity_BB=arguments['similarity_BB'][order][:, order],
    hard_similarity_BR=arguments['hard_similarity_BR'][order],
    mask_BB=arguments['mask_BB'][order][:, order],
    has_negative_BR=arguments['has_negative_BR'][order],
  )
  np.testing.assert_allclose(permuted, loss(arguments)[order], rtol=1e-6)


def test_a_masked_positive_does_not_matter(arguments):
  similarity = arguments['similarity_BB'].at[0, 3].set(0.99)  # query 0 is 3
  np.testing.assert_array_equal(
    loss(arguments, similarity_BB=similarity), loss(arguments)
  )


def test_a_hard_negative_matters_to_its_own_row_alone(arguments):
  hard = arguments['hard_similarity_BR'].at[3, 0].set(0.99)
  changed = loss(arguments, hard_similarity_BR=hard) != loss(arguments)
  assert changed.tolist() == [False, False, False, True, False, False]


def test_an_absent_hard_negative_does_not_matter(arguments):
  hard = arguments['hard_similarity_BR'].at[1].set(0.99)
  np.testing.assert_array_equal(
    loss(arguments, hard_similarity_BR=hard), loss(arguments)
  )


def test_masked_terms_have_a_gradient_of_zero(arguments):
  gradients = jax.grad(
    lambda s, h: loss(arguments, similarity_BB=s, hard_similarity_BR=h).sum(),
    argnums=(0, 1),
  )(arguments['similarity_BB'], arguments['hard_similarity_BR'])
  for gradient, name in zip(
    gradients, ('mask_BB', 'has_negative_BR'), strict=True
  ):
    np.testing.assert_array_equal(gradient != 0, arguments[name])


def test_a_tiny_temperature_does_not_overflow(arguments):
  assert jnp.isfinite(loss(arguments, temperature=1e-4)).all()


def test_accuracy_is_the_share_of_nearest_positives():
  similarity = jnp.array([[0.9, 0.1, 0.2], [0.5, 0.4, 0.1], [0.3, 0.2, 0.8]])
  got = contrastive.accuracy(similarity, jnp.ones((3, 3), bool))
  np.testing.assert_allclose(got, 2 / 3, rtol=1e-6)


def test_accuracy_does_not_count_masked_rivals():
  similarity = jnp.array([[0.9, 0.1], [0.5, 0.4]])
  mask = jnp.array([[True, True], [False, True]])
  assert contrastive.accuracy(similarity, mask) == 1


def test_collapsed_embeddings_have_an_accuracy_of_zero():
  ones = jnp.ones((4, 4))
  assert contrastive.accuracy(ones, ones > 0) == 0


def test_the_examples_in_the_documentation_are_true():
  results = doctest.testmod(contrastive)
  assert results.attempted > 0
  assert results.failed == 0
