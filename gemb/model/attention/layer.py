"""The attention layer: projections, q/k norm and rotary positions."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gemb import axes
from gemb.model import layers
from gemb.model.attention import backends
from gemb.model.attention.sight import Sight, Slots
from gemb.model.config import ComputeConfig, EncoderConfig


class Attention(nn.Module):
  """Mixes the tokens of each text; each key head serves N / K query heads.

  With `Sight.slots`, keys and values are put into the collection 'cache', and
  those of earlier calls are seen.
  """

  config: EncoderConfig
  compute: ComputeConfig = ComputeConfig()

  @nn.compact
  def __call__(
    self,
    x_BLD: Float[Array, 'B L D'],
    sight: Sight,
    theta: Float[Array, ''],
    scale: Float[Array, ''],
  ) -> Float[Array, 'B L D']:
    """Applies the layer; `theta` and `scale` are those of `layers.rotate`."""
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
    q_BLNH = layers.rotate(q_BLNH, sight.positions, theta, scale)
    k_BLKH = layers.rotate(k_BLKH, sight.positions, theta, scale)
    if sight.slots is not None:
      k_BLKH = self._keep('keys', k_BLKH, sight.slots)
      v_BLKH = self._keep('values', v_BLKH, sight.slots)
    q_BLNH *= (c.query_scale or c.head_dim) ** -0.5
    out_BLNH = backends.attend(
      self.compute.attention, q_BLNH, k_BLKH, v_BLKH, sight, c.attention_softcap
    )
    out_BLNH = axes.constrain(out_BLNH, 'batch', 'length', 'act_heads', None)
    return layers.Einsum(
      'BLNH,NHD->BLD',
      (c.heads, c.head_dim, c.width),
      ('heads', 'head_dim', 'embed'),
      (0, 1),
      name='out',
    )(out_BLNH)

  def _keep(
    self, name: str, x_BLKH: Float[Array, 'B L K H'], slots: Slots
  ) -> Float[Array, 'B Lk K H']:
    """Puts the tokens' keys or values into their slots; returns all slots."""
    B, _, K, H = x_BLKH.shape
    shape = (B, slots.segments.shape[1], K, H)
    kept = self.variable('cache', name, jnp.zeros, shape, x_BLKH.dtype)
    all_BLKH = jax.lax.dynamic_update_slice_in_dim(
      kept.value, x_BLKH, slots.start, axis=1
    )
    kept.value = axes.constrain(all_BLKH, 'batch', None, 'kv_heads', None)
    return kept.value
