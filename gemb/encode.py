"""Texts to embeddings, in order, in few shapes and with little padding."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from gemb.axes import Layout
from gemb.data.tokenizer import Tokenizer
from gemb.model.embedder import Embedder, Params
from gemb.types import PAD


@dataclasses.dataclass(frozen=True)
class Encoder:
  """A trained embedder together with its tokenizer.

  Attributes:
    tokenizer: that it was trained with.
    lengths: padded lengths in tokens, ascending; texts longer than the last
      are cut. The lengths of training are a good choice.
    rows: texts in one call of the model, over the whole mesh.
    apply: (parameters, tokens [rows, L]) -> embeddings, compiled once a length.
    params: of the embedder, on the mesh.
    layout: of the mesh.
  """

  tokenizer: Tokenizer
  lengths: tuple[int, ...]
  rows: int
  apply: Callable[[Params, Array], Array]
  params: Params
  layout: Layout

  def with_params(self, params: Params) -> 'Encoder':
    """Returns the same encoder with other parameters; compiles nothing."""
    return dataclasses.replace(self, params=params)

  def encode(self, texts: Sequence[str]) -> Float[np.ndarray, 'X E']:
    """Returns the embedding of each text (dressed already), float32.

    Not normalised: `gemb.evals.retrieval.truncate` gives unit prefixes. Equal
    texts are embedded once.
    """
    distinct = list(dict.fromkeys(texts))
    ids = [
      self.tokenizer.cut(text, self.lengths[-1])
      for text in self.tokenizer.encode(distinct)
    ]
    order = np.argsort([len(text) for text in ids], kind='stable')
    chunks = [
      order[start : start + self.rows]
      for start in range(0, len(order), self.rows)
    ]
    # Not waited for: the host pads while the devices compute.
    results = [self._embed([ids[i] for i in chunk]) for chunk in chunks]
    width = jax.eval_shape(
      self.apply, self.params, np.zeros((self.rows, 1), np.int32)
    ).shape[1]
    embeddings = np.zeros((len(distinct), width), np.float32)
    for chunk, result in zip(chunks, results, strict=True):
      embeddings[chunk] = np.asarray(result)[: len(chunk)]
    place = {text: row for row, text in enumerate(distinct)}
    return embeddings[[place[text] for text in texts]]

  def _embed(self, ids: list[list[int]]) -> Array:
    longest = max(map(len, ids))
    length = next(rung for rung in self.lengths if longest <= rung)
    tokens = np.full((self.rows, length), PAD, np.int32)
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

  Raises:
    ValueError: if the mesh does not divide `rows`, or the tokenizer has pieces
      that the embedding table lacks.
  """
  layout.check_divides('batch', rows, 'The number of rows in a call')
  check_vocabulary(embedder, tokenizer)
  # Gathered, so that each host can read all of it.
  apply: Any = jax.jit(embedder.apply, out_shardings=layout.sharding())
  return Encoder(tokenizer, lengths, rows, apply, params, layout)


def check_vocabulary(embedder: Embedder, tokenizer: Tokenizer) -> None:
  """Raises ValueError if the embedding table lacks some of the pieces."""
  rows = embedder.config.encoder.vocabulary
  if tokenizer.vocabulary > rows:
    raise ValueError(
      f'The tokenizer {tokenizer.path} has {tokenizer.vocabulary} pieces, but '
      f'the embedding table has {rows} rows; raise EncoderConfig.vocabulary.'
    )
