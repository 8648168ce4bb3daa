"""Attention by cuDNN's kernel on NVIDIA GPUs.

Not run anywhere yet: gemb's tests have no GPU. They hold the same call of JAX,
computed by XLA, to the definition.
"""

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gemb import axes
from gemb.model.attention.sight import Sight


def refusal(
  q_BLNH: Float[Array, 'B L N H'], softcap: float | None
) -> str | None:
  """Returns why the kernel cannot serve these queries; None: it can.

  Args:
    q_BLNH: queries.
    softcap: of the logits.
  """
  _, L, _, H = q_BLNH.shape
  if axes.platform() != 'gpu':
    return f'the kernel is for NVIDIA GPUs, and this is a {axes.platform()}'
  if softcap is not None:
    return f'it has no softcap, and EncoderConfig.attention_softcap={softcap}'
  if q_BLNH.dtype != jnp.bfloat16:
    return f"it is for EncoderConfig.dtype='bfloat16', not {q_BLNH.dtype}"
  takes = range(8, _widest_head() + 1, 8)
  if H not in takes:
    return f'heads have {H} dimensions, and it takes 8, 16, ... {takes[-1]}'
  if L % 2:
    return f'rows have {L} tokens, an odd number'
  return None


def attend(
  q_BLNH: Float[Array, 'B L N H'],
  k_BLKH: Float[Array, 'B L K H'],
  v_BLKH: Float[Array, 'B L K H'],
  sight: Sight,
  *,
  implementation: Literal['cudnn', 'xla'] = 'cudnn',
) -> Float[Array, 'B L N H']:
  """Returns what `xla.attend` does, but on padding, which means nothing.

  Args:
    q_BLNH: queries, scaled.
    k_BLKH: keys.
    v_BLKH: values; as many heads as the mesh splits `act_heads` into, or a
      multiple.
    sight: of this layer.
    implementation: of JAX's function; 'xla' for tests without a GPU.
  """
  # Padding is one more text here, so that every token sees one: what the
  # kernel makes of a row without any is not documented.
  full = dataclasses.replace(sight, segments=sight.segments + 1)
  return jax.nn.dot_product_attention(
    q_BLNH,
    k_BLKH,
    v_BLKH,
    mask=full.mask()[:, None],
    scale=1.0,
    implementation=implementation,
  )


def _widest_head() -> int:
  """Returns JAX's limit: 256 from Hopper on, 128 before."""
  capability = getattr(jax.devices()[0], 'compute_capability', '0.0')
  return 256 if float(capability) >= 9 else 128
