"""batch(step): a pure function of the configuration and the step.

The loader keeps no position. Any host asks for any rows of any step's global
batch and gets the same examples, so that a run resumes at once, and on another
number of hosts.
"""

import collections
import concurrent.futures
import pathlib
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Int32, Int64

from gemb.data.config import DataConfig
from gemb.data.packing import slots
from gemb.data.planning import Plan, Planner, text_limits
from gemb.data.records import Columns, Record, Records, concatenate
from gemb.data.specs import make_specs
from gemb.data.teacher import Teacher
from gemb.data.tokenizer import Tokenizer, load_tokenizer
from gemb.types import PAD, Batch, Packed, Padded

T = TypeVar('T')


class Loader:
  """Batches of one mixture.

  Attributes:
    records: of each task, with and maybe without its task string.
    tokenizer: that the records were made with.
    teacher: its vectors of all texts, or None.
    plan: step -> which examples its batch holds (`Planner`).
  """

  def __init__(
    self,
    config: DataConfig,
    records: Mapping[str, Sequence[Records]],
    tokenizer: Tokenizer,
    *,
    seed: int,
    shards: int = 1,
    rows_at_once: int = 1,
    teacher: Teacher | None = None,
  ):
    """Prepares the schedule; reads no examples.

    Args:
      config: rates, sizes and shapes.
      records: of every task in `config.rates`, with and, where task strings
        are dropped, without its task string.
      tokenizer: that the records were made with; it ends texts that are cut.
      seed: of the schedule and the shuffles.
      shards: that the batch is split into; with packing, each has rows of its
        own.
      rows_at_once: of packed texts that a shard encodes at a time; the rows of
        a batch are so many that they make equal parts.
      teacher: its vectors of the records with their task strings.

    Raises:
      ValueError: if a task has no examples.
    """
    self._config = config
    self.records = records
    self.tokenizer = tokenizer
    self.teacher = teacher
    self._seed = seed
    self._shards = shards
    self._views = [view for task in config.rates for view in records[task]]
    self.plan = Planner(
      config,
      {task: [v.lengths for v in views] for task, views in records.items()},
      seed=seed,
      shards=shards,
      rows_at_once=rows_at_once,
    )

  def batch(self, step: int, rows: slice = slice(None)) -> tuple[Plan, Batch]:
    """Returns the plan of a step and these rows of its global batch.

    With packing, rows are those of whole shards.
    """
    plan = self.plan(step)
    columns = self._read(plan, rows)
    lay_out = self._pack if self._config.packing else self._pad
    return plan, Batch(
      texts=lay_out(plan, columns, rows),
      has_negative=_as_is(columns.length[:, 2:] > 0),
      query_id=_as_is(columns.query_id),
      positive_id=_as_is(columns.positive_id),
      teacher=self._taught(plan, columns, rows),
    )

  def examples(self, step: int) -> list[Record]:
    """Returns the global batch of a step as records, for people to read."""
    plan = self.plan(step)
    found: list[Any] = [None] * len(plan.indices)
    for view in np.unique(plan.view):
      here = np.flatnonzero(plan.view == view)
      records = self._views[view].read(plan.indices[here])
      for place, record in zip(here, records, strict=True):
        found[place] = record
    return found

  def identity(self) -> dict[str, Any]:
    """Returns what all batches depend on, as JSON, for a checkpoint.

    A run may go on from a checkpoint only where this is the same.
    """
    c = self._config
    # What was added later is named where it is used: old checkpoints stay.
    added: dict[str, Any] = {}
    if self.teacher:
      added['teacher'] = self.teacher.identity()
    if own := {t: n for t, n in c.batch_sizes.items() if t in c.rates}:
      added['batch_sizes'] = own
    return added | {
      'tokenizer': self.tokenizer.sha256,
      'tasks': {
        task: {
          'rate': c.rates[task],
          'query_template': views[0].spec.query_template,
          'passage_template': views[0].spec.passage_template,
          'records': [view.manifest['content'] for view in views],
          'contamination': views[0].manifest.get('contamination'),
        }
        for task, views in self.records.items()
      },
      'batch_size': c.batch_size,
      'shapes': [list(shape) for shape in c.shapes],
      'hard_negatives': c.hard_negatives,
      'window': c.window,
      'packed': c.packing is not None,
      'mixed': c.mixed,
      'drop_task_string': c.drop_task_string,
      'seed': self._seed,
    }

  def _read(self, plan: Plan, rows: slice) -> Columns:
    """Reads these rows' examples, from the records of each view."""
    view, indices = plan.view[rows], plan.indices[rows]
    order = np.argsort(view, kind='stable')
    parts = [
      self._views[number].columns(
        indices[view == number], self._config.hard_negatives
      )
      for number in np.unique(view)
    ]
    return concatenate(parts, np.argsort(order))

  def _taught(self, plan: Plan, columns: Columns, rows: slice) -> Any:
    """Reads the teacher's vectors of these rows' examples, if there is one.

    They are those of the texts with their task strings, which a student without
    is to find as well: both views have the same examples.
    """
    if self.teacher is None:
      return None
    views_of_task = len(self._views) // len(self.records)
    return self.teacher.read(
      plan.view[rows] // views_of_task,
      plan.indices[rows],
      there=columns.length > 0,
    )

  def _pad(self, plan: Plan, columns: Columns, rows: slice) -> Padded:
    """Lays a text a row."""
    del rows
    n, texts = columns.length.shape
    query, passage = plan.shape
    query_BL = np.full((n, query), PAD, np.int32)
    passages_BPL = np.full((n, texts - 1, passage), PAD, np.int32)
    side = query * np.arange(n)[:, None]
    self._copy(columns, slice(0, 1), query_BL, side)
    side = passage * np.arange(n * (texts - 1)).reshape(n, -1)
    self._copy(columns, slice(1, None), passages_BPL, side)
    return Padded(
      query=_as_is(query_BL),
      positive=_as_is(passages_BPL[:, 0]),
      negatives=_as_is(passages_BPL[:, 1:]),
    )

  def _pack(self, plan: Plan, columns: Columns, rows: slice) -> Packed:
    """Lays several texts a row, where the plan says."""
    n, texts = columns.length.shape
    rows_X, length = plan.shape
    B, S = len(plan.indices), slots(length)
    first, last, _ = rows.indices(B)
    size = B // self._shards
    if first % size or last % size:
      raise ValueError(
        f'Rows {first} to {last} of a packed batch were asked for; its shards '
        f'have {size} rows each, and only whole ones can be read.'
      )
    mine = plan.packings[first // size : last // size]
    row, offset, slot = (
      np.stack([getattr(p, name) for p in mine]).reshape(n, texts)
      for name in ('row', 'offset', 'slot')
    )
    there = row >= 0
    shard = np.repeat(np.arange(len(mine)), size)[:, None]
    start = (shard * rows_X + row) * length + offset
    tokens = np.full((len(mine) * rows_X, length), PAD, np.int32)
    segments = np.zeros_like(tokens)
    cut = self._copy(columns, slice(None), tokens, start)
    flat, _ = _stretches(start[there], cut[there])
    segments.reshape(-1)[flat] = np.repeat(slot[there] + 1, cut[there])
    return Packed(
      tokens=_as_is(tokens),
      segments=_as_is(segments),
      place=_as_is(np.where(there, row * S + slot, -1).astype(np.int32)),
      slots=S,
      shards=self._shards,
    )

  def _copy(
    self,
    columns: Columns,
    sides: slice,
    out: Int32[np.ndarray, '...'],
    start: Int64[np.ndarray, 'n texts'],
  ) -> Int64[np.ndarray, 'n texts']:
    """Copies texts into `out` from these places on; returns their lengths.

    A text that is too long is cut, and ends as every text does.
    """
    length = columns.length[:, sides]
    cut = np.minimum(length, text_limits(self._config)[sides])
    to, place = _stretches(start.ravel(), cut.ravel())
    begin = columns.start[:, sides].ravel()
    flat = out.reshape(-1)
    flat[to] = columns.words[np.repeat(begin, cut.ravel()) + place]
    too_long = length > cut
    flat[(start + cut - 1)[too_long]] = self.tokenizer.eos
    return cut


def open_loader(
  config: DataConfig, *, seed: int, shards: int = 1, rows_at_once: int = 1
) -> Loader:
  """Opens tokenizer and caches, and returns their loader.

  Raises:
    FileNotFoundError: if something has not been made (`gemb cache`).
    ValueError: if what lies there is not what the configuration wants.
  """
  tokenizer = load_tokenizer(config.tokenizer)
  records = {
    task: [Records(spec) for spec in make_specs(config, task, tokenizer)]
    for task in config.rates
  }
  teacher = None
  if config.teacher is not None:
    with_task = {task: views[0] for task, views in records.items()}
    teacher = Teacher(
      pathlib.Path(config.teacher), with_task, negatives=config.hard_negatives
    )
  return Loader(
    config,
    records,
    tokenizer,
    seed=seed,
    shards=shards,
    rows_at_once=rows_at_once,
    teacher=teacher,
  )


def prefetch(
  make: Callable[[int], T], start: int, stop: int, *, ahead: int = 2
) -> Generator[T]:
  """Yields make(start), ..., make(stop - 1), made ahead by a thread.

  Close the iterator (or exhaust it) to end the thread.
  """
  pending = collections.deque()
  executor = concurrent.futures.ThreadPoolExecutor(1, 'loader')
  with executor:
    try:
      for step in range(start, stop):
        pending.append(executor.submit(make, step))
        if len(pending) > ahead:
          yield pending.popleft().result()
      while pending:
        yield pending.popleft().result()
    finally:
      for future in pending:
        future.cancel()


def _as_is(array: np.ndarray) -> Any:
  """Hides that it is NumPy's yet: the loop puts it on the devices."""
  return array


def _stretches(
  start: Int64[np.ndarray, 'n'], length: Int64[np.ndarray, 'n']
) -> tuple[Int64[np.ndarray, 'm'], Int64[np.ndarray, 'm']]:
  """Returns start, start + 1, ... of each stretch, and 0, 1, ... beside it."""
  place = np.arange(length.sum()) - np.repeat(
    np.cumsum(length) - length, length
  )
  return np.repeat(start, length) + place, place
