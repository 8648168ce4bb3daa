"""Texts to embeddings, in order, in few shapes and with little padding."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from gemb.axes import Layout
from gemb.data.tokenizer import Tokenizer
from gemb.model.embedder import Embedder, Params
from gemb.types import PAD

# Tokens in a call on a CPU: more would not stay in its caches, fewer would not
# keep its cores busy (`tools/bench_encode --tokens`).
_CPU_TOKENS = 1024


@dataclasses.dataclass(frozen=True)
class Encoder:
  """A trained embedder together with its tokenizer.

  Attributes:
    tokenizer: that it was trained with.
    lengths: padded lengths in tokens, ascending; texts longer than the last
      are cut.
    tokens: in one call of the model, padding included, on each shard of the
      batch; a call has as many rows as that allows, at least one.
    apply: (parameters, tokens [T, L]) -> embeddings, compiled once a length.
    params: of the embedder, on the mesh.
    layout: of the mesh.
  """

  tokenizer: Tokenizer
  lengths: tuple[int, ...]
  tokens: int
  apply: Callable[[Params, Array], Array]
  params: Params
  layout: Layout

  def with_params(self, params: Params) -> 'Encoder':
    """Returns the same encoder with other parameters; compiles nothing."""
    return dataclasses.replace(self, params=params)

  def encode(
    self, texts: Sequence[str], *, between: Callable[[], None] | None = None
  ) -> Float[np.ndarray, 'X E']:
    """Returns the embedding of each text (dressed already), float32.

    Not normalised: `gemb.evals.retrieval.truncate` gives unit prefixes. Equal
    texts are embedded once.

    Args:
      texts: to embed.
      between: called before each call of the model; it may raise.
    """
    distinct = list(dict.fromkeys(texts))
    ids = [
      self.tokenizer.cut(text, self.lengths[-1])
      for text in self.tokenizer.encode(distinct)
    ]
    order = np.argsort([len(text) for text in ids], kind='stable')
    embeddings = np.zeros((len(distinct), self._width()), np.float32)

    def store(rows: slice, result: Array) -> None:
      texts = order[rows]
      embeddings[texts] = np.asarray(result)[: len(texts)]

    before = None
    for length, rows in self._calls([len(ids[i]) for i in order]):
      if between:
        between()
      result = self._embed([ids[i] for i in order[rows]], length)
      # One call late: the host pads while the devices compute.
      if before:
        store(*before)
      before = rows, result
    if before:
      store(*before)
    place = {text: row for row, text in enumerate(distinct)}
    return embeddings[[place[text] for text in texts]]

  def _calls(self, sizes: Sequence[int]) -> Iterator[tuple[int, slice]]:
    """Yields the padded length of each call and its share of sorted texts.

    The longest first, and always full: what remains for the last call, which
    is mostly padding, are the shortest.
    """
    end = len(sizes)
    while end:
      length = next(rung for rung in self.lengths if sizes[end - 1] <= rung)
      start = max(0, end - self._rows(length))
      yield length, slice(start, end)
      end = start

  def _rows(self, length: int) -> int:
    return max(1, self.tokens // length) * self.layout.shards('batch')

  def _width(self) -> int:
    length = self.lengths[0]
    tokens = np.zeros((self._rows(length), length), np.int32)
    return jax.eval_shape(self.apply, self.params, tokens).shape[1]

  def _embed(self, ids: list[list[int]], length: int) -> Array:
    tokens = np.full((self._rows(length), length), PAD, np.int32)
    for row, text in zip(tokens, ids, strict=False):
      row[: len(text)] = text
    sharding = self.layout.sharding('batch', 'length')
    embeddings = self.apply(
      self.params,
      jax.make_array_from_callback(tokens.shape, sharding, tokens.__getitem__),
    )
    # Simulated devices share one pool of threads: two calls that gather at
    # the same time may each wait for threads that the other holds, for ever.
    if jax.default_backend() == 'cpu':
      embeddings.block_until_ready()
    return embeddings


def make_encoder(
  embedder: Embedder,
  params: Params,
  tokenizer: Tokenizer,
  layout: Layout,
  *,
  lengths: tuple[int, ...],
  rows: int,
) -> Encoder:
  """Builds an encoder; compiles nothing yet.

  Args:
    embedder: to encode with.
    params: of the embedder, on the mesh.
    tokenizer: that it was trained with.
    layout: of the mesh.
    lengths: padded lengths in tokens, ascending (`lengths_to`).
    rows: texts of the last length, over the whole mesh, for which there is
      memory; there may be more of shorter ones in a call, and on CPUs fewer.

  Raises:
    ValueError: if the mesh does not divide `rows`, or the tokenizer has pieces
      that the embedding table lacks.
  """
  layout.check_divides('batch', rows, 'The number of rows in a call')
  check_vocabulary(embedder, tokenizer)
  tokens = rows * lengths[-1] // layout.shards('batch')
  if jax.default_backend() == 'cpu':
    tokens = min(tokens, _CPU_TOKENS)
  # Gathered, so that each host can read all of it.
  apply: Any = jax.jit(embedder.apply, out_shardings=layout.sharding())
  return Encoder(tokenizer, lengths, tokens, apply, params, layout)


def lengths_to(longest: int) -> tuple[int, ...]:
  """Returns padded lengths for texts of up to so many tokens.

  Four to a doubling, from 16 on: few shapes to compile, and about a tenth of
  what is computed is padding.

  >>> lengths_to(100)
  (8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 100)
  """
  lengths = []
  length = 8
  while length < longest:
    lengths.append(length)
    length += max(4, 2 ** (length.bit_length() - 3))
  return (*lengths, longest)


def check_vocabulary(embedder: Embedder, tokenizer: Tokenizer) -> None:
  """Raises ValueError if the embedding table lacks some of the pieces."""
  rows = embedder.config.encoder.vocabulary
  if tokenizer.vocabulary > rows:
    raise ValueError(
      f'The tokenizer {tokenizer.path} has {tokenizer.vocabulary} pieces, but '
      f'the embedding table has {rows} rows; raise EncoderConfig.vocabulary.'
    )
