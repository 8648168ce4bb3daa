import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb.model.attention.sight import Sight
from gemb.packed import positions_in_segments


@pytest.fixture(scope='session')
def make_case():
  """Returns a function: shape -> queries, keys, values and what they see.

  Of four rows, two hold two texts each and padding, one a text alone, and one
  nothing.
  """

  def make(length=128, heads=2, kv_heads=1, head_dim=64, dtype='float32'):
    keys = jax.random.split(jax.random.key(0), 3)
    qkv = [
      jax.random.normal(key, (4, length, n, head_dim), dtype)
      for key, n in zip(keys, (heads, kv_heads, kv_heads), strict=True)
    ]
    qkv[0] *= head_dim**-0.5
    segments = np.zeros((4, length), np.int32)
    segments[:2, : length // 3] = 1
    segments[:2, length // 3 : length - 20] = 2
    segments[2] = 1

    def sight(*, is_global=False, local_radius=30, causal=False):
      return Sight(
        segments=jnp.array(segments),
        positions=positions_in_segments(jnp.array(segments)),
        is_global=jnp.array(is_global),
        local_radius=local_radius,
        causal=causal,
      )

    return qkv, sight

  return make


@pytest.fixture(scope='session')
def with_gradients():
  """Returns a function: attend(q, k, v), sight -> result and gradients.

  Padding, whose results mean nothing, is left out.
  """

  def compute(attend, qkv, sight):
    real = (sight.segments > 0)[..., None, None]
    weight = jax.random.normal(jax.random.key(9), qkv[0].shape)

    @jax.jit
    def run(*qkv):
      out, pull = jax.vjp(lambda *x: jnp.where(real, attend(*x), 0), *qkv)
      return out, *pull(weight.astype(out.dtype))

    return run(*qkv)

  return compute
