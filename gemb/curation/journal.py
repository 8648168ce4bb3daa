"""JSON lines that grow row by row, survive a kill, and end as one file.

The first line, `{"about": ...}`, says what the rows were made from and how:
the same work goes on where it stopped, other work is refused. While it grows
the file is called NAME.part; each added block is on disk before the next, and a
line that a kill cut short is dropped.
"""

import contextlib
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from gemb import files
from gemb.data import locks


class Journal:
  """A file of rows that is being made, or is made already.

  Attributes:
    done: rows that it holds.
    finished: whether it holds all.
  """

  def __init__(self, path: pathlib.Path, about: Mapping[str, Any]):
    """Opens the file, or what there is of it.

    Args:
      path: of the finished file.
      about: what tells its rows from others, as JSON.

    Raises:
      OSError: if it cannot be read or written.
      ValueError: if it holds other work.
    """
    self.path = path
    self.finished = path.is_file()
    self._part = path.with_name(path.name + '.part')
    self._head = json.dumps({'about': about}, ensure_ascii=False) + '\n'
    wanted = json.loads(self._head)['about']
    if self.finished:
      _check_same(path, read_about(path), wanted)
      self.done = sum(1 for _ in read_rows(path))
      return
    path.parent.mkdir(parents=True, exist_ok=True)
    self.done = self._recover(wanted)

  def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
    """Appends rows; on disk when it returns."""
    lines = [json.dumps(row, ensure_ascii=False) + '\n' for row in rows]
    _append(self._part, ''.join(lines))
    self.done += len(lines)

  def rows(self) -> Iterator[dict[str, Any]]:
    """Yields the rows that it holds."""
    return read_rows(self.path if self.finished else self._part)

  def finish(self) -> None:
    """Gives the file its name."""
    os.replace(self._part, self.path)
    self.finished = True

  def _recover(self, wanted: dict[str, Any]) -> int:
    """Drops a line that was cut short; returns how many rows there are."""
    content = self._part.read_bytes() if self._part.is_file() else b''
    whole = content[: content.rfind(b'\n') + 1]
    if not whole:
      self._part.write_text(self._head, encoding='utf-8')
      return 0
    if len(whole) < len(content):
      os.truncate(self._part, len(whole))
    _check_same(self._part, read_about(self._part), wanted)
    return whole.count(b'\n') - 1


def read_about(path: pathlib.Path) -> dict[str, Any]:
  """Returns what a file's first line says.

  Raises:
    OSError: if it cannot be read.
    ValueError: if it is no such file.
  """
  with path.open(encoding='utf-8') as file:
    try:
      return dict(json.loads(file.readline())['about'])
    except (ValueError, KeyError, TypeError) as error:
      raise ValueError(
        f'{path} does not begin with a line {{"about": ...}}; it must be a '
        'file of `gemb mine`, `score`, `filter` or `synthesize`.'
      ) from error


def read_rows(path: pathlib.Path, start: int = 0) -> Iterator[dict[str, Any]]:
  """Yields the rows of a file, from number `start` on.

  Raises:
    OSError: if it cannot be read.
    ValueError: if a line is damaged.
  """
  with path.open(encoding='utf-8') as file:
    next(file, None)
    for number, line in enumerate(file):
      if number < start:
        continue
      try:
        yield json.loads(line)
      except ValueError as error:
        raise ValueError(
          f'Line {number + 2} of {path} is damaged ({error}); delete the file '
          'and run the same command again.'
        ) from error


@contextlib.contextmanager
def hold(path: pathlib.Path) -> Iterator[None]:
  """Keeps other processes from a file while it is made; makes its folder.

  Raises:
    OSError: if the folder cannot be made.
    ValueError: if another one makes it.
  """
  path.parent.mkdir(parents=True, exist_ok=True)
  with locks.hold(path.with_name(f'.{path.name}.lock'), wait=False) as held:
    if not held:
      raise ValueError(
        f'Another process makes {path}; wait for it, or choose another '
        '--folder.'
      )
    yield


@contextlib.contextmanager
def rewrite(
  path: pathlib.Path, about: Mapping[str, Any]
) -> Iterator[Callable[[Mapping[str, Any]], None]]:
  """Yields what adds a row to a file, which then takes the place of any before.

  For rows that follow from others at once, so that nothing is lost with them.
  """
  with (
    files.write_path(path) as temporary,
    temporary.open('w', encoding='utf-8') as file,
  ):

    def add(row: Mapping[str, Any]) -> None:
      file.write(json.dumps(row, ensure_ascii=False) + '\n')

    add({'about': about})
    yield add


def _append(path: pathlib.Path, text: str) -> None:
  with path.open('a', encoding='utf-8') as file:
    file.write(text)
    file.flush()
    os.fsync(file.fileno())


def _check_same(
  path: pathlib.Path, was: Mapping[str, Any], wanted: Mapping[str, Any]
) -> None:
  differences = [
    f'{key} was {was.get(key)!r}, is {wanted.get(key)!r}'
    for key in sorted(was.keys() | wanted.keys())
    if was.get(key) != wanted.get(key)
  ]
  if differences:
    raise ValueError(
      f'{path} was made otherwise: {"; ".join(differences)}. Take the same '
      'settings, another --folder, or delete it.'
    )
