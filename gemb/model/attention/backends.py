"""Which kernel computes attention: the platform's, where it can."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from gemb import axes
from gemb.model.attention import cudnn, pallas, xla
from gemb.model.attention.sight import Sight
from gemb.model.config import AttentionBackend

# Tokens of a row from which 'auto' takes the TPU's kernel: see ComputeConfig.
LONG = 1024


def attend(
  backend: AttentionBackend,
  q_BLNH: Float[Array, 'B L N H'],
  k_BLKH: Float[Array, 'B Lk K H'],
  v_BLKH: Float[Array, 'B Lk K H'],
  sight: Sight,
  softcap: float | None = None,
) -> Float[Array, 'B L N H']:
  """Returns softmax attention, equal for all backends but on padding.

  Args:
    backend: `ComputeConfig.attention`; XLA's where tokens of earlier calls are
      seen (`Sight.slots`), which no kernel serves.
    q_BLNH: queries, scaled.
    k_BLKH: keys.
    v_BLKH: values.
    sight: which token sees which.
    softcap: of the logits (`layers.softcap`).

  Raises:
    ValueError: if the backend is named and cannot serve this.
  """
  chosen = 'xla' if sight.slots else choose(backend, q_BLNH, softcap)
  if chosen == 'xla':
    return xla.attend(q_BLNH, k_BLKH, v_BLKH, sight.mask(), softcap)
  # A kernel sees its device's heads alone, so that the keys of each query head
  # must be where it is.
  q_BLNH, k_BLKH, v_BLKH = (
    axes.constrain(x, 'batch', None, 'act_heads', None)
    for x in (q_BLNH, *map(_spread, (k_BLKH, v_BLKH)))
  )
  if chosen == 'pallas':
    return pallas.attend(q_BLNH, k_BLKH, v_BLKH, sight, softcap)
  return cudnn.attend(q_BLNH, k_BLKH, v_BLKH, sight)


def choose(
  backend: AttentionBackend,
  q_BLNH: Float[Array, 'B L N H'],
  softcap: float | None = None,
) -> AttentionBackend:
  """Returns 'xla', 'pallas' or 'cudnn': the backend, or what 'auto' takes.

  Raises:
    ValueError: if the backend is named and cannot serve these queries.
  """
  if backend == 'xla':
    return 'xla'
  if backend == 'auto':
    return _best(q_BLNH, softcap)
  kernel = {'pallas': pallas, 'cudnn': cudnn}[backend]
  if why := kernel.refusal(q_BLNH, softcap):
    raise ValueError(
      f'ComputeConfig.attention={backend!r} cannot serve queries of shape '
      f"{q_BLNH.shape}: {why}. Set it to 'auto', which takes XLA where a "
      'kernel cannot.'
    )
  return backend


def _best(
  q_BLNH: Float[Array, 'B L N H'], softcap: float | None
) -> AttentionBackend:
  platform, length = axes.platform(), q_BLNH.shape[1]
  if platform == 'tpu' and length >= LONG:
    return 'xla' if pallas.refusal(q_BLNH, softcap) else 'pallas'
  if platform == 'gpu':
    return 'xla' if cudnn.refusal(q_BLNH, softcap) else 'cudnn'
  return 'xla'


def _spread(x_BLKH: Array) -> Array:
  """Repeats key heads until the mesh can split them as it does query heads."""
  layout = axes.layout_in_use()
  shards = layout.shards('act_heads') if layout else 1
  times = shards // math.gcd(shards, x_BLKH.shape[2])
  return jnp.repeat(x_BLKH, times, axis=2) if times > 1 else x_BLKH
