"""batch(step): a pure function of the configuration and the step.

Source of the one-task-a-batch rule: Gemini Embedding (arXiv:2503.07891),
section 3: other examples of the same task are the harder in-batch negatives.

The loader keeps no position. Any host asks for any rows of any step's global
batch and gets the same examples, so that a run resumes at once, and on another
number of hosts.
"""

import collections
import concurrent.futures
import dataclasses
import functools
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Int32, Int64

from gemb.data.config import DataConfig
from gemb.data.records import Record, Records
from gemb.data.sampling import Permutation, Schedule, generator
from gemb.data.tokenizer import TokenIds, Tokenizer
from gemb.types import PAD, Batch

T = TypeVar('T')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
  """Which examples make the global batch of a step, and its shape.

  Attributes:
    step: counted from 0.
    task: that all examples come from.
    indices: [B], of the examples in the task's records.
    shape: tokens that queries, and that passages are padded to.
  """

  step: int
  task: str
  indices: Int64[np.ndarray, 'B']
  shape: tuple[int, int]


class Loader:
  """Batches of one mixture."""

  def __init__(
    self,
    config: DataConfig,
    records: dict[str, Records],
    tokenizer: Tokenizer,
    *,
    seed: int,
  ):
    """Prepares the schedule; reads no examples.

    Args:
      config: rates, sizes and shapes.
      records: of every task in `config.rates`.
      tokenizer: that the records were made with; used to cut long texts.
      seed: of the schedule and the shuffles.

    Raises:
      ValueError: if a task has no examples.
    """
    for task, source in records.items():
      if not len(source):
        raise ValueError(
          f'Task {task!r} has no examples left after cleaning; remove it from '
          'DataConfig.rates.'
        )
    self._config = config
    self._records = records
    self._tokenizer = tokenizer
    self._seed = seed
    self._schedule = Schedule(config.rates, seed)
    self._shuffles = {
      task: Permutation(len(source), seed=seed, name=task)
      for task, source in records.items()
    }
    # Neighbouring steps of a task draw from one window.
    self._window = functools.lru_cache(maxsize=8)(self._sorted_window)

  def plan(self, step: int) -> Plan:
    """Returns which examples the batch of `step` holds; reads none."""
    task, ordinal = self._schedule(step)
    window, offset = divmod(ordinal, self._config.window)
    indices = self._window(task, window)[offset]
    longest = self._lengths(task, indices).max(axis=0, keepdims=True)
    (fits,) = self._first_fit(longest)
    return Plan(
      step=step,
      task=task,
      indices=indices,
      shape=self._config.shapes[fits],
    )

  def batch(self, step: int, rows: slice = slice(None)) -> tuple[Plan, Batch]:
    """Returns the plan of a step and these rows of its global batch."""
    plan = self.plan(step)
    records = self._records[plan.task].read(plan.indices[rows])
    query, passage = plan.shape
    R = self._config.hard_negatives
    negatives_BRL = np.full((len(records), R, passage), PAD, np.int32)
    for row, record in enumerate(records):
      for r, ids in enumerate(record.negatives[:R]):
        self._fill(negatives_BRL[row, r], ids)
    # NumPy arrays here; the loop puts them on the devices.
    arrays: dict[str, Any] = {
      'query': self._pad([r.query for r in records], query),
      'positive': self._pad([r.positive for r in records], passage),
      'negatives': negatives_BRL,
      'query_id': _words([r.query_id for r in records]),
      'positive_id': _words([r.positive_id for r in records]),
    }
    return plan, Batch(**arrays)

  def examples(self, step: int) -> list[Record]:
    """Returns the global batch of a step as records, for people to read."""
    plan = self.plan(step)
    return self._records[plan.task].read(plan.indices)

  def identity(self) -> dict[str, Any]:
    """Returns what all batches depend on, as JSON, for a checkpoint.

    A run may go on from a checkpoint only where this is the same.
    """
    c = self._config
    return {
      'tokenizer': self._tokenizer.sha256,
      'tasks': {
        task: {
          'rate': c.rates[task],
          'query_template': source.spec.query_template,
          'passage_template': source.spec.passage_template,
          'records': source.manifest['content'],
        }
        for task, source in self._records.items()
      },
      'batch_size': c.batch_size,
      'shapes': [list(shape) for shape in c.shapes],
      'hard_negatives': c.hard_negatives,
      'window': c.window,
      'seed': self._seed,
    }

  def _sorted_window(self, task: str, window: int) -> Int64[np.ndarray, 'W B']:
    """Returns the examples of W batches, alike in length within each batch."""
    W, B = self._config.window, self._config.batch_size
    positions = np.arange(window * W * B, (window + 1) * W * B)
    indices = self._shuffles[task](positions)
    # By shape first, and by length where a shape holds several batches. The
    # order of the batches is shuffled again, or every window would go from
    # short to long. Within each epoch: an example would otherwise lie beside
    # itself, several times in one batch.
    lengths = self._lengths(task, indices)
    order = np.lexsort(
      (
        lengths.sum(axis=1),
        self._first_fit(lengths),
        positions // len(self._records[task]),
      )
    )
    batches_WB = indices[order].reshape(W, B)
    mixed = generator(self._seed, f'window/{task}', window).permutation(W)
    return batches_WB[mixed]

  def _lengths(
    self, task: str, indices: Int64[np.ndarray, 'n']
  ) -> Int32[np.ndarray, 'n 2']:
    """Returns the tokens of examples' query and longest passage, when cut."""
    lengths = self._records[task].lengths[indices]
    passages = (
      lengths[:, 1:] if self._config.hard_negatives else lengths[:, 1:2]
    )
    both = np.stack([lengths[:, 0], passages.max(axis=1)], axis=1)
    return np.minimum(both, np.array(self._config.shapes[-1], np.int32))

  def _first_fit(
    self, lengths: Int32[np.ndarray, 'n 2']
  ) -> Int64[np.ndarray, 'n']:
    """Returns the number of the first shape that each pair of lengths fits."""
    shapes = np.array(self._config.shapes, np.int32)
    return (lengths[:, None] <= shapes[None]).all(axis=2).argmax(axis=1)

  def _pad(self, texts: list[TokenIds], length: int) -> np.ndarray:
    tokens = np.full((len(texts), length), PAD, np.int32)
    for row, ids in zip(tokens, texts, strict=True):
      self._fill(row, ids)
    return tokens

  def _fill(self, row: np.ndarray, ids: TokenIds) -> None:
    if len(ids) > len(row):
      ids = self._tokenizer.cut(ids, len(row))
    row[: len(ids)] = ids


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


def _words(hashes: list[int]) -> np.ndarray:
  """Splits 64-bit hashes into two 32-bit words: JAX has no 64-bit integers."""
  return np.array(hashes, '<u8').view('<u4').reshape(-1, 2).astype(np.uint32)
