"""Which texts of a batch are the same, seen by their tokens.

`Batch.query_id` and `positive_id` know queries and answers; hard negatives have
no id. Where those of all queries are contrasted with each query, one of another
query may be this one's positive, and a false negative.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int32, UInt32

from gemb import axes
from gemb.packed import positions_in_segments, take_texts
from gemb.types import PAD, Packed, Padded

# Two odd numbers for each word of a hash, so that the words are independent.
_WORDS = ((0x9E3779B1, 0x85EBCA77), (0xC2B2AE3D, 0x27D4EB2F))


def text_ids(texts: Padded | Packed) -> UInt32[Array, 'B I 2']:
  """Returns a 64-bit hash of each text's tokens; 0 where there is no text.

  Each token is hashed with its position, and these are summed: so padding adds
  nothing, and texts that share rows are told apart by sums. Among a billion
  different texts, two have the same hash with a probability of 3%.

  It knows what the model reads: the same words with another prompt are another
  text, and texts that are cut to the same tokens are one. Nothing moves between
  the shards of the batch.
  """
  words = [
    _packed(texts, a, b) if isinstance(texts, Packed) else _padded(texts, a, b)
    for a, b in _WORDS
  ]
  return axes.constrain(jnp.stack(words, axis=-1), 'batch', None, None)


def _padded(texts: Padded, a: int, b: int) -> UInt32[Array, 'B I']:
  """Returns a word of the hash of each text that has a row of its own."""

  def sums(tokens: Int32[Array, '*T L']) -> UInt32[Array, '*T']:
    position = jax.lax.broadcasted_iota(
      jnp.uint32, tokens.shape, tokens.ndim - 1
    )
    return _sum(_token_hashes(tokens, position, a, b), axis=-1)

  sides = texts.query[:, None], texts.positive[:, None], texts.negatives
  return jnp.concatenate([sums(side) for side in sides], axis=1)


def _packed(texts: Packed, a: int, b: int) -> UInt32[Array, 'B I']:
  """Returns a word of the hash of each text where several share a row."""
  position_XL = positions_in_segments(texts.segments).astype(jnp.uint32)
  hashes_XL = _token_hashes(texts.tokens, position_XL, a, b)

  def sums(segment: Int32[Array, '']) -> UInt32[Array, 'X']:
    return _sum(jnp.where(texts.segments == segment, hashes_XL, 0), axis=1)

  # One slot after another: XLA would keep the masks of all at once.
  sum_SX = jax.lax.map(sums, jnp.arange(1, texts.slots + 1, dtype=jnp.int32))
  return jnp.where(texts.place < 0, 0, take_texts(sum_SX.T, texts))


def _token_hashes(
  tokens: Int32[Array, '*T L'], position: UInt32[Array, '*T L'], a: int, b: int
) -> UInt32[Array, '*T L']:
  """Returns a word for each token at its position; 0 on padding."""
  hashed = _mix(tokens.astype(jnp.uint32) * jnp.uint32(a))
  hashed = _mix(hashed + position * jnp.uint32(b))
  return jnp.where(tokens == PAD, 0, hashed)


def _mix(x: UInt32[Array, '*T L']) -> UInt32[Array, '*T L']:
  """Scatters 32 bits (the finaliser of MurmurHash3); overflow is meant."""
  x = (x ^ (x >> 16)) * jnp.uint32(0x85EBCA6B)
  x = (x ^ (x >> 13)) * jnp.uint32(0xC2B2AE35)
  return x ^ (x >> 16)


def _sum(x: UInt32[Array, '...'], axis: int) -> UInt32[Array, '...']:
  # Left to itself, it would become one of 64 bits where these are enabled.
  return jnp.sum(x, axis=axis, dtype=jnp.uint32)
