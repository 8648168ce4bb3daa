"""Mined hard negatives: JSON lines of `id` and `negatives`, beside a task.

Such a file may be larger than memory, and each process that makes records needs
a small part of it: so it is read once, checked and indexed by the hashes of its
ids (24 bytes a line), and lines are then read where they lie.
"""

import array
import dataclasses
import json
import pathlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64, UInt64

from gemb.data.examples import Example, normalise
from gemb.data.records import text_id


def index_lines(path: pathlib.Path) -> UInt64[np.ndarray, '3 n']:
  """Returns the hashes of a file's ids, ascending, and where its lines lie.

  The rows are hash, first byte, and the byte after the last.

  Raises:
    OSError: if the file cannot be read.
    ValueError: if a line is no JSON object of an id and a list of texts, or an
      id comes twice.
  """
  hashes, starts, stops = (array.array('Q') for _ in range(3))
  with path.open('rb') as file:
    for number, line in enumerate(file, start=1):
      try:
        name, _ = _parse(line)
      except ValueError as error:
        raise ValueError(
          f'Line {number} of {path} is malformed ({error}); wanted a line such '
          'as {"id": "a/1", "negatives": ["a text", "another"]}.'
        ) from error
      hashes.append(text_id(name))
      starts.append(stops[-1] if stops else 0)
      stops.append(starts[-1] + len(line))
  lines = np.array([hashes, starts, stops], np.uint64)
  lines = lines[:, np.argsort(lines[0], kind='stable')]
  _check_unique(path, lines)
  return lines


class MinedNegatives:
  """The hard negatives of an indexed file, by the example's id."""

  def __init__(self, path: pathlib.Path, lines: UInt64[np.ndarray, '3 n']):
    """Opens a file that `index_lines` has indexed."""
    self._path = path
    self._lines = lines
    self._content = np.memmap(path, mode='r') if lines.size else None

  def find(self, name: str) -> list[str] | None:
    """Returns the texts for one id; None if the file has no such line."""
    hashes, starts, stops = self._lines
    place = int(np.searchsorted(hashes, np.uint64(text_id(name))))
    if self._content is None or place == len(hashes):
      return None
    if int(hashes[place]) != text_id(name):
      return None
    line = self._content[int(starts[place]) : int(stops[place])]
    return _parse(line.tobytes())[1]

  def add_to(self, example: Example) -> Example:
    """Returns an example with its mined negatives; itself if it has none."""
    found = self.find(example.id)
    if found is None:
      return example
    return dataclasses.replace(example, negatives=join(example, found))


def join(example: Example, mined: Sequence[str]) -> tuple[str, ...]:
  """Returns mined negatives and then the example's own, each text once.

  Texts with the same letters and digits are the same; one that is the positive
  is left out.

  >>> own = Example(
  ...   id='1', language='en', query='', positive='Yes', negatives=('No.', 'So')
  ... )
  >>> join(own, ['Perhaps', 'no', 'yes!'])
  ('Perhaps', 'no', 'So')
  """
  seen, kept = {_key(example.positive)}, []
  for text in (*mined, *example.negatives):
    if _key(text) not in seen:
      seen.add(_key(text))
      kept.append(text)
  return tuple(kept)


def _key(text: str) -> str:
  return normalise(text) or text  # signs alone are told apart as they are


def _parse(line: bytes) -> tuple[str, list[str]]:
  values = json.loads(line)
  if not isinstance(values, dict) or values.keys() != {'id', 'negatives'}:
    raise ValueError('it is no object of "id" and "negatives" alone')
  name, negatives = values['id'], values['negatives']
  if not isinstance(name, str):
    raise ValueError(f'its "id" is {name!r}, no text')
  if not isinstance(negatives, list) or not all(
    isinstance(text, str) for text in negatives
  ):
    raise ValueError('its "negatives" are no list of texts')
  return name, negatives


def _check_unique(path: pathlib.Path, lines: UInt64[np.ndarray, '3 n']) -> None:
  hashes, starts, _ = lines
  twice: Int64[np.ndarray, _] = np.flatnonzero(hashes[1:] == hashes[:-1])
  if len(twice):
    with path.open('rb') as file:
      file.seek(int(starts[twice[0]]))
      name, _ = _parse(file.readline())
    raise ValueError(
      f'{path} has more than one line for id {name!r}; put all of its '
      'negatives into one.'
    )
