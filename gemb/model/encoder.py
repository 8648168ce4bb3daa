"""The transformer M: tokens to vectors, one for each token."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from gemb import axes
from gemb.model import attention, layers
from gemb.model.config import EncoderConfig


class Block(nn.Module):
  """Attention and feed-forward, each normalised before and after (Gemma 3)."""

  config: EncoderConfig

  @nn.compact
  def __call__(
    self,
    x_BLD: Float[Array, 'B L D'],
    kind: tuple[Int32[Array, ''], Float[Array, '']],
    positions_BL: Int32[Array, 'B L'],
    real_BL: Bool[Array, 'B L'],
  ) -> tuple[Float[Array, 'B L D'], None]:
    """Returns the next residual stream; `kind` is the layer's radius, theta."""
    radius, theta = kind

    def norm(name: str, x: Array, gain: float = 1.0) -> Array:
      epsilon = self.config.norm_epsilon
      return layers.RMSNorm(epsilon, gain=gain, name=name)(x)

    visible_BLL = attention.visible(positions_BL, real_BL, radius)
    y_BLD = attention.Attention(self.config, name='attention')(
      norm('pre_attention', x_BLD), positions_BL, visible_BLL, theta
    )
    x_BLD += norm('post_attention', y_BLD, self.config.branch_gain)
    y_BLD = layers.GatedMLP(self.config.mlp_width, name='mlp')(
      norm('pre_mlp', x_BLD)
    )
    x_BLD += norm('post_mlp', y_BLD, self.config.branch_gain)
    return axes.constrain(x_BLD, 'batch', 'length', 'act_embed'), None


class Encoder(nn.Module):
  """Embedding table, the scanned stack of blocks, and a last norm."""

  config: EncoderConfig

  @nn.compact
  def __call__(
    self, tokens_BL: Int32[Array, 'B L'], real_BL: Bool[Array, 'B L']
  ) -> Float[Array, 'B L D']:
    """Encodes right-padded texts; `real_BL` is False on padding."""
    c = self.config
    table_VD = layers.parameter(
      self,
      'table',
      nn.initializers.normal(c.width**-0.5),
      (c.vocabulary, c.width),
      ('vocab', 'embed'),
    )
    # Gathered over fsdp before the lookup, as every other weight is before its
    # product: the partitioner would replicate the looked-up vectors instead.
    table_VD = axes.constrain(table_VD, 'vocab', None)
    x_BLD = table_VD[tokens_BL].astype(c.dtype)
    # Gemma rounds the factor to the activations' dtype; so must a loader of
    # its weights.
    x_BLD *= jnp.sqrt(jnp.float32(c.width)).astype(c.dtype)
    x_BLD = axes.constrain(x_BLD, 'batch', 'length', 'act_embed')
    B, L = tokens_BL.shape
    positions_BL = jnp.broadcast_to(jnp.arange(L, dtype=jnp.int32), (B, L))
    # One traced block for all layers: compile time does not grow with depth.
    # Local and global layers differ in two scanned numbers only.
    blocks = nn.scan(
      Block,
      variable_axes={'params': 0},
      split_rngs={'params': True},
      in_axes=(0, nn.broadcast, nn.broadcast),
      length=c.layers,
      metadata_params={nn.PARTITION_NAME: 'layers'},
    )(c, name='blocks')
    x_BLD, _ = blocks(x_BLD, _kinds(c, L), positions_BL, real_BL)
    return layers.RMSNorm(c.norm_epsilon, name='final_norm')(x_BLD)


def _kinds(c: EncoderConfig, length: int) -> tuple[jax.Array, jax.Array]:
  """Returns each layer's attention radius and rotary base."""
  is_global = [c.is_global(i) for i in range(c.layers)]
  radius = [length if g else c.local_radius for g in is_global]
  theta = [c.global_rope_theta if g else c.local_rope_theta for g in is_global]
  return jnp.array(radius, jnp.int32), jnp.array(theta, jnp.float32)
