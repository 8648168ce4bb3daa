"""The attention layer: projections, q/k norm and rotary positions."""

import flax.linen as nn
from jaxtyping import Array, Float

from gemb import axes
from gemb.model import layers
from gemb.model.attention import backends
from gemb.model.attention.sight import Sight
from gemb.model.config import ComputeConfig, EncoderConfig


class Attention(nn.Module):
  """Mixes the tokens of each text; each key head serves N / K query heads."""

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
