"""Grouped-query attention, global or within a window, in both directions."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from gemb import axes
from gemb.model import layers
from gemb.model.config import EncoderConfig


def visible(
  positions_BL: Int32[Array, 'B L'],
  segments_BL: Int32[Array, 'B L'],
  radius: Int32[Array, ''],
  *,
  causal: bool = False,
) -> Bool[Array, 'B L L']:
  """Returns which token (last axis) each token (middle axis) may see.

  A token of the same text within `radius` positions on either side, which is
  what makes the decoder an encoder; in causal mode one of the 2 * radius
  latest, itself among them. Padding, segment 0, is seen by none.
  """
  back_BLL = positions_BL[:, :, None] - positions_BL[:, None, :]
  if causal:
    near_BLL = (back_BLL >= 0) & (back_BLL < 2 * radius)
  else:
    near_BLL = jnp.abs(back_BLL) <= radius
  same_BLL = segments_BL[:, :, None] == segments_BL[:, None, :]
  return near_BLL & same_BLL & (segments_BL > 0)[:, None, :]


def attend(
  q_BLNH: Float[Array, 'B L N H'],
  k_BLKH: Float[Array, 'B L K H'],
  v_BLKH: Float[Array, 'B L K H'],
  visible_BLL: Bool[Array, 'B L L'],
  softcap: float | None = None,
) -> Float[Array, 'B L N H']:
  """Softmax attention; each key head serves N / K query heads.

  Logits and softmax are float32. A token that sees nothing (padding)
  attends evenly instead of dividing by zero.

  Args:
    q_BLNH: queries, scaled.
    k_BLKH: keys.
    v_BLKH: values.
    visible_BLL: which token each may see.
    softcap: of the logits (`layers.softcap`).
  """
  B, L, N, H = q_BLNH.shape
  q_BLKGH = q_BLNH.reshape(B, L, k_BLKH.shape[2], -1, H)
  logits_BKGLL = jnp.einsum(
    'BLKGH,BSKH->BKGLS', q_BLKGH, k_BLKH, preferred_element_type=jnp.float32
  )
  logits_BKGLL = layers.softcap(logits_BKGLL, softcap)
  # Finite, so that a row without any visible token has no NaN in its gradient.
  logits_BKGLL = jnp.where(visible_BLL[:, None, None], logits_BKGLL, -1e30)
  weights_BKGLL = jax.nn.softmax(logits_BKGLL, axis=-1).astype(v_BLKH.dtype)
  return jnp.einsum('BKGLS,BSKH->BLKGH', weights_BKGLL, v_BLKH).reshape(
    B, L, N, H
  )


class Attention(nn.Module):
  """Projections, q/k norm and rotary positions round `attend`."""

  config: EncoderConfig

  @nn.compact
  def __call__(
    self,
    x_BLD: Float[Array, 'B L D'],
    positions_BL: Int32[Array, 'B L'],
    visible_BLL: Bool[Array, 'B L L'],
    theta: Float[Array, ''],
    scale: Float[Array, ''],
  ) -> Float[Array, 'B L D']:
    """Mixes the tokens; `theta` and `scale` are those of `layers.rotate`."""
    c = self.config

    def project(name: str, heads: int, axis: str):
      shape = (c.width, heads, c.head_dim)
      return layers.Einsum(
        'BLD,DNH->BLNH', shape, ('embed', axis, 'head_dim'), (0,), name=name
      )(x_BLD)

    def norm(name: str, x: Array) -> Array:
      return layers.RMSNorm(c.norm_epsilon, 'head_dim', name=name)(x)

    q_BLNH = project('q', c.heads, 'heads')
    k_BLKH = project('k', c.kv_heads, 'kv_heads')
    v_BLKH = project('v', c.kv_heads, 'kv_heads')
    if c.qk_norm:
      q_BLNH, k_BLKH = norm('q_norm', q_BLNH), norm('k_norm', k_BLKH)
    q_BLNH = layers.rotate(q_BLNH, positions_BL, theta, scale)
    k_BLKH = layers.rotate(k_BLKH, positions_BL, theta, scale)
    q_BLNH *= (c.query_scale or c.head_dim) ** -0.5
    out_BLNH = attend(q_BLNH, k_BLKH, v_BLKH, visible_BLL, c.attention_softcap)
    out_BLNH = axes.constrain(out_BLNH, 'batch', 'length', 'act_heads', None)
    return layers.Einsum(
      'BLNH,NHD->BLD',
      (c.heads, c.head_dim, c.width),
      ('heads', 'head_dim', 'embed'),
      (0, 1),
      name='out',
    )(out_BLNH)
