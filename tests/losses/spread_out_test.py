import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb.losses.spread_out import spread_out

compute = jax.jit(spread_out, static_argnums=1)


@pytest.fixture
def vectors():
  normal = np.random.default_rng(0).normal(size=(6, 5))
  return jnp.asarray(normal + 0.5, jnp.float32)


def test_it_is_the_mean_of_squared_cosines(vectors):
  for M, moment in zip((2, 4), compute(vectors, (2, 4)), strict=True):
    x = np.asarray(vectors[:, :M], np.float64)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    cosines = [x[i] @ x[j] for i, j in itertools.permutations(range(6), 2)]
    np.testing.assert_allclose(moment, np.mean(np.square(cosines)), rtol=1e-5)


def test_the_length_of_a_vector_does_not_matter(vectors):
  longer = vectors * jnp.arange(1.0, 7)[:, None]
  np.testing.assert_allclose(
    compute(longer, (2, 4)), compute(vectors, (2, 4)), rtol=1e-5
  )


def test_orthogonal_vectors_have_none_and_parallel_ones_all():
  np.testing.assert_allclose(compute(jnp.eye(4), (4,)), [0], atol=1e-6)
  parallel = jnp.array([[1.0, 2.0], [-3.0, -6.0]])
  np.testing.assert_allclose(compute(parallel, (2,)), [1], rtol=1e-6)


def test_one_vector_has_none(vectors):
  np.testing.assert_allclose(compute(vectors[:1], (4,)), [0], atol=1e-6)


def test_a_vector_of_length_zero_leaves_gradients_finite(vectors):
  gradient = jax.jit(jax.grad(lambda x: spread_out(x, (2, 4)).sum()))
  assert jnp.isfinite(gradient(vectors.at[0].set(0))).all()


def test_values_and_gradients_equal_sentence_transformers(golden):
  def loss(query, positive):
    # Theirs is what goes beyond that of random directions: 1/16.
    return sum(spread_out(x, (16,))[0] - 1 / 16 for x in (query, positive))

  sides = [jnp.asarray(golden[x], jnp.float32) for x in ('query', 'positive')]
  gradient = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
  value, gradients = gradient(*sides)
  np.testing.assert_allclose(value, golden['spread_out/loss'], rtol=1e-5)
  for gradient, side in zip(gradients, ('query', 'positive'), strict=True):
    wanted = golden[f'spread_out/grad_{side}']
    np.testing.assert_allclose(gradient, wanted, rtol=1e-4, atol=1e-7)
