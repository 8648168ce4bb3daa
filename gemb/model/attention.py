"""Grouped-query attention in both directions, global or within a window."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from gemb import axes
from gemb.model import layers
from gemb.model.config import EncoderConfig


def visible(
  positions_BL: Int32[Array, 'B L'],
  real_BL: Bool[Array, 'B L'],
  radius: Int32[Array, ''],
) -> Bool[Array, 'B L L']:
  """Returns which token (last axis) each token (middle axis) may see.

  A real token within `radius` positions on either side; padding is seen by
  none. There is no causal term: this is what makes the decoder an encoder.
  """
  distance_BLL = jnp.abs(positions_BL[:, :, None] - positions_BL[:, None, :])
  return (distance_BLL <= radius) & real_BL[:, None, :]


def attend(
  q_BLNH: Float[Array, 'B L N H'],
  k_BLKH: Float[Array, 'B L K H'],
  v_BLKH: Float[Array, 'B L K H'],
  visible_BLL: Bool[Array, 'B L L'],
) -> Float[Array, 'B L N H']:
  """Softmax attention; each key head serves N / K query heads.

  Logits and softmax are float32. A token that sees nothing (all padding)
  attends evenly instead of dividing by zero.
  """
  B, L, N, H = q_BLNH.shape
  q_BLKGH = q_BLNH.reshape(B, L, k_BLKH.shape[2], -1, H)
  logits_BKGLL = jnp.einsum(
    'BLKGH,BSKH->BKGLS', q_BLKGH, k_BLKH, preferred_element_type=jnp.float32
  )
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
  ) -> Float[Array, 'B L D']:
    """Mixes the tokens; `theta` is the base of the rotary embedding."""
    c = self.config

    def project(name: str, heads: int, axis: str):
      shape = (c.width, heads, c.head_dim)
      return layers.Einsum(
        'BLD,DNH->BLNH', shape, ('embed', axis, 'head_dim'), (0,), name=name
      )(x_BLD)

    def norm(name: str, x: Array) -> Array:
      return layers.RMSNorm(c.norm_epsilon, 'head_dim', name=name)(x)

    q_BLNH = norm('q_norm', project('q', c.heads, 'heads'))
    k_BLKH = norm('k_norm', project('k', c.kv_heads, 'kv_heads'))
    v_BLKH = project('v', c.kv_heads, 'kv_heads')
    q_BLNH = layers.rotate(q_BLNH, positions_BL, theta)
    k_BLKH = layers.rotate(k_BLKH, positions_BL, theta)
    q_BLNH *= (c.query_scale or c.head_dim) ** -0.5
    out_BLNH = attend(q_BLNH, k_BLKH, v_BLKH, visible_BLL)
    out_BLNH = axes.constrain(out_BLNH, 'batch', 'length', 'act_heads', None)
    return layers.Einsum(
      'BLNH,NHD->BLD',
      (c.heads, c.head_dim, c.width),
      ('heads', 'head_dim', 'embed'),
      (0, 1),
      name='out',
    )(out_BLNH)
