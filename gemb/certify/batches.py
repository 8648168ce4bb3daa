"""Synthetic batches with all that a real one may hold.

Texts of all lengths; queries and positives that occur twice, on one device and
on two; examples without some or any of their hard negatives; and hard negatives
that are another query's positive.
"""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float32, Int32, Int64, UInt32

from gemb.data.packing import pack, round_up, slots
from gemb.data.planning import text_limits
from gemb.run import Run
from gemb.types import PAD, Batch, Packed, Padded

_EVERY = 16  # examples, one has a double of each kind


@dataclasses.dataclass(frozen=True, kw_only=True)
class Examples:
  """A batch, before its texts are laid out.

  Attributes:
    tokens: of query, positive and hard negatives, right-padded.
    length: of each; 0: there is no such text.
    query_id: tells which queries are the same.
    positive_id: tells which positives are the same.
    teacher: embeddings of all texts by another model; None: there is none.
  """

  tokens: Int32[np.ndarray, 'B I L']
  length: Int64[np.ndarray, 'B I']
  query_id: UInt32[np.ndarray, 'B 2']
  positive_id: UInt32[np.ndarray, 'B 2']
  teacher: Float32[np.ndarray, 'B I Et'] | None


def make_examples(run: Run) -> Examples:
  """Draws a batch of the run's size, lengths and number of hard negatives."""
  rng = np.random.default_rng(run.seed)
  limit_I = text_limits(run.data)
  B, texts = run.data.batch_size, len(limit_I)
  length = rng.integers(1, limit_I + 1, (B, texts))
  words = (PAD + 1, run.model.encoder.vocabulary)
  tokens = rng.integers(*words, (B, texts, limit_I.max()), np.int32)
  # Positives resemble their queries: else a few columns would be all of Z.
  tokens[:, 1, : limit_I[0]] = tokens[:, 0, : limit_I[0]]
  ids = np.arange(4 * B, dtype=np.uint32).reshape(2, B, 2)

  def repeat(first: int, step: int, side: int, as_side: int) -> np.ndarray:
    """Makes a text of every 16th example another's `step` behind it."""
    once = np.arange(first, B - step, _EVERY)
    for array in (tokens, length):
      array[once + step, as_side] = array[once, side]
    return once

  for side in (0, 1):
    # On one device, and on two.
    for first, step in ((2 * side, 1), (4 + side, B // 2)):
      once = repeat(first, step, side, side)
      ids[side, once + step] = ids[side, once]
  if texts > 2:
    repeat(7, B // 4, side=1, as_side=2)
    length[::3, -1] = length[1::5, 2:] = 0
  real = np.arange(tokens.shape[-1])[None, None] < length[..., None]
  teacher = None
  if run.loss.distillation:
    width = run.loss.prefixes[-1]
    teacher = rng.standard_normal((B, texts, width), np.float32)
  return Examples(
    tokens=np.where(real, tokens, PAD),
    length=length,
    query_id=ids[0],
    positive_id=ids[1],
    teacher=teacher,
  )


def lay_out(examples: Examples, run: Run, shards: int) -> Batch:
  """Returns the batch as the run's loader lays it out for so many shards."""
  if run.data.packing is None:
    return padded(examples, run)
  row_length = run.data.packing.row_length
  return _batch(
    examples,
    _pack(examples, row_length, shards, run.microbatch // shards),
  )


def padded(examples: Examples, run: Run) -> Batch:
  """Returns the batch with a text a row."""
  query, passage = run.data.shapes[-1]
  tokens = examples.tokens
  return _batch(
    examples,
    Padded(
      query=_as_is(tokens[:, 0, :query]),
      positive=_as_is(tokens[:, 1, :passage]),
      negatives=_as_is(tokens[:, 2:, :passage]),
    ),
  )


def describe(examples: Examples, run: Run) -> str:
  """Tells what is in the batch, and how it is computed."""
  B, texts = examples.length.shape
  queries, positives = (
    B - len(np.unique(ids, axis=0))
    for ids in (examples.query_id, examples.positive_id)
  )
  there = int((examples.length[:, 2:] > 0).sum())
  negatives = f'{there} of {B * (texts - 2)} hard negatives'
  layout = 'a text a row'
  if run.data.packing:
    layout = f'packed into rows of {run.data.packing.row_length} tokens'
  ring = run.loss.gather_up_to < B
  return (
    f'Random parameters, and {B} synthetic examples: {queries} queries and '
    f'{positives} positives that come again, {negatives}. Texts of 1 to '
    f'{examples.length.max()} tokens, {layout}, are encoded {run.microbatch} '
    f'rows at a time. There are at most {run.loss.tile} x {run.loss.tile} '
    'cosines at once on a device; columns '
    f'{"travel round a ring" if ring else "are gathered"}.'
  )


def _pack(
  examples: Examples, row_length: int, shards: int, rows_at_once: int
) -> Packed:
  """Packs the texts of each shard's examples into rows of their own."""
  lengths = examples.length.reshape(shards, -1)
  texts = examples.tokens.reshape(*lengths.shape, -1)
  packings = [pack(length, row_length) for length in lengths]
  rows = round_up(max(packing.rows for packing in packings), rows_at_once)
  tokens = np.full((shards, rows, row_length), PAD, np.int32)
  segments = np.zeros_like(tokens)
  for shard, packing in enumerate(packings):
    for text in np.flatnonzero(packing.row >= 0):
      length, start = lengths[shard, text], packing.offset[text]
      there = shard, packing.row[text], slice(start, start + length)
      tokens[there] = texts[shard, text, :length]
      segments[there] = packing.slot[text] + 1
  row, slot = (
    np.stack([getattr(packing, name) for packing in packings])
    for name in ('row', 'slot')
  )
  place = np.where(row >= 0, row * slots(row_length) + slot, -1)
  return Packed(
    tokens=_as_is(tokens.reshape(-1, row_length)),
    segments=_as_is(segments.reshape(-1, row_length)),
    place=_as_is(place.reshape(examples.length.shape).astype(np.int32)),
    slots=slots(row_length),
    shards=shards,
  )


def _batch(examples: Examples, texts: Padded | Packed) -> Batch:
  return Batch(
    texts=texts,
    has_negative=_as_is(examples.length[:, 2:] > 0),
    query_id=_as_is(examples.query_id),
    positive_id=_as_is(examples.positive_id),
    teacher=_as_is(examples.teacher),
  )


def _as_is(array: Any) -> Any:
  """Hides that it is NumPy's yet: it is put on the devices later."""
  return array
