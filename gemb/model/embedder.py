"""The paper's model on one screen: E = f(P(M(T))).

Source: Gemini Embedding (arXiv:2503.07891), section 3.1. M is a bidirectional
transformer, P the mean over tokens, f one linear map. (Other P and a causal M
are there to be compared.) This is also the narrow door to Flax: the rest of
gemb sees the functions of an `Embedder`.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32

from gemb import axes
from gemb.model import layers
from gemb.model.config import ComputeConfig, EmbedderConfig
from gemb.model.encoder import Encoder
from gemb.types import PAD

Params = Any  # nested dicts of float32 arrays


class EmbedderModule(nn.Module):
  """Texts to embeddings, not yet normalised: prefixes are, by their users."""

  config: EmbedderConfig
  compute: ComputeConfig = ComputeConfig()

  def setup(self):
    """Declares M and f; P has no parameters."""
    c = self.config
    self.encoder = Encoder(c.encoder, self.compute, causal=c.causal)
    self.projection = layers.Einsum(
      'TD,DE->TE',
      (c.encoder.width, c.embedding_width),
      ('embed', 'embedding'),
      (0,),
    )

  def __call__(self, tokens_TL: Int32[Array, 'T L']) -> Float[Array, 'T E']:
    """Embeds padded texts; float32 whatever the encoder's dtype."""
    x_TLD = self.token_vectors(tokens_TL)
    pooled_T1D = self._pool(x_TLD, one_segment(tokens_TL), slots=1)
    embedding_TE = self.projection(pooled_T1D[:, 0])
    return axes.constrain(embedding_TE, 'batch', 'act_embedding')

  def packed(
    self,
    tokens_XL: Int32[Array, 'X L'],
    segments_XL: Int32[Array, 'X L'],
    slots: int,
  ) -> Float[Array, 'X S E']:
    """Embeds the texts that share rows; 0 in slots that none is in."""
    x_XLD = self.encoder(tokens_XL, segments_XL)
    pooled_XSD = self._pool(x_XLD, segments_XL, slots=slots)
    X, S, D = pooled_XSD.shape
    embedding_TE = self.projection(pooled_XSD.reshape(X * S, D))
    embedding_XSE = embedding_TE.reshape(X, S, -1)
    return axes.constrain(embedding_XSE, 'batch', None, 'act_embedding')

  def token_vectors(
    self, tokens_TL: Int32[Array, 'T L']
  ) -> Float[Array, 'T L D']:
    """Returns M(T), the last hidden state; on padding it means nothing."""
    return self.encoder(tokens_TL, one_segment(tokens_TL))

  def _pool(self, x_XLD: Array, segments_XL: Array, *, slots: int) -> Array:
    if self.config.pooling == 'mean':
      return mean_pool(x_XLD, segments_XL, slots=slots)
    last = self.config.pooling == 'last'
    return end_pool(x_XLD, segments_XL, slots=slots, last=last)


def one_segment(tokens_TL: Int32[Array, 'T L']) -> Int32[Array, 'T L']:
  """Returns the segments of rows that hold a text each."""
  return (tokens_TL != PAD).astype(jnp.int32)


def mean_pool(
  x_XLD: Float[Array, 'X L D'], segments_XL: Int32[Array, 'X L'], *, slots: int
) -> Float[Array, 'X S D']:
  """Averages the vectors of each text's tokens in float32; 0 without any."""
  # Padding is segment -1 here, which one_hot gives to no slot.
  weight_XLS = jax.nn.one_hot(segments_XL - 1, slots, dtype=jnp.float32)
  count_X1S = jnp.maximum(weight_XLS.sum(axis=1, keepdims=True), 1)
  return jnp.einsum(
    'XLD,XLS->XSD', x_XLD.astype(jnp.float32), weight_XLS / count_X1S
  )


def end_pool(
  x_XLD: Float[Array, 'X L D'],
  segments_XL: Int32[Array, 'X L'],
  *,
  slots: int,
  last: bool,
) -> Float[Array, 'X S D']:
  """Takes the vector of each text's first or last token; 0 without any."""
  if last:
    beside_XL = jnp.pad(segments_XL[:, 1:], ((0, 0), (0, 1)))
  else:
    beside_XL = jnp.pad(segments_XL[:, :-1], ((0, 0), (1, 0)))
  weight_XLS = jax.nn.one_hot(segments_XL - 1, slots, dtype=jnp.float32)
  weight_XLS *= (segments_XL != beside_XL)[..., None]
  return jnp.einsum('XLD,XLS->XSD', x_XLD.astype(jnp.float32), weight_XLS)


@dataclasses.dataclass(frozen=True)
class Embedder:
  """An embedding model as pure functions over plain nested dicts.

  Attributes:
    config: what the parameters' shapes depend on.
    init: key -> parameters, float32.
    apply: (parameters, tokens [T, L]) -> embeddings [T, E], float32.
    apply_packed: (parameters, tokens [X, L], segments [X, L], S) -> embeddings
      [X, S, E], float32: those of `apply`, of texts that share rows.
    token_vectors: (parameters, tokens [T, L]) -> M's vectors [T, L, D].
    logical_axes: the parameters' tree, with a tuple of axis names a leaf.
  """

  config: EmbedderConfig
  init: Callable[[jax.Array], Params]
  apply: Callable[[Params, Array], Array]
  apply_packed: Callable[[Params, Array, Array, int], Array]
  token_vectors: Callable[[Params, Array], Array]
  logical_axes: Any


def make_embedder(
  config: EmbedderConfig, compute: ComputeConfig = ComputeConfig()
) -> Embedder:
  """Builds the model's functions; computes nothing.

  Args:
    config: what the parameters depend on.
    compute: how to compute; for training and encoding, that of `Run.compute`.
  """
  module = EmbedderModule(config, compute)

  def boxed(key: jax.Array):
    # A text of one token, which some kernels could not serve.
    plain = EmbedderModule(config, ComputeConfig(attention='xla'))
    return plain.init(key, jnp.ones((1, 1), jnp.int32))['params']

  def init(key: jax.Array) -> Params:
    return nn.unbox(boxed(key))

  def apply(params: Params, tokens_TL: Array) -> Array:
    return cast(Array, module.apply({'params': params}, tokens_TL))

  def apply_packed(
    params: Params, tokens_XL: Array, segments_XL: Array, slots: int
  ) -> Array:
    variables, packed = {'params': params}, EmbedderModule.packed
    embedding_XSE = module.apply(
      variables, tokens_XL, segments_XL, slots, method=packed
    )
    return cast(Array, embedding_XSE)

  def token_vectors(params: Params, tokens_TL: Array) -> Array:
    x_TLD = module.apply(
      {'params': params}, tokens_TL, method=EmbedderModule.token_vectors
    )
    return cast(Array, x_TLD)

  specs = nn.get_partition_spec(jax.eval_shape(boxed, jax.random.key(0)))
  names = jax.tree.map(
    tuple, specs, is_leaf=lambda x: isinstance(x, jax.sharding.PartitionSpec)
  )
  return Embedder(config, init, apply, apply_packed, token_vectors, names)
