"""Answers on disk: what was paid for is not asked for again.

A file of JSON lines, `{"key": ..., "text": ..., ...}`, that only grows. Several
processes may add to it; a line that a kill cut short is passed over.
"""

import dataclasses
import fcntl
import hashlib
import json
import os
import pathlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from gemb.curation.remote.service import Answer, Request


class Answers:
  """The file of a model; holds where answers are, not the answers."""

  def __init__(self, folder: str | os.PathLike, identity: Mapping[str, Any]):
    """Opens the file, if there is one.

    Args:
      folder: of all models' answers.
      identity: of this model, with all that its answers depend on.

    Raises:
      OSError: if it cannot be read.
    """
    name = re.sub(
      r'[^\w.-]+', '_', f'{identity["service"]}_{identity["model"]}'
    )
    self.path = pathlib.Path(folder) / f'{name}.jsonl'
    self._identity = json.dumps(identity, sort_keys=True)
    self._places: dict[str, int] = {}
    self._read = 0

  def key(self, request: Request) -> str:
    """Returns what a request's answer is found by."""
    asked = json.dumps(dataclasses.asdict(request), sort_keys=True)
    return hashlib.sha256(f'{self._identity}\n{asked}'.encode()).hexdigest()

  def find(self, keys: Iterable[str]) -> dict[str, Answer]:
    """Returns those of the answers that are there, by key."""
    if not self.path.is_file():
      return {}
    with self.path.open('rb') as file:
      self._look_through(file)
      return {
        key: _read_answer(file, self._places[key])
        for key in keys
        if key in self._places
      }

  def add(self, key: str, answer: Answer) -> None:
    """Appends an answer; on disk when it returns."""
    self.path.parent.mkdir(parents=True, exist_ok=True)
    row = {'key': key, **dataclasses.asdict(answer)}
    line = json.dumps(row, ensure_ascii=False) + '\n'
    with self.path.open('a+b') as file:
      fcntl.flock(file, fcntl.LOCK_EX)
      file.write(b'\n' * _is_cut_short(file) + line.encode())
      file.flush()
      os.fsync(file.fileno())

  def _look_through(self, file: Any) -> None:
    """Finds where the answers are that were added since the last time."""
    file.seek(self._read)
    for line in file:
      if not line.endswith(b'\n'):
        break  # another process may be writing it
      row = _parse(line)
      if row is not None:
        self._places[row['key']] = self._read
      self._read += len(line)


def _parse(line: bytes) -> dict[str, Any] | None:
  try:
    row = json.loads(line)
  except ValueError:
    return None
  return row if isinstance(row, dict) and 'key' in row else None


def _read_answer(file: Any, place: int) -> Answer:
  file.seek(place)
  row = json.loads(file.readline())
  del row['key']
  return Answer(**row)


def _is_cut_short(file: Any) -> bool:
  if file.seek(0, os.SEEK_END) == 0:
    return False
  file.seek(-1, os.SEEK_END)
  return file.read(1) != b'\n'
