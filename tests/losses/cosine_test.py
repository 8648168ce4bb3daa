import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb.losses.cosine import inner_products, inverse_norms

PREFIXES = (1, 3, 4)


@pytest.fixture
def vectors():
  normal = np.random.default_rng(0).normal(size=(2, 3, 2, 5))
  return jnp.asarray(normal, jnp.float32)


def test_inner_products_are_those_of_the_prefixes(vectors):
  x, y = np.asarray(vectors)
  wanted = [np.sum((x * y)[..., :M], axis=-1) for M in PREFIXES]
  got = inner_products(*vectors, PREFIXES)
  np.testing.assert_allclose(got, np.stack(wanted, axis=-1), rtol=1e-6)


def test_dimensions_behind_a_prefix_have_a_gradient_of_zero(vectors):
  x, y = vectors
  x, y = x[0, 0], y[0, 0]
  jacobian = jax.jit(jax.jacobian(lambda x: inner_products(x, y, PREFIXES)))
  for M, by_x in zip(PREFIXES, jacobian(x), strict=True):
    np.testing.assert_array_equal(by_x, np.where(np.arange(5) < M, y, 0))


def test_inverse_norms_are_those_of_the_prefixes(vectors):
  got = inverse_norms(vectors, PREFIXES)
  for j, M in enumerate(PREFIXES):
    norm = np.linalg.norm(np.asarray(vectors)[..., :M], axis=-1)
    np.testing.assert_allclose(got[..., j] * norm, 1, rtol=1e-6)


def test_the_gradient_of_an_inverse_norm_is_minus_x_by_its_cube(vectors):
  x = vectors[0, 0, 0]
  jacobian = jax.jit(jax.jacobian(lambda x: inverse_norms(x, PREFIXES)))(x)
  for M, by_x in zip(PREFIXES, jacobian, strict=True):
    wanted = np.where(np.arange(5) < M, -x / np.linalg.norm(x[:M]) ** 3, 0)
    np.testing.assert_allclose(by_x, wanted, rtol=1e-5)


def test_a_length_of_zero_is_finite_and_has_a_gradient_of_zero():
  values, pull = jax.vjp(lambda x: inverse_norms(x, (2, 4)), jnp.zeros((3, 4)))
  assert jnp.isfinite(values).all()
  np.testing.assert_array_equal(pull(values)[0], jnp.zeros((3, 4)))
