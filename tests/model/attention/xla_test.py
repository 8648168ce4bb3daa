import jax
import jax.numpy as jnp
import numpy as np

from gemb.model.attention import xla

KEYS = jax.random.split(jax.random.key(0), 3)


def heads(key, n, length=5):
  return jax.random.normal(key, (2, length, n, 4))


def everything(length):
  return jnp.ones((2, length, length), bool)


def test_attention_averages_values_by_the_softmax_of_inner_products():
  q = jnp.array([[2.0, 0.0]]).reshape(1, 1, 1, 2)
  k = jnp.array([[1.0, 0.0], [0.0, 1.0], [9.0, 9.0]]).reshape(1, 3, 1, 2)
  v = jnp.array([[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]]).reshape(1, 3, 1, 2)
  q = jnp.repeat(q, 3, axis=1)
  mask = jnp.broadcast_to(jnp.array([True, True, False]), (1, 3, 3))
  weight = np.exp(2) / (np.exp(2) + 1)
  np.testing.assert_allclose(
    xla.attend(q, k, v, mask)[0, :, 0],
    [[weight, 1 - weight]] * 3,
    rtol=1e-6,
  )


def test_a_shared_key_head_equals_repeated_keys():
  q, k, v = heads(KEYS[0], 4), heads(KEYS[1], 2), heads(KEYS[2], 2)
  grouped = xla.attend(q, k, v, everything(5))
  repeated = xla.attend(
    q, jnp.repeat(k, 2, axis=2), jnp.repeat(v, 2, axis=2), everything(5)
  )
  np.testing.assert_allclose(grouped, repeated, atol=1e-6)


def test_a_token_that_sees_nothing_attends_evenly():
  q, k, v = (heads(key, 2) for key in KEYS)

  def attend(q, k, v):
    return xla.attend(q, k, v, jnp.zeros((2, 5, 5), bool))

  mean = jnp.broadcast_to(v.mean(axis=1, keepdims=True), v.shape)
  np.testing.assert_allclose(attend(q, k, v), mean, atol=1e-6)
  gradients = jax.grad(lambda *x: attend(*x).sum(), argnums=(0, 1, 2))(q, k, v)
  assert all(jnp.isfinite(g).all() for g in gradients)


def test_invisible_tokens_have_no_gradient():
  q, k, v = (heads(key, 2) for key in KEYS)
  mask = everything(5).at[:, :, 3:].set(False)

  def total(k, v):
    return jnp.sum(xla.attend(q, k, v, mask) ** 2)

  for gradient in jax.grad(total, argnums=(0, 1))(k, v):
    assert not gradient[:, 3:].any()
    assert gradient[:, :3].all()


def test_softmax_is_float32_for_bfloat16_tokens():
  q, k, v = (heads(key, 2).astype(jnp.bfloat16) for key in KEYS)
  jaxpr = jax.make_jaxpr(xla.attend)(q, k, v, everything(5))
  exponents = [e for e in jaxpr.eqns if e.primitive.name == 'exp']
  exponents += [
    e
    for outer in jaxpr.eqns
    if 'jaxpr' in outer.params
    for e in outer.params['jaxpr'].eqns
    if e.primitive.name == 'exp'
  ]
  assert [e.outvars[0].aval.dtype for e in exponents] == [jnp.float32]
  assert xla.attend(q, k, v, everything(5)).dtype == jnp.bfloat16
