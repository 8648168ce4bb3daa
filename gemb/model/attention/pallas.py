"""Attention by a TPU kernel: the splash attention that JAX ships.

It goes through a row block by block and keeps a sum and a maximum for each
query (FlashAttention, arXiv:2205.14135), so that the logits of a row are never
in memory, neither in the forward nor in its own backward pass; blocks that a
window hides are skipped.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
from jax.experimental.pallas.ops.tpu import splash_attention as splash
from jaxtyping import Array, Bool, Float, Int32

from gemb import axes
from gemb.model.attention.sight import Sight
from gemb.model.config import PALLAS_BLOCK

# The name of what the kernel's backward pass needs of its forward pass: where
# that is kept, the kernel does not run twice.
KEPT = 'attention'

# Tokens; the logits of larger ones would not fit into a core's fast memory.
_BLOCKS = tuple(PALLAS_BLOCK * times for times in (4, 3, 2, 1))


def refusal(
  q_BLNH: Float[Array, 'B L N H'], softcap: float | None
) -> str | None:
  """Returns why the kernel cannot serve these queries; None: it can.

  Args:
    q_BLNH: queries.
    softcap: of the logits; any will do.
  """
  del softcap  # which cuDNN's must know
  B, L, _, H = q_BLNH.shape
  if axes.platform() == 'gpu':
    return 'the kernel is for TPUs (and for tests on CPUs)'
  if L % PALLAS_BLOCK:
    return f'rows have {L} tokens, which is no multiple of {PALLAS_BLOCK}'
  if H % 64 or H > 256:
    return f'heads have {H} dimensions, which is not 64, 128, 192 or 256'
  layout = axes.layout_in_use()
  if layout and B % layout.shards('batch'):
    return f'{B} rows do not divide into {layout.shards("batch")} shards'
  return None


def attend(
  q_BLNH: Float[Array, 'B L N H'],
  k_BLKH: Float[Array, 'B L K H'],
  v_BLKH: Float[Array, 'B L K H'],
  sight: Sight,
  softcap: float | None = None,
) -> Float[Array, 'B L N H']:
  """Returns what `xla.attend` does, but on padding, which means nothing.

  The tokens of a text must stand side by side, since the kernel takes their
  places in the row for positions. Each device computes its own rows and heads.

  Args:
    q_BLNH: queries, scaled.
    k_BLKH: keys.
    v_BLKH: values; as many heads as the mesh splits `act_heads` into, or a
      multiple.
    sight: of this layer.
    softcap: of the logits (`layers.softcap`).
  """
  attend = functools.partial(_attend, sight=sight, softcap=softcap)
  layout = axes.layout_in_use()
  if layout is not None:
    spec = layout.rules.spec('batch', None, 'act_heads', None)
    rows, scalar = layout.rules.spec('batch', None), layout.rules.spec()
    attend = jax.shard_map(
      attend,
      mesh=layout.mesh,
      in_specs=(spec, spec, spec, rows, scalar),
      out_specs=spec,
      check_vma=False,  # which the kernel's outputs do not tell
    )
  return attend(q_BLNH, k_BLKH, v_BLKH, sight.segments, sight.is_global)


def _attend(
  q_BLNH: Array,
  k_BLKH: Array,
  v_BLKH: Array,
  segments_BL: Int32[Array, 'B L'],
  is_global: Bool[Array, ''],
  *,
  sight: Sight,
  softcap: float | None,
) -> Array:
  """Attention on one device; of `sight`, what is static alone."""
  _, L, N, _ = q_BLNH.shape

  def by(kernel: Callable[..., Any]) -> Callable[..., Array]:
    return jax.vmap(
      lambda q, k, v, segments: kernel(
        q, k, v, splash.SegmentIds(segments, segments)
      )
    )

  whole = by(_kernel(L, N, _whole(L, sight.causal), softcap))
  heads_first = (x.swapaxes(1, 2) for x in (q_BLNH, k_BLKH, v_BLKH))
  operands = (*heads_first, segments_BL)
  if not sight.hides_some:
    return whole(*operands).swapaxes(1, 2)
  window = splash.LocalMask((L, L), sight.window, offset=0)
  local = by(_kernel(L, N, window, softcap))
  return jax.lax.cond(is_global, whole, local, *operands).swapaxes(1, 2)


def _whole(length: int, causal: bool) -> splash.Mask:
  shape = (length, length)
  return splash.CausalMask(shape) if causal else splash.FullMask(shape)


def _kernel(
  length: int, heads: int, mask: splash.Mask, softcap: float | None
) -> Callable[..., Any]:
  """Returns (q [N, L, H], k [K, L, H], v, segments) -> out [N, L, H]."""
  block = next(size for size in _BLOCKS if length % size == 0)
  return splash.make_splash_mha(
    splash.MultiHeadMask([mask] * heads),
    block_sizes=splash.BlockSizes(
      block_q=block,
      block_kv=block,
      block_q_dkv=block,
      block_kv_dkv=block,
      use_fused_bwd_kernel=True,
    ),
    head_shards=1,
    q_seq_shards=1,
    attn_logits_soft_cap=softcap,
    residual_checkpoint_name=KEPT,
    interpret=axes.platform() != 'tpu',
  )
