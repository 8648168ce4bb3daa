import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gemb.model import attention
from gemb.model.config import EncoderConfig

CONFIG = EncoderConfig(
  vocabulary=8,
  width=8,
  layers=1,
  heads=4,
  kv_heads=2,
  head_dim=4,
  mlp_width=4,
  dtype='float32',
)
KEYS = jax.random.split(jax.random.key(0), 3)


def positions(length):
  return jnp.arange(length, dtype=jnp.int32)[None]


def heads(key, n, length=5):
  return jax.random.normal(key, (2, length, n, 4))


def everything(length):
  return jnp.ones((2, length, length), bool)


def test_in_causal_mode_a_token_sees_twice_the_radius_of_latest_tokens():
  visible = attention.visible(
    positions(6), jnp.ones((1, 6), jnp.int32), jnp.int32(1), causal=True
  )
  np.testing.assert_array_equal(
    visible[0].astype(int),
    [
      [1, 0, 0, 0, 0, 0],
      [1, 1, 0, 0, 0, 0],
      [0, 1, 1, 0, 0, 0],
      [0, 0, 1, 1, 0, 0],
      [0, 0, 0, 1, 1, 0],
      [0, 0, 0, 0, 1, 1],
    ],
  )


def test_a_token_sees_real_tokens_within_the_radius_on_either_side():
  segments = jnp.array([[1, 1, 1, 1, 1, 0]], jnp.int32)
  visible = attention.visible(positions(6), segments, jnp.int32(2))
  np.testing.assert_array_equal(
    visible[0].astype(int),
    [
      [1, 1, 1, 0, 0, 0],
      [1, 1, 1, 1, 0, 0],
      [1, 1, 1, 1, 1, 0],
      [0, 1, 1, 1, 1, 0],
      [0, 0, 1, 1, 1, 0],
      [0, 0, 0, 0, 0, 0],
    ],
  )


def test_a_token_sees_those_of_its_own_text_only():
  segments = jnp.array([[1, 1, 2, 2, 2, 0]], jnp.int32)
  positions_in_text = jnp.array([[0, 1, 0, 1, 2, 0]], jnp.int32)
  visible = attention.visible(positions_in_text, segments, jnp.int32(1))
  np.testing.assert_array_equal(
    visible[0].astype(int),
    [
      [1, 1, 0, 0, 0, 0],
      [1, 1, 0, 0, 0, 0],
      [0, 0, 1, 1, 0, 0],
      [0, 0, 1, 1, 1, 0],
      [0, 0, 0, 1, 1, 0],
      [0, 0, 0, 0, 0, 0],
    ],
  )


def test_a_radius_of_the_length_sees_all_real_tokens():
  segments = jnp.array([[1, 1, 0], [1, 1, 1]], jnp.int32)
  visible = attention.visible(
    jnp.repeat(positions(3), 2, axis=0), segments, jnp.int32(3)
  )
  np.testing.assert_array_equal(
    visible.astype(int), [[[1, 1, 0], [1, 1, 0], [0, 0, 0]], [[1, 1, 1]] * 3]
  )


def test_attention_averages_values_by_the_softmax_of_inner_products():
  q = jnp.array([[2.0, 0.0]]).reshape(1, 1, 1, 2)
  k = jnp.array([[1.0, 0.0], [0.0, 1.0], [9.0, 9.0]]).reshape(1, 3, 1, 2)
  v = jnp.array([[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]]).reshape(1, 3, 1, 2)
  q = jnp.repeat(q, 3, axis=1)
  visible = jnp.broadcast_to(jnp.array([True, True, False]), (1, 3, 3))
  weight = np.exp(2) / (np.exp(2) + 1)
  np.testing.assert_allclose(
    attention.attend(q, k, v, visible)[0, :, 0],
    [[weight, 1 - weight]] * 3,
    rtol=1e-6,
  )


def test_a_shared_key_head_equals_repeated_keys():
  q, k, v = heads(KEYS[0], 4), heads(KEYS[1], 2), heads(KEYS[2], 2)
  grouped = attention.attend(q, k, v, everything(5))
  repeated = attention.attend(
    q, jnp.repeat(k, 2, axis=2), jnp.repeat(v, 2, axis=2), everything(5)
  )
  np.testing.assert_allclose(grouped, repeated, atol=1e-6)


def test_a_token_that_sees_nothing_attends_evenly():
  q, k, v = (heads(key, 2) for key in KEYS)

  def attend(q, k, v):
    return attention.attend(q, k, v, jnp.zeros((2, 5, 5), bool))

  mean = jnp.broadcast_to(v.mean(axis=1, keepdims=True), v.shape)
  np.testing.assert_allclose(attend(q, k, v), mean, atol=1e-6)
  gradients = jax.grad(lambda *x: attend(*x).sum(), argnums=(0, 1, 2))(q, k, v)
  assert all(jnp.isfinite(g).all() for g in gradients)


def test_invisible_tokens_have_no_gradient():
  q, k, v = (heads(key, 2) for key in KEYS)
  visible = everything(5).at[:, :, 3:].set(False)

  def total(k, v):
    return jnp.sum(attention.attend(q, k, v, visible) ** 2)

  for gradient in jax.grad(total, argnums=(0, 1))(k, v):
    assert not gradient[:, 3:].any()
    assert gradient[:, :3].all()


def test_softmax_is_float32_for_bfloat16_tokens():
  q, k, v = (heads(key, 2).astype(jnp.bfloat16) for key in KEYS)
  jaxpr = jax.make_jaxpr(attention.attend)(q, k, v, everything(5))
  exponents = [e for e in jaxpr.eqns if e.primitive.name == 'exp']
  exponents += [
    e
    for outer in jaxpr.eqns
    if 'jaxpr' in outer.params
    for e in outer.params['jaxpr'].eqns
    if e.primitive.name == 'exp'
  ]
  assert [e.outvars[0].aval.dtype for e in exponents] == [jnp.float32]
  assert attention.attend(q, k, v, everything(5)).dtype == jnp.bfloat16


def layer(config, x, places, params=None, theta=1e4):
  module = attention.Attention(config)
  numbers = jnp.float32(theta), jnp.float32(1)
  inputs = (x, places, everything(x.shape[1]), *numbers)
  params = params or nn.unbox(module.init(jax.random.key(1), *inputs))
  return module.apply(params, *inputs), params


def test_tokens_are_told_apart_in_time_by_their_positions_alone():
  x = jax.random.normal(KEYS[0], (2, 5, 8))
  places = jnp.repeat(positions(5), 2, axis=0)
  forward, params = layer(CONFIG, x, places)
  # Tokens and positions reversed: the same result, reversed. No causal term.
  both, _ = layer(CONFIG, x[:, ::-1], places[:, ::-1], params)
  np.testing.assert_allclose(both, forward[:, ::-1], atol=1e-5)
  # Tokens alone: another result, so order matters.
  tokens, _ = layer(CONFIG, x[:, ::-1], places, params)
  assert not np.allclose(tokens, forward[:, ::-1], atol=1e-2)
  # Without positions, none.
  nowhere, _ = layer(CONFIG, x, jnp.zeros_like(places), params)
  turned, _ = layer(CONFIG, x[:, ::-1], jnp.zeros_like(places), params)
  np.testing.assert_allclose(turned, nowhere[:, ::-1], atol=1e-5)


def test_query_scale_defaults_to_the_width_of_a_head():
  x = jax.random.normal(KEYS[0], (2, 5, 8))
  places = jnp.repeat(positions(5), 2, axis=0)
  default, params = layer(CONFIG, x, places)

  def scaled(query_scale):
    kwargs = {'query_scale': query_scale}
    return layer(EncoderConfig(**vars(CONFIG) | kwargs), x, places, params)[0]

  np.testing.assert_allclose(scaled(4.0), default, atol=1e-6)
  assert not np.allclose(scaled(0.25), default, atol=1e-3)
