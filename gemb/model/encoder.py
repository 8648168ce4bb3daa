"""The transformer M: tokens to vectors, one for each token."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from gemb import axes
from gemb.model import layers
from gemb.model.attention import pallas
from gemb.model.attention.layer import Attention
from gemb.model.attention.sight import Sight, Slots
from gemb.model.config import ComputeConfig, EncoderConfig, Remat
from gemb.packed import positions_in_segments


class Kind(NamedTuple):
  """What local and global layers differ in; stacked over layers, to be scanned.

  Attributes:
    is_global: whether it sees the whole text.
    theta: base of the rotary embedding.
    scale: that its positions are divided by.
  """

  is_global: Bool[Array, '*layers']
  theta: Float[Array, '*layers']
  scale: Float[Array, '*layers']


class Block(nn.Module):
  """Attention and feed-forward, normalised before and (Gemma 2, 3) after."""

  config: EncoderConfig
  compute: ComputeConfig = ComputeConfig()
  causal: bool = False

  @nn.compact
  def __call__(
    self,
    x_BLD: Float[Array, 'B L D'],
    kind: Kind,
    positions_BL: Int32[Array, 'B L'],
    segments_BL: Int32[Array, 'B L'],
    slots: Slots | None = None,
  ) -> tuple[Float[Array, 'B L D'], None]:
    """Returns the next residual stream; `kind` is that of this layer."""
    c = self.config

    def norm(name: str, x: Array, gain: float = 1.0) -> Array:
      return layers.RMSNorm(c.norm_epsilon, gain=gain, name=name)(x)

    def join(name: str, y_BLD: Array) -> Array:
      return norm(name, y_BLD, c.branch_gain) if c.post_norms else y_BLD

    sight = Sight(
      segments=segments_BL,
      positions=positions_BL,
      is_global=kind.is_global,
      local_radius=c.local_radius,
      causal=self.causal,
      slots=slots,
    )
    y_BLD = Attention(c, self.compute, name='attention')(
      norm('pre_attention', x_BLD), sight, kind.theta, kind.scale
    )
    x_BLD += join('post_attention', y_BLD)
    y_BLD = layers.GatedMLP(c.mlp_width, name='mlp')(norm('pre_mlp', x_BLD))
    x_BLD += join('post_mlp', y_BLD)
    return axes.constrain(x_BLD, 'batch', 'length', 'act_embed'), None


class Encoder(nn.Module):
  """Embedding table, the scanned stack of blocks, and a last norm.

  Attributes:
    config: of the transformer.
    compute: how attention is computed, and what is kept for the backward pass.
    causal: whether a token sees only itself and those before it, as in the
      decoder that the parameters may come from.
  """

  config: EncoderConfig
  compute: ComputeConfig = ComputeConfig()
  causal: bool = False

  @nn.compact
  def __call__(
    self,
    tokens_BL: Int32[Array, 'B L'],
    segments_BL: Int32[Array, 'B L'],
    slots: Slots | None = None,
  ) -> Float[Array, 'B L D']:
    """Encodes rows of texts, which do not see each other.

    Args:
      tokens_BL: one text a row or several, one after another.
      segments_BL: which text of its row a token belongs to; 0 on padding.
      slots: where their keys are kept, in the collection 'cache', beside those
        of earlier calls, which they follow. None: these tokens are all.
    """
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
    if slots is None:
      positions_BL = positions_in_segments(segments_BL)
    else:
      positions_BL = jax.lax.dynamic_slice_in_dim(
        slots.positions, slots.start, tokens_BL.shape[1], axis=1
      )
    # One traced block for all layers: compile time does not grow with depth.
    # Local and global layers differ in a few scanned numbers only.
    blocks = nn.scan(
      _recomputed(Block, self.compute.remat),
      variable_axes={'params': 0, 'cache': 0},
      split_rngs={'params': True},
      in_axes=(0, nn.broadcast, nn.broadcast, nn.broadcast),
      length=c.layers,
      metadata_params={nn.PARTITION_NAME: 'layers'},
    )(c, self.compute, self.causal, name='blocks')
    x_BLD, _ = blocks(x_BLD, kinds(c), positions_BL, segments_BL, slots)
    return layers.RMSNorm(c.norm_epsilon, name='final_norm')(x_BLD)


def _recomputed(block: type[nn.Module], remat: Remat) -> type[nn.Module]:
  """Returns the block whose backward pass keeps what `remat` says."""
  if remat == 'none':
    return block
  policies = jax.checkpoint_policies
  keep = {
    'layers': policies.nothing_saveable,
    # Products with weights have no batch axes; those of attention have.
    'dots': policies.save_from_both_policies(
      policies.dots_with_no_batch_dims_saveable,
      policies.save_only_these_names(pallas.KEPT),
    ),
  }
  # Within a scan nothing can be merged with the first computation: no need to
  # prevent it, which would cost fusions.
  return nn.remat(block, policy=keep[remat], prevent_cse=False)


def kinds(c: EncoderConfig) -> Kind:
  """Returns each layer's kind."""
  is_global = [c.is_global(i) for i in range(c.layers)]
  theta = [c.global_rope_theta if g else c.local_rope_theta for g in is_global]
  scale = [c.global_rope_scale if g else 1.0 for g in is_global]
  return Kind(
    jnp.array(is_global),
    jnp.array(theta, jnp.float32),
    jnp.array(scale, jnp.float32),
  )
