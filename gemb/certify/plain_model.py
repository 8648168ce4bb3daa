"""The model once more, as plain as its definition, in float64.

Text by text, layer by layer: no scan, no packing, no mesh, no attention
kernel, and nothing of gemb.model but its numbers. So whatever these do wrong
is seen.

Sources: Gemini Embedding (arXiv:2503.07891), section 3.1, and Gemma 1 to 3
(arXiv:2403.08295, arXiv:2408.00118, arXiv:2503.19786), section 2 of each.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from gemb.model.config import EmbedderConfig, EncoderConfig
from gemb.types import PAD, Embeddings


def embed_batch(
  config: EmbedderConfig, params: Any, tokens_BIL: Int32[Array, 'B I L']
) -> Embeddings:
  """Embeds query, positive and hard negatives, each text alone.

  In the parameters' precision.
  """

  def embed(tokens_L: Array) -> Array:
    return embed_text(config, params, tokens_L)

  x_IBE = jax.vmap(jax.vmap(embed), in_axes=1)(tokens_BIL)
  return Embeddings(query=x_IBE[0], positive=x_IBE[1], negatives=x_IBE[2:])


def embed_text(
  config: EmbedderConfig, params: Any, tokens_L: Int32[Array, 'L']
) -> Float[Array, 'E']:
  """Returns the projected mean of the last layer's vectors."""
  c, weights = config.encoder, params['encoder']
  real_L = tokens_L != PAD
  x_LD = weights['table'][tokens_L] * c.width**0.5
  for layer in range(c.layers):
    block = jax.tree.map(lambda leaf, i=layer: leaf[i], weights['blocks'])
    sees_LL = _sees(config, real_L, is_global=c.is_global(layer))
    x_LD = _block(c, block, x_LD, sees_LL, is_global=c.is_global(layer))
  x_LD = _norm(c, weights['final_norm'], x_LD)
  count = jnp.maximum(real_L.sum(), 1)
  if config.pooling == 'mean':
    pooled_D = jnp.where(real_L[:, None], x_LD, 0).sum(axis=0) / count
  else:
    pooled_D = x_LD[0 if config.pooling == 'first' else count - 1]
  return pooled_D @ params['projection']['kernel']


def _sees(
  config: EmbedderConfig, real_L: Bool[Array, 'L'], *, is_global: bool
) -> Bool[Array, 'L L']:
  """Returns which tokens (columns) each token sees on a layer."""
  radius, position_L = config.encoder.local_radius, jnp.arange(len(real_L))
  offset_LL = position_L[None] - position_L[:, None]
  if config.causal:
    near_LL = (offset_LL <= 0) & (is_global | (offset_LL > -2 * radius))
  else:
    near_LL = is_global | (jnp.abs(offset_LL) <= radius)
  return real_L[None] & near_LL


def _block(
  c: EncoderConfig,
  weights: Any,
  x_LD: Float[Array, 'L D'],
  sees_LL: Bool[Array, 'L L'],
  *,
  is_global: bool,
) -> Float[Array, 'L D']:
  def norm(name: str, x: Array) -> Array:
    return _norm(c, weights[name], x) if name in weights else x

  y_LD = _attention(
    c,
    weights['attention'],
    norm('pre_attention', x_LD),
    sees_LL,
    is_global=is_global,
  )
  x_LD = x_LD + norm('post_attention', y_LD)
  into_LD = norm('pre_mlp', x_LD)
  gate, up, down = (
    weights['mlp'][name]['kernel'] for name in ('gate', 'up', 'down')
  )
  y_LD = (jax.nn.gelu(into_LD @ gate, approximate=True) * (into_LD @ up)) @ down
  return x_LD + norm('post_mlp', y_LD)


def _attention(
  c: EncoderConfig,
  weights: Any,
  x_LD: Float[Array, 'L D'],
  sees_LL: Bool[Array, 'L L'],
  *,
  is_global: bool,
) -> Float[Array, 'L D']:
  """Attention whose rotations are products of complex numbers.

  RoFormer (arXiv:2104.09864), equation 16, in Gemma's half-split layout.
  """

  def project(name: str) -> Array:
    y_LNH = jnp.einsum('LD,DNH->LNH', x_LD, weights[name]['kernel'])
    norm = weights.get(f'{name}_norm')
    return y_LNH if norm is None else _norm(c, norm, y_LNH)

  def turn(y_LNH: Array) -> Array:
    y_LNH = jax.lax.complex(y_LNH[..., :half], y_LNH[..., half:])
    return jnp.einsum('LNH,LH->LNH', y_LNH, turn_LH)

  scale = c.global_rope_scale if is_global else 1
  theta = c.global_rope_theta if is_global else c.local_rope_theta
  half, position_L = c.head_dim // 2, jnp.arange(len(x_LD))
  frequency_H = theta ** -(jnp.arange(half) / half)
  turn_LH = jnp.exp(1j * jnp.outer(position_L / scale, frequency_H))
  group = c.heads // c.kv_heads
  q_LNH, k_LKH = turn(project('q')), turn(project('k'))
  k_LNH, v_LNH = (jnp.repeat(y, group, axis=1) for y in (k_LKH, project('v')))
  logits_NLL = jnp.einsum('LNH,SNH->NLS', q_LNH, k_LNH.conj()).real
  logits_NLL /= (c.query_scale or c.head_dim) ** 0.5
  if c.attention_softcap:
    cap = c.attention_softcap
    logits_NLL = cap * jnp.tanh(logits_NLL / cap)
  logits_NLL = jnp.where(sees_LL[None], logits_NLL, -1e30)
  mixed_LNH = jnp.einsum('NLS,SNH->LNH', jax.nn.softmax(logits_NLL), v_LNH)
  return jnp.einsum('LNH,NHD->LD', mixed_LNH, weights['out']['kernel'])


def _norm(
  c: EncoderConfig, weights: Any, x: Float[Array, '*b D']
) -> Float[Array, '*b D']:
  square = jnp.mean(x**2, axis=-1, keepdims=True)
  y = x / jnp.sqrt(square + c.norm_epsilon)
  return jnp.einsum('...D,D->...D', y, 1 + weights['scale'])
