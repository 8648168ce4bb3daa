"""Which examples the batch of a step holds, and its shape; reads no text.

Source of the one-task-a-batch rule: Gemini Embedding (arXiv:2503.07891),
section 3: other examples of the same task are the harder in-batch negatives.

A plan is a pure function of the configuration, the seed and the step; the
examples in it are the same on any number of hosts and devices.
"""

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, Int64

from gemb.data import packing
from gemb.data.config import DataConfig
from gemb.data.packing import Packing
from gemb.data.sampling import Permutation, Schedule, generator, spread, uniform

MIXED = 'mixed'  # what a batch of several tasks is called
_LOOKS = 4  # windows of each task by which the rungs are chosen


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
  """Which examples make the global batch of a step, and its shape.

  Attributes:
    step: counted from 0.
    task: that all examples come from, or `MIXED`.
    view: [B], which view each example is read from (`Planner`).
    indices: [B], its number in them.
    shape: padded: tokens of queries, and of passages; packed: rows that each
      shard of the batch has, and tokens of a row.
    packings: where the texts of each shard lie; empty where there is a text a
      row.
  """

  step: int
  task: str
  view: Int64[np.ndarray, 'B']
  indices: Int64[np.ndarray, 'B']
  shape: tuple[int, int]
  packings: tuple[Packing, ...] = ()


class _Drawn(NamedTuple):
  """Examples: which records they are in, their number there, and the epoch."""

  view: Int64[np.ndarray, 'n']
  indices: Int64[np.ndarray, 'n']
  epoch: Int64[np.ndarray, 'n']


class Planner:
  """Plans the batches of one mixture.

  Examples are read from views: the records of all tasks in the order of their
  rates, two of a task where its task string may be dropped, the second without.
  """

  def __init__(
    self,
    config: DataConfig,
    lengths: Mapping[str, Sequence[Int32[np.ndarray, '_ _']]],
    *,
    seed: int,
    shards: int,
    rows_at_once: int,
  ):
    """Prepares the schedule, and the rungs if texts are packed.

    Args:
      config: rates, sizes and shapes.
      lengths: tokens of the examples in each view of every task in
        `config.rates` (`Records.lengths`).
      seed: of the schedule and the shuffles.
      shards: that the batch is split into.
      rows_at_once: of packed texts that a shard encodes at a time.

    Raises:
      ValueError: if a task has no examples.
    """
    for task, (first, *_) in lengths.items():
      if not len(first):
        raise ValueError(
          f'Task {task!r} has no examples left after cleaning; remove it from '
          'DataConfig.rates.'
        )
    self._config = config
    self._seed = seed
    self._shards = shards
    self._rows_at_once = rows_at_once
    self._tasks = list(config.rates)
    self._views = [view for task in self._tasks for view in lengths[task]]
    self._views_of_task = len(self._views) // len(self._tasks)
    self._schedule = Schedule(config.rates, seed)
    self._shuffles = [
      Permutation(len(lengths[task][0]), seed=seed, name=task)
      for task in self._tasks
    ]
    # Neighbouring steps of a task draw from one window.
    self._window = functools.lru_cache(maxsize=8)(self._make_window)
    self._rungs: tuple[int, ...] = ()
    if wanted := config.packing:
      self._rungs = self._choose_rungs(wanted.rungs, wanted.row_length)

  def __call__(self, step: int) -> Plan:
    """Returns the plan of a step."""
    task, ordinal = self._place(step)
    window, offset = divmod(ordinal, self._config.window)
    views_WB, indices_WB = self._window(task, window)
    view, indices = views_WB[offset], indices_WB[offset]
    lengths = self._lengths(view, indices)
    packings = ()
    if self._config.packing:
      row_length = self._config.packing.row_length
      packings = self._pack(lengths, row_length)
      shape = self._rung(max(p.rows for p in packings)), row_length
    else:
      shape = self._shape(lengths)
    return Plan(
      step=step,
      task=task,
      view=view,
      indices=indices,
      shape=shape,
      packings=packings,
    )

  def batch_size(self, step: int) -> int:
    """Returns B of a step; draws nothing."""
    task, _ = self._place(step)
    return self._config.batch_size_of(task)

  def _place(self, step: int) -> tuple[str, int]:
    """Returns a step's task, and how many batches of it came before."""
    return (MIXED, step) if self._config.mixed else self._schedule(step)

  def _draw(self, task: str, positions: Int64[np.ndarray, 'n']) -> _Drawn:
    """Returns the examples at these positions of a task, or of all."""
    if task == MIXED:
      tasks, ordinals = self._schedule.many(positions)
    else:
      tasks = np.full_like(positions, self._tasks.index(task))
      ordinals = positions
    drawn = _Drawn(*np.empty((3, len(positions)), np.int64))
    for number in np.unique(tasks):
      here = tasks == number
      name, first = self._tasks[number], number * self._views_of_task
      drawn.view[here] = first
      if rate := self._config.drop_task_string:
        bare = uniform(self._seed, f'task string/{name}', ordinals[here]) < rate
        drawn.view[here] += bare
      drawn.indices[here] = self._shuffles[number](ordinals[here])
      drawn.epoch[here] = ordinals[here] // len(self._views[first])
    return drawn

  def _make_window(
    self, task: str, window: int
  ) -> tuple[Int64[np.ndarray, 'W B'], Int64[np.ndarray, 'W B']]:
    """Returns view and index of the examples of W batches."""
    W, B = self._config.window, self._config.batch_size_of(task)
    drawn = self._draw(task, np.arange(window * W * B, (window + 1) * W * B))
    lengths = self._lengths(drawn.view, drawn.indices)
    if self._config.packing:
      # Dealt in the order of size, all batches get as many tokens, and copies
      # of an example never one; spread out, so do the shards of a batch.
      order = np.lexsort((drawn.indices, drawn.view, lengths.sum(axis=1)))
      order_WB = order.reshape(B, W).T[:, spread(B)]
      return drawn.view[order_WB], drawn.indices[order_WB]
    # By shape first, and by length where a shape holds several batches. Within
    # each epoch: an example would otherwise lie beside itself, several times in
    # one batch. The order of the batches is shuffled again, or every window
    # would go from short to long.
    sides = _sides(lengths)
    order = np.lexsort((sides.sum(axis=1), self._first_fit(sides), drawn.epoch))
    mixed = generator(self._seed, f'window/{task}', window).permutation(W)
    order_WB = order.reshape(W, B)[mixed]
    return drawn.view[order_WB], drawn.indices[order_WB]

  def _lengths(
    self, view: Int64[np.ndarray, 'n'], indices: Int64[np.ndarray, 'n']
  ) -> Int64[np.ndarray, 'n I']:
    """Returns the tokens of examples' texts, when cut; 0 where one is not."""
    found = np.zeros((len(view), 2 + self._config.hard_negatives), np.int64)
    for number in np.unique(view):
      here = view == number
      known = self._views[number][indices[here], : found.shape[1]]
      found[here, : known.shape[1]] = known
    return np.minimum(found, text_limits(self._config))

  def _first_fit(
    self, sides: Int64[np.ndarray, 'n 2']
  ) -> Int64[np.ndarray, 'n']:
    """Returns the number of the first shape that each pair of lengths fits."""
    shapes = np.array(self._config.shapes)
    return (sides[:, None] <= shapes[None]).all(axis=2).argmax(axis=1)

  def _shape(self, lengths: Int64[np.ndarray, 'B I']) -> tuple[int, int]:
    """Returns the first shape that all texts of a batch fit."""
    (fits,) = self._first_fit(_sides(lengths).max(axis=0, keepdims=True))
    return self._config.shapes[fits]

  def _pack(
    self, lengths: Int64[np.ndarray, 'B I'], row_length: int
  ) -> tuple[Packing, ...]:
    """Packs the texts of each shard's examples into rows of their own."""
    parts = lengths.reshape(self._shards, -1)
    return tuple(packing.pack(part, row_length) for part in parts)

  def _rung(self, rows: int) -> int:
    """Returns how many rows a shard has that needs so many."""
    for rung in self._rungs:
      if rows <= rung:
        return rung
    # Larger than all that were looked at: a few shapes more, if any.
    rung = self._rungs[-1]
    while rung < rows:
      rung = packing.round_up(math.ceil(1.1 * rung), self._rows_at_once)
    return rung

  def _choose_rungs(self, most: int, row_length: int) -> tuple[int, ...]:
    """Looks at a few batches of each task; chooses where least is padding."""
    rows, weights = [], []
    rates = {MIXED: 1.0} if self._config.mixed else self._config.rates
    for task, rate in rates.items():
      for look in range(_LOOKS):
        view, indices = self._window(task, look)
        # The first and the last that were dealt: the largest and the smallest.
        for batch in {0, len(view) - 1}:
          lengths = self._lengths(view[batch], indices[batch])
          needed = max(p.rows for p in self._pack(lengths, row_length))
          rows.append(packing.round_up(needed, self._rows_at_once))
          weights.append(rate)
    return packing.choose_rungs(rows, weights, most)


def pairs_until(config: DataConfig, step: int, *, seed: int) -> int:
  """Returns how many pairs the batches of the steps before this one have."""
  if not config.batch_sizes:
    return step * config.batch_size
  tasks, _ = Schedule(config.rates, seed).many(np.arange(step))
  sizes = [config.batch_size_of(task) for task in config.rates]
  return int(np.array(sizes)[tasks].sum())


def text_limits(config: DataConfig) -> Int64[np.ndarray, 'I']:
  """Returns the most tokens of query, positive and each hard negative."""
  query, passage = config.shapes[-1]
  return np.array([query] + [passage] * (1 + config.hard_negatives))


def _sides(lengths: Int64[np.ndarray, 'n I']) -> Int64[np.ndarray, 'n 2']:
  """Returns the tokens of each example's query and longest passage."""
  return np.stack([lengths[:, 0], lengths[:, 1:].max(axis=1)], axis=1)
