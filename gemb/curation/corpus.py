"""The distinct passages of a task, and which of them answer what.

Texts stay in their file, and are read where they lie. In memory are hashes and
places: some 100 bytes a passage and 80 an example, while they are collected.
"""

import array
import dataclasses
import functools
from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Int64, UInt64

from gemb.data import examples
from gemb.data.examples import Example
from gemb.data.records import text_id

_ODD = np.uint64(0x9E3779B97F4A7C15)  # spreads the first of two hashes
_LINES = 4096  # that are kept after they were parsed


class Corpus:
  """The passages of a task: positives and hard negatives, each text once.

  They are numbered as they first come in the task's texts. Texts with the same
  letters and digits count as the same answer, but are different passages.

  Attributes:
    task: name of the seqio Task.
    positives: the number of each example's positive.
  """

  def __init__(self, task: str):
    """Reads a task's texts.

    Raises:
      FileNotFoundError: if `gemb cache` has not written them yet.
      ValueError: if they are damaged, none, or have an id twice.
    """
    self.task = task
    read = _read(task)
    hashes = np.array(read.texts, np.uint64)
    _, first, which = np.unique(hashes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    first = first[order]  # ascending: a passage is found where it first came
    self._owner = np.array(read.owners, np.int64)[first]
    self._place = np.array(read.places, np.int64)[first]
    self._keys = np.array(read.keys, np.uint64)[first]
    self._starts = np.array(read.starts, np.int64)
    places = np.array(read.places, np.int64)
    self.positives = number[which[places == 0]]
    self._groups = np.array([read.queries, read.labels], np.uint64)
    answers = _pair(self._groups, self._keys[self.positives])
    self._answers = np.unique(answers[self._groups != 0])
    self._content = np.memmap(examples.texts_path(task), mode='r')
    # Neighbours of one query are often neighbours of the next.
    self._line = functools.lru_cache(maxsize=_LINES)(self._parse)

  def __len__(self) -> int:
    """Returns the number of passages."""
    return len(self._owner)

  def text(self, number: int) -> str:
    """Returns a passage."""
    example = self._line(int(self._owner[number]))
    return passages(example)[int(self._place[number])]

  def texts(self, first: int) -> Iterator[str]:
    """Yields all passages from a number on, reading through the file."""
    if first == len(self):
      return
    owner = int(self._owner[first])
    start = int(self._starts[owner])
    lines = enumerate(examples.read_texts(self.task, start), start=owner)
    line, example = next(lines)
    for number in range(first, len(self)):
      while line < self._owner[number]:
        line, example = next(lines)
      yield passages(example)[int(self._place[number])]

  def examples(self, first: int) -> Iterator[Example]:
    """Yields the examples from a number on."""
    start = int(self._starts[first])
    return examples.read_texts(self.task, start)

  def key(self, number: int) -> int:
    """Returns what passages have in common that are taken for the same."""
    return int(self._keys[number])

  def answers(
    self, queries: Int64[np.ndarray, 'q'], numbers: Int64[np.ndarray, 'q k']
  ) -> Bool[np.ndarray, 'q k']:
    """Returns which passages may answer a query, as far as the task tells.

    These are the positives of all examples with its text or its label, and the
    text of the query itself, which is no answer, and no negative either.

    Args:
      queries: the numbers of examples.
      numbers: passages, of each.
    """
    groups = self._groups[:, queries, None]
    keys = self._keys[numbers]
    by_text, by_label = _is_in(_pair(groups, keys), self._answers)
    return by_text | (by_label & (groups[1] != 0)) | (keys == groups[0])

  def _parse(self, number: int) -> Example:
    start, stop = self._starts[number : number + 2]
    return examples.parse(self._content[start:stop].tobytes())


def passages(example: Example) -> tuple[str, ...]:
  """Returns the positive, and the hard negatives."""
  return (example.positive, *example.negatives)


def _array() -> array.array:
  return array.array('Q')


@dataclasses.dataclass(frozen=True)
class _Read:
  """What is kept of a task's texts.

  Attributes:
    starts: byte at which the line of each example begins, and the end.
    queries: hash of each example's query.
    labels: and of its label; 0 where it has none.
    texts: hash of each passage, as often as it comes.
    keys: hash of what it has in common with those taken for the same.
    owners: number of the example that it comes with.
    places: which of the example's passages it is.
  """

  starts: array.array = dataclasses.field(default_factory=_array)
  queries: array.array = dataclasses.field(default_factory=_array)
  labels: array.array = dataclasses.field(default_factory=_array)
  texts: array.array = dataclasses.field(default_factory=_array)
  keys: array.array = dataclasses.field(default_factory=_array)
  owners: array.array = dataclasses.field(default_factory=_array)
  places: array.array = dataclasses.field(default_factory=_array)

  def add(self, start: int, example: Example) -> None:
    """Takes an example in, whose line begins at a byte."""
    owner = len(self.starts)
    self.starts.append(start)
    self.queries.append(_key(example.query))
    label = f'label/{example.label}' if example.label else ''
    self.labels.append(text_id(label) if label else 0)
    for place, text in enumerate(passages(example)):
      self.texts.append(text_id(text))
      self.keys.append(_key(text))
      self.owners.append(owner)
      self.places.append(place)


def _read(task: str) -> _Read:
  read, ids = _Read(), _array()
  for start, example in examples.read_places(task):
    read.add(start, example)
    ids.append(text_id(example.id))
  if not ids:
    raise ValueError(
      f'Task {task!r} has no examples to mine for; take it out of '
      'Curation.tasks.'
    )
  _check_unique(task, np.array(ids, np.uint64))
  read.starts.append(examples.texts_path(task).stat().st_size)
  return read


def _check_unique(task: str, ids: UInt64[np.ndarray, 'n']) -> None:
  ascending = np.sort(ids)
  twice = ascending[1:][ascending[1:] == ascending[:-1]]
  if len(twice):
    number = int(np.flatnonzero(ids == twice[0])[0])
    names = (example.id for example in examples.read_texts(task))
    name = next(name for n, name in enumerate(names) if n == number)
    raise ValueError(
      f'{examples.texts_path(task)} has more than one example with id '
      f'{name!r}, so that mined negatives would be of either; give each an id '
      'of its own in the source of the task, and run `gemb cache` again.'
    )


def _key(text: str) -> int:
  return text_id(examples.text_key(text))


def _pair(
  first: UInt64[np.ndarray, '*a'], second: UInt64[np.ndarray, '*b']
) -> UInt64[np.ndarray, '*c']:
  """Returns a hash of two, for each pair."""
  return (first * _ODD) ^ second


def _is_in(
  asked: UInt64[np.ndarray, '*s'], ascending: UInt64[np.ndarray, 'n']
) -> Bool[np.ndarray, '*s']:
  places = np.searchsorted(ascending, asked)
  return ascending[np.minimum(places, len(ascending) - 1)] == asked
