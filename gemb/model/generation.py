"""What a decoder says next, token by token, reading each token once.

The keys and values of tokens that were read are kept. Prompts are padded behind
their last token: what is written goes to slots behind the padding, which no
token sees, and has the positions that it would have without.
"""

import dataclasses
import typing
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32, UInt32

from gemb import axes
from gemb.model import decoder
from gemb.model.attention.sight import Slots
from gemb.model.config import ComputeConfig, EncoderConfig
from gemb.model.embedder import Params, one_segment
from gemb.model.encoder import Encoder


# Unchecked: jax.tree.map also fills it.
@typing.no_type_check
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Reading:
  """What a decoder knows of the tokens that it has read.

  Attributes:
    cache: their keys and values in every layer.
    slots: where those are, and where the next token's go.
    vector: of each row's last token.
  """

  cache: Any
  slots: Slots
  vector: Float[Array, 'T D']


@dataclasses.dataclass(frozen=True)
class Generator:
  """A language model that goes on where a text ends; its methods are pure.

  Attributes:
    config: of the transformer.
    pieces: tokens below it are written; None: all that the table has.
    compute: how the vectors of prompts are computed.
  """

  config: EncoderConfig
  pieces: int | None = None
  compute: ComputeConfig = ComputeConfig()

  def read(
    self, params: Params, tokens_TL: Int32[Array, 'T L'], room: int
  ) -> Reading:
    """Reads prompts, right-padded; there is room for so many more tokens."""
    segments_TL = one_segment(tokens_TL)
    slots = _lay_out(segments_TL, room)
    x_TLD, cache = self._see(params, tokens_TL, segments_TL, slots, {})
    return Reading(
      cache=cache,
      slots=dataclasses.replace(slots, start=jnp.int32(tokens_TL.shape[1])),
      vector=decoder.last_vectors(x_TLD, tokens_TL),
    )

  def write(
    self,
    params: Params,
    reading: Reading,
    seed_T: UInt32[Array, 'T'],
    temperature: float,
    count: int,
  ) -> tuple[Reading, Int32[Array, 'T L']]:
    """Returns the next `count` tokens of each row, and what is then read.

    Temperature 0 takes the likeliest token; otherwise the random numbers are
    those of the row's seed and the token's position.
    """

    def write_one(reading: Reading, _):
      token_T = self._draw(params, reading, seed_T, temperature)
      return self._read_next(params, reading, token_T), token_T

    reading, tokens_LT = jax.lax.scan(write_one, reading, length=count)
    return reading, tokens_LT.T

  def choose(
    self,
    params: Params,
    reading: Reading,
    tokens_TL: Int32[Array, 'T L'],
    choices: Int32[Array, 'c'],
  ) -> Float[Array, 'T c']:
    """Returns the log-probability of each choice as the next token, in nats.

    Normalised over the choices; the head is computed for these alone.

    Args:
      params: of the embedder.
      reading: of what is before each row, the same before all: its own rows are
        equal, and may be fewer.
      tokens_TL: the rest, right-padded, at least one token.
      choices: tokens.
    """
    slots, cache = _repeat((reading.slots, reading.cache), len(tokens_TL))
    # Padding is behind the last token of its row, where nothing sees it.
    segments_TL = jnp.ones_like(tokens_TL)
    x_TLD, _ = self._see(params, tokens_TL, segments_TL, slots, cache)
    x_TD = decoder.last_vectors(x_TLD, tokens_TL)
    some_VD = _table(params)[choices]
    return jax.nn.log_softmax(decoder.head(self.config, some_VD, x_TD))

  def _see(
    self,
    params: Params,
    tokens_TL: Array,
    segments_TL: Array,
    slots: Slots,
    cache,
  ) -> tuple[Array, Any]:
    """Returns the vectors of tokens that come into the next slots."""
    module = Encoder(self.config, self.compute, causal=True)
    variables = {'params': params['encoder'], **cache}
    return module.apply(
      variables, tokens_TL, segments_TL, slots, mutable=['cache']
    )

  def _read_next(
    self, params: Params, reading: Reading, token_T: Array
  ) -> Reading:
    one_T1 = jnp.ones((len(token_T), 1), jnp.int32)
    slots = reading.slots
    x_T1D, cache = self._see(
      params, token_T[:, None], one_T1, slots, reading.cache
    )
    return Reading(
      cache=cache,
      slots=dataclasses.replace(slots, start=slots.start + 1),
      vector=x_T1D[:, 0],
    )

  def _draw(
    self, params: Params, reading: Reading, seed_T: Array, temperature: float
  ) -> Int32[Array, 'T']:
    rows = self.config.vocabulary
    logits_TV = decoder.head(self.config, _table(params), reading.vector)
    if temperature:
      slots = reading.slots
      position_T = jnp.take(slots.positions, slots.start, axis=1)
      logits_TV += temperature * _gumbel(seed_T, position_T, rows)
    known_1V = jnp.arange(rows)[None] < (self.pieces or rows)
    scores_TV = jnp.where(known_1V, logits_TV, -jnp.inf)
    return jnp.argmax(scores_TV, axis=1).astype(jnp.int32)


def _table(params: Params) -> Array:
  return axes.constrain(params['encoder']['table'], 'vocab', None)


def _lay_out(segments_TL: Int32[Array, 'T L'], room: int) -> Slots:
  """Returns the slots of prompts, and behind them those of what is written."""
  T, L = segments_TL.shape
  places_1L = jnp.arange(L, dtype=jnp.int32)[None]
  behind_1L = jnp.arange(room, dtype=jnp.int32)[None]
  length_T1 = jnp.sum(segments_TL, axis=1, keepdims=True, dtype=jnp.int32)
  return Slots(
    segments=jnp.pad(segments_TL, ((0, 0), (0, room)), constant_values=1),
    positions=jnp.concatenate(
      [jnp.broadcast_to(places_1L, (T, L)), length_T1 + behind_1L], axis=1
    ),
    start=jnp.int32(0),
  )


def _repeat(kept: tuple[Slots, Any], rows: int) -> tuple[Slots, Any]:
  """Returns what is kept of some equal rows, for as many as are wanted."""
  slots, cache = kept
  times = rows // len(slots.segments)
  return (
    dataclasses.replace(
      slots,
      segments=jnp.repeat(slots.segments, times, axis=0),
      positions=jnp.repeat(slots.positions, times, axis=0),
    ),
    # The first axis is of the layers.
    jax.tree.map(lambda x: jnp.repeat(x, times, axis=1), cache),
  )


def _gumbel(
  seed_T: UInt32[Array, 'T'], position_T: Int32[Array, 'T'], size: int
) -> Float[Array, 'T V']:
  """Returns noise by which the largest of logits is a sample of softmax."""

  def of_row(seed: Array, position: Array) -> Array:
    key = jax.random.fold_in(jax.random.key(seed), position)
    return jax.random.gumbel(key, (size,))

  return jax.vmap(of_row)(seed_T, position_T)
