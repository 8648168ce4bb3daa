import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb.model import layers

ONE = jnp.float32(1)


def normal(seed, shape):
  return jax.random.normal(jax.random.key(seed), shape)


def test_a_new_norm_only_divides_by_the_root_mean_square():
  x = jnp.array([[3.0, -4.0]])
  y, _ = layers.RMSNorm(1e-6).init_with_output(jax.random.key(0), x)
  np.testing.assert_allclose(y, x / np.sqrt(12.5), rtol=1e-6)


def test_a_norm_multiplies_by_one_plus_its_scale():
  x = jnp.array([[3.0, -4.0]])
  params = {'params': {'scale': jnp.array([1.0, -1.0])}}
  y = layers.RMSNorm(1e-6).apply(params, x)
  np.testing.assert_allclose(y, [[2 * 3 / np.sqrt(12.5), 0]], rtol=1e-6)


def test_a_norm_of_zeros_is_zero_with_a_finite_gradient():
  def norm(x):
    return layers.RMSNorm(1e-6).apply({'params': {'scale': jnp.zeros(2)}}, x)

  x = jnp.zeros((1, 2))
  assert not norm(x).any()
  assert jnp.isfinite(jax.grad(lambda x: norm(x).sum())(x)).all()


def test_a_norm_is_computed_in_float32_and_returned_as_it_came():
  x = jnp.full((1, 4), 300.0, jnp.float16)  # its square overflows float16
  y, _ = layers.RMSNorm(1e-6).init_with_output(jax.random.key(0), x)
  assert y.dtype == jnp.float16
  np.testing.assert_allclose(y, np.ones((1, 4)), rtol=1e-3)


def test_a_linear_map_starts_with_the_variance_of_its_input():
  module = layers.Einsum(
    'BLNH,NHD->BLD', (8, 16, 256), ('heads', 'head_dim', 'embed'), (0, 1)
  )
  x = normal(1, (4, 8, 8, 16))
  y, params = module.init_with_output(jax.random.key(0), x)
  assert 0.9 < float(y.std() / x.std()) < 1.1
  kernel = params['params']['kernel']
  assert kernel.names == ('heads', 'head_dim', 'embed')
  assert kernel.unbox().dtype == jnp.float32


def test_a_linear_map_computes_in_its_inputs_type():
  module = layers.Einsum('BLD,DF->BLF', (2, 3), ('embed', 'mlp'), (0,))
  x = jnp.ones((1, 1, 2), jnp.bfloat16)
  y, _ = module.init_with_output(jax.random.key(0), x)
  assert y.dtype == jnp.bfloat16


@pytest.mark.parametrize(
  'formula', ['BLD,DNH->BLNH', 'BLNH,NHD->BLD', 'BLD,DF->BLF', 'TD,DE->TE']
)
def test_a_linear_maps_gradients_are_those_of_the_einsum(formula):
  sizes = dict(B=2, L=3, D=4, N=2, H=5, F=6, T=3, E=7)
  x, kernel, weight = (
    normal(i, [sizes[axis] for axis in axes])
    for i, axes in enumerate(formula.replace('->', ',').split(','))
  )

  def gradients(map_):
    def loss(x, kernel):
      return jnp.sum(weight * jnp.sin(map_(formula, x, kernel)))

    return jax.grad(loss, argnums=(0, 1))(x, kernel)

  for got, wanted in zip(
    gradients(layers.contract), gradients(jnp.einsum), strict=True
  ):
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


def test_rotation_turns_halves_by_the_position():
  x = jnp.array([1.0, 0.0, 0.0, 1.0]).reshape(1, 1, 1, 4)
  y = layers.rotate(x, jnp.array([[3]]), jnp.float32(100.0), ONE)
  # Pairs (x_0, x_2) by 3 * 100^0 and (x_1, x_3) by 3 * 100^-0.5 radians.
  wanted = [np.cos(3), -np.sin(0.3), np.sin(3), np.cos(0.3)]
  np.testing.assert_allclose(y.ravel(), wanted, atol=1e-6)


def test_a_scale_of_two_turns_as_half_the_position():
  x = jax.random.normal(jax.random.key(0), (1, 1, 2, 8))
  theta = jnp.float32(1e4)
  scaled = layers.rotate(x, jnp.array([[6]]), theta, jnp.float32(2))
  np.testing.assert_allclose(
    scaled, layers.rotate(x, jnp.array([[3]]), theta, ONE), atol=1e-6
  )


def test_a_softcap_bounds_and_hardly_moves_what_is_small():
  x = jnp.array([-1e4, -1.0, 0.0, 1.0, 1e4])
  capped = layers.softcap(x, 50.0)
  np.testing.assert_allclose(capped, [-50, -1, 0, 1, 50], atol=2e-4)
  assert layers.softcap(x, None) is x


def test_position_zero_is_not_turned():
  x = normal(0, (1, 1, 2, 4))
  y = layers.rotate(x, jnp.array([[0]]), jnp.float32(1e4), ONE)
  np.testing.assert_array_equal(y, x)


def test_inner_products_depend_on_relative_position_only():
  q, k = normal(0, (1, 5, 2, 8)), normal(1, (1, 5, 2, 8))

  def products(first):
    positions = first + jnp.arange(5)[None]
    turned = [
      layers.rotate(x, positions, jnp.float32(1e4), ONE) for x in (q, k)
    ]
    return jnp.einsum('BLNH,BSNH->BNLS', *turned)

  np.testing.assert_allclose(products(0), products(100), atol=2e-5)
  unturned = jnp.einsum('BLNH,BSNH->BNLS', q, k)
  assert not np.allclose(products(0), unturned, atol=0.1)


def test_rotation_is_exact_at_long_positions_in_bfloat16():
  x = jnp.ones((1, 1, 1, 2), jnp.bfloat16)
  y = layers.rotate(x, jnp.array([[2047]]), jnp.float32(1e4), ONE)
  assert y.dtype == jnp.bfloat16
  wanted = [
    np.cos(2047) - np.sin(2047),
    np.cos(2047) + np.sin(2047),
  ]
  np.testing.assert_allclose(y.astype(jnp.float32).ravel(), wanted, atol=1e-2)


def test_the_feed_forward_layer_is_geglu_on_each_token_alone():
  x = normal(0, (2, 3, 4))
  y, params = layers.GatedMLP(6).init_with_output(jax.random.key(1), x)
  kernels = {k: v['kernel'] for k, v in nn.unbox(params)['params'].items()}
  gate = np.asarray(x) @ kernels['gate']
  gelu = 0.5 * gate * (1 + np.tanh(0.7978845608 * (gate + 0.044715 * gate**3)))
  wanted = (gelu * (np.asarray(x) @ kernels['up'])) @ kernels['down']
  np.testing.assert_allclose(y, wanted, atol=1e-5)
