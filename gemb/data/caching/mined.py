"""Mined hard negatives: JSON lines of `id` and `negatives`, beside a task.

Such a file may be larger than memory, and each process that makes records needs
a small part of it: so it is read once, checked and indexed by the hashes of its
ids (24 bytes a line), and lines are then read where they lie.
"""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt64

from gemb.data.caching import side_files
from gemb.data.examples import Example, text_key
from gemb.data.records import text_id


def index_lines(path: pathlib.Path) -> UInt64[np.ndarray, '3 n']:
  """Returns the hashes of a file's ids, ascending, and where its lines lie.

  The rows are hash, first byte, and the byte after the last.

  Raises:
    OSError: if the file cannot be read.
    ValueError: if a line is no JSON object of an id and a list of texts, or an
      id comes twice.
  """
  # Only rows of curation, which say what they are, have more in them.
  made_by_hand = side_files.read_about(path) is None

  def check(values: dict[str, Any]) -> None:
    _check(values, alone=made_by_hand)

  wanted = '{"id": "a/1", "negatives": ["a text", "another"]}'
  return side_files.index_lines(path, check, wanted)


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
    return side_files.parse(line.tobytes())['negatives']

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
  seen, kept = {text_key(example.positive)}, []
  for text in (*mined, *example.negatives):
    if text_key(text) not in seen:
      seen.add(text_key(text))
      kept.append(text)
  return tuple(kept)


def _check(values: dict[str, Any], *, alone: bool) -> None:
  if alone and values.keys() != {'id', 'negatives'}:
    raise ValueError('it is no object of "id" and "negatives" alone')
  negatives = values.get('negatives')
  if not isinstance(negatives, list) or not all(
    isinstance(text, str) for text in negatives
  ):
    raise ValueError('its "negatives" are no list of texts')
