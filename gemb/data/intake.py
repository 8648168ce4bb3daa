"""Examples out of the rows of one's own data, and what is wrong with others.

A row that cannot be trained on is named, counted and left out, or stops the
reading where there are more than SourceConfig.max_bad_share. Memory does not
grow with the data, but for 8 bytes an id; only texts with a label are held, all
at once, since any may be chosen for another.
"""

import collections
import dataclasses
import difflib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from gemb.data import labels, readers
from gemb.data.examples import Example
from gemb.data.labels import Labelled
from gemb.data.readers.row import not_utf8
from gemb.data.records import text_id
from gemb.data.sources import SourceConfig

_NAMED = 3  # bad rows, in a message
_RECENT = 2**16  # ids, at least, before they are sorted in


class _BadRowError(ValueError):
  """Why a row cannot be trained on."""


def check(config: SourceConfig) -> None:
  """Looks whether a source is there and has the fields that are named.

  Raises:
    FileNotFoundError: if there is no such file.
    ValueError: if there is no such data set, split or field, or no row.
  """
  known = readers.open_reader(config).names()
  if not known:
    next(read(config), None)  # says what is wrong with the rows there are
  for part, field in config.fields.items():
    if field not in known:
      near = difflib.get_close_matches(field, known, n=3, cutoff=0)
      raise ValueError(
        f'SourceConfig.{part} of {config.task!r} is {field!r}, which the first '
        f'row of {config.path} does not have; did you mean one of {near}?'
      )


def identity(config: SourceConfig) -> str:
  """Returns what changes when a source's Examples would."""
  mapping = {**config.fields, 'max_characters': config.max_characters}
  content = readers.open_reader(config).content()
  return f'{content} {json.dumps(mapping, sort_keys=True)}'


def read(
  config: SourceConfig, counts: collections.Counter[str] | None = None
) -> Iterator[Example]:
  """Yields the Examples of a source, and says how many rows were left out.

  Args:
    config: the source.
    counts: 'bad' is added to it, the rows that were left out.

  Raises:
    ValueError: if more rows than may be are malformed, there is none, or a file
      is damaged.
  """
  tally = _Tally(config)
  examples = _good_examples(config, tally)
  if config.label:
    examples = labels.contrast(
      Labelled(id=e.id, language=e.language, text=e.query, label=e.label)
      for e in examples
    )
  yield from examples
  if counts is not None:
    counts['bad'] += tally.bad
  print(tally.summary())


def _good_examples(config: SourceConfig, tally: '_Tally') -> Iterator[Example]:
  ids = _Ids()
  rows = readers.open_reader(config).rows(list(config.fields.values()))
  for row in rows:
    tally.seen += 1
    try:
      if row.problem:
        raise _BadRowError(row.problem)
      example = _example(config, row.values, tally.seen)
      if config.id is not None and not ids.add(example.id):
        raise _BadRowError(f'the id {example.id!r} was given before')
    except _BadRowError as problem:
      tally.note(row.place, str(problem))
    else:
      yield example
  tally.check()


def _example(
  config: SourceConfig, values: dict[str, Any], number: int
) -> Example:
  found = _Values(config.fields, values, config.max_characters)
  example = Example(
    id=found.name('id', str(number)),
    language=found.name('language', 'und', may_lack=True),
    query=found.text('query'),
    positive='' if config.label else found.text('positive'),
    negatives=found.texts('negatives'),
    label=found.name('label', ''),
  )
  if example.positive in example.negatives:
    raise _BadRowError('the positive is among the negatives')
  return example


@dataclasses.dataclass(frozen=True)
class _Values:
  """The values of a row, by the parts of an Example that they are for."""

  fields: dict[str, str]
  values: dict[str, Any]
  max_characters: int

  def text(self, part: str) -> str:
    field = self.fields[part]
    if field not in self.values:
      raise _BadRowError(f'there is no {field!r}')
    return self._checked(self.values[field], repr(field))

  def texts(self, part: str) -> tuple[str, ...]:
    """The texts of a list, or the one text there is; none may be there."""
    field = self.fields.get(part, '')
    value = self.values.get(field)
    if value is None:
      return ()
    items = value if isinstance(value, list) else [value]
    return tuple(self._checked(item, repr(field)) for item in items)

  def name(self, part: str, default: str, *, may_lack: bool = False) -> str:
    """A text, or a number that stands for one."""
    if part not in self.fields:
      return default
    value = self.values.get(self.fields[part])
    if value is None and may_lack:
      return default
    return str(value) if type(value) is int else self.text(part)

  def _checked(self, value: Any, field: str) -> str:
    if isinstance(value, bytes):
      value = _decoded(value, field)
    if not isinstance(value, str):
      raise _BadRowError(f'{field} is {_short(value)}, wanted text')
    if not value.strip():
      raise _BadRowError(f'{field} is blank')
    if len(value) > self.max_characters:
      raise _BadRowError(
        f'{field} has {len(value):,} characters, more than '
        f'SourceConfig.max_characters, {self.max_characters:,}'
      )
    if not value.isascii():
      _check_encodable(value, field)
    return value


def _decoded(value: bytes, field: str) -> str:
  try:
    return value.decode()
  except UnicodeDecodeError as error:
    raise _BadRowError(not_utf8(error, field)) from None


def _check_encodable(value: str, field: str) -> None:
  """JSON can escape half of a character, which no file can hold."""
  try:
    value.encode()
  except UnicodeEncodeError as error:
    raise _BadRowError(
      f'character {error.start + 1:,} of {field} is half of a surrogate pair'
    ) from None


def _short(value: Any) -> str:
  said = repr(value)
  return said if len(said) <= 40 else f'{said[:40]}…'


class _Tally:
  """Counts rows, and remembers the first bad ones."""

  def __init__(self, config: SourceConfig):
    self._config = config
    self.seen = 0
    self.bad = 0
    self._first: list[str] = []

  def note(self, place: str, problem: str) -> None:
    self.bad += 1
    if len(self._first) < _NAMED:
      self._first.append(f'{place}: {problem}')

  def summary(self) -> str:
    said = f'{self._config.task}: {self.seen - self.bad:,} good rows'
    if not self.bad:
      return f'{said}, none bad'
    return f'{said}, {self.bad:,} bad ones left out ({self._named()})'

  def check(self) -> None:
    """Raises ValueError if there is no row, or too many are bad."""
    config = self._config
    if not self.seen:
      raise ValueError(
        f'{config.path}, the source of task {config.task!r}, has no row.'
      )
    if self.bad > config.max_bad_share * self.seen:
      raise ValueError(
        f'{self.bad:,} of the {self.seen:,} rows of {config.path}, the source '
        f'of task {config.task!r}, cannot be trained on ({self._named()}). '
        'Mend them, or have them left out: their share is '
        f'{self.bad / self.seen:.2g}, and SourceConfig.max_bad_share is '
        f'{config.max_bad_share:g}.'
      )

  def _named(self) -> str:
    more = '; …' if self.bad > len(self._first) else ''
    return '; '.join(self._first) + more


class _Ids:
  """A set of ids as 64-bit hashes, a sorted array but for the recent ones.

  Among ten million ids, two different ones are taken for the same with a
  probability of 3 in a million.
  """

  def __init__(self):
    self._recent: set[int] = set()
    self._sorted = np.empty(0, np.uint64)

  def add(self, name: str) -> bool:
    """Returns whether the id is new."""
    hashed = text_id(name)
    place = int(np.searchsorted(self._sorted, np.uint64(hashed)))
    if place < len(self._sorted) and int(self._sorted[place]) == hashed:
      return False
    if hashed in self._recent:
      return False
    self._recent.add(hashed)
    # In proportion, so that all merging together stays linear.
    if len(self._recent) >= max(_RECENT, len(self._sorted) // 8):
      recent = np.fromiter(self._recent, np.uint64, len(self._recent))
      self._sorted = np.sort(np.concatenate([self._sorted, recent]))
      self._recent.clear()
    return True
