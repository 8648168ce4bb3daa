"""How far a kernel of attention is from XLA's, on random tokens."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from gemb.axes import Layout
from gemb.model.attention import backends
from gemb.model.attention.sight import Sight
from gemb.model.config import AttentionBackend, EncoderConfig


def compare(
  c: EncoderConfig,
  backend: AttentionBackend,
  layout: Layout,
  *,
  length: int = backends.LONG,
) -> tuple[AttentionBackend, dict[str, float]]:
  """Measures the kernel that serves rows of `length` tokens on this platform.

  Args:
    c: whose heads, window and dtype are taken.
    backend: `ComputeConfig.attention`.
    layout: in use; each shard of the batch has a row.
    length: of two texts in a row and the padding behind them.

  Returns:
    The kernel; and for 'local' and 'global' layers, how long the difference of
    outputs or of gradients is, relative to XLA's, at most. Nothing of this
    where XLA serves.

  Raises:
    ValueError: if the backend is named and cannot serve.
  """
  shape = (layout.shards('batch'), length, c.heads, c.head_dim)
  q_BLNH = jnp.zeros(shape, c.dtype)
  kernel = backends.choose(backend, q_BLNH, c.attention_softcap)
  if kernel == 'xla':
    return kernel, {}

  def distance(is_global: Array) -> Float[Array, '']:
    by_xla = _results(c, 'xla', is_global, shape)
    by_kernel = _results(c, kernel, is_global, shape)
    pairs = zip(by_xla, by_kernel, strict=True)
    return jnp.stack([_apart(x, y) for x, y in pairs]).max()

  measure = jax.jit(distance, out_shardings=layout.sharding())
  return kernel, {
    'local': float(measure(jnp.array(False))),
    'global': float(measure(jnp.array(True))),
  }


def _results(
  c: EncoderConfig,
  backend: AttentionBackend,
  is_global: Bool[Array, ''],
  shape: tuple[int, ...],
) -> tuple[Array, ...]:
  """Returns attention of random tokens, and the gradients of all operands."""
  B, L, N, H = shape
  q_BLNH, k_BLKH, v_BLKH, pull_BLNH = (
    jax.random.normal(jax.random.key(seed), (B, L, heads, H), c.dtype)
    for seed, heads in enumerate((N, c.kv_heads, c.kv_heads, N))
  )
  positions_L = jnp.arange(L, dtype=jnp.int32)
  segments_L = jnp.where(positions_L < L // 2, 1, 2)
  segments_L = jnp.where(positions_L < L - L // 8, segments_L, 0)
  sight = Sight(
    segments=jnp.broadcast_to(segments_L, (B, L)),
    positions=jnp.broadcast_to(positions_L, (B, L)),
    is_global=is_global,
    local_radius=min(c.local_radius, L // 8),
  )

  def attend(q_BLNH: Array, k_BLKH: Array, v_BLKH: Array) -> Array:
    q_BLNH = q_BLNH * H**-0.5
    y_BLNH = backends.attend(
      backend, q_BLNH, k_BLKH, v_BLKH, sight, c.attention_softcap
    )
    # What padding gets means nothing.
    return jnp.where(sight.segments[..., None, None] > 0, y_BLNH, 0)

  y_BLNH, gradients = jax.vjp(attend, q_BLNH, k_BLKH, v_BLKH)
  return y_BLNH, *gradients(pull_BLNH)


def _apart(x: Array, y: Array) -> Float[Array, '']:
  x, y = x.astype(jnp.float32).ravel(), y.astype(jnp.float32).ravel()
  return jnp.linalg.norm(x - y) / jnp.linalg.norm(x)
