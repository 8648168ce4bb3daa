"""A run as small as two cores can certify, with the mathematics it had."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from gemb.losses.config import LossConfig
from gemb.model.config import EmbedderConfig, EncoderConfig
from gemb.run import Run

# All are divided by 8 devices along one mesh axis.
_VOCABULARY = 64
_WIDTH = 16
_MLP_WIDTH = 32
_EMBEDDING_WIDTH = 16
_HEAD_DIM = 8
_RADIUS = 3
_LENGTHS = (8, 12)  # tokens of queries and of passages, at most
_ROW_LENGTH = 24
_BATCH = 32
_MICROBATCH = 8  # a text or row on each of 8 devices
_TILE = 2  # of the 4 pairs on each of 8 devices


def shrink(run: Run) -> Run:
  """Returns the run with small sizes.

  What decides the mathematics stays: local and global layers, the query heads
  of a key head, norms, softcaps, windows shorter than texts, prefixes in the
  same proportions, hard negatives, packing, and every switch of the loss.
  There are several microbatches and several tiles, and columns travel round
  the ring where those of the run do.
  """
  run = for_cpus(run)
  packing = run.data.packing
  if packing:
    packing = dataclasses.replace(packing, row_length=_ROW_LENGTH)
  loss = _shrink_loss(run)
  return dataclasses.replace(
    run,
    microbatch=_MICROBATCH,
    model=dataclasses.replace(
      run.model,
      encoder=_shrink_encoder(run.model.encoder),
      embedding_width=max(_embedding_width(run.model), loss.prefixes[-1]),
    ),
    data=dataclasses.replace(
      run.data,
      batch_size=_BATCH,
      shapes=(tuple(map(min, run.data.shapes[-1], _LENGTHS)),),
      packing=packing,
    ),
    loss=loss,
  )


def for_cpus(run: Run) -> Run:
  """Returns the run without what accelerators have alone.

  That is attention kernels, and bfloat16, whose rounding would hide mistakes.
  One batch is computed, the largest where tasks have sizes of their own.
  """
  encoder = dataclasses.replace(run.model.encoder, dtype='float32')
  compute = run.compute
  if compute.attention != 'auto':
    compute = dataclasses.replace(compute, attention='xla')
  return dataclasses.replace(
    run,
    model=dataclasses.replace(run.model, encoder=encoder),
    compute=compute,
    data=run.data.of_largest_batch(),
    loss=dataclasses.replace(run.loss, dtype='float32'),
  )


def changes(before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
  """Yields every field that differs: its name, and both values."""
  for field in dataclasses.fields(before):
    was, now = getattr(before, field.name), getattr(after, field.name)
    if dataclasses.is_dataclass(was) and dataclasses.is_dataclass(now):
      yield from changes(was, now)
    elif was != now:
      yield f'{type(before).__name__}.{field.name}', was, now


def _embedding_width(config: EmbedderConfig) -> int:
  return min(config.embedding_width, _EMBEDDING_WIDTH)


def _shrink_encoder(c: EncoderConfig) -> EncoderConfig:
  kinds = {c.is_global(i) for i in range(c.layers)}
  # A local layer and a global one, or two of the only kind that there is.
  global_every = 2 if len(kinds) == 2 else 1 if kinds == {True} else 3
  # As many as divide 8, so that the tensor axis splits them where it did.
  kv_heads = next(n for n in (8, 4, 2, 1) if c.kv_heads % n == 0)
  scale = c.query_scale and c.query_scale * _HEAD_DIM / c.head_dim
  return dataclasses.replace(
    c,
    vocabulary=_VOCABULARY,
    width=_WIDTH,
    layers=min(c.layers, 2),
    heads=kv_heads * (c.heads // c.kv_heads),
    kv_heads=kv_heads,
    head_dim=_HEAD_DIM,
    mlp_width=_MLP_WIDTH,
    local_radius=min(c.local_radius, _RADIUS),
    global_every=global_every,
    query_scale=scale,
  )


def _shrink_loss(run: Run) -> LossConfig:
  """Scales the prefixes with the embedding, and the ring with the batch."""
  scale = _embedding_width(run.model) / run.model.embedding_width
  prefixes = []
  for M in run.loss.prefixes:
    prefixes.append(max([round(scale * M), *(n + 1 for n in prefixes[-1:]), 1]))
  return dataclasses.replace(
    run.loss,
    prefixes=tuple(prefixes),
    tile=_TILE,
    gather_up_to=run.loss.gather_up_to * _BATCH // run.data.batch_size,
  )
