"""What a folder says of the supervisor that works for it, and whether it lives.

.supervised     locked as long as it lives: the kernel lets go of it
supervised.json its process, how often it has started the run, how that ended
"""

import contextlib
import dataclasses
import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

from gemb import files
from gemb.data import locks


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
  """How a supervised command goes.

  Attributes:
    process: id of the supervisor's.
    starts: how often it has started the command.
    status: exit status, once it has ended.
    cause: why it has.
  """

  process: int
  starts: int = 0
  status: int | None = None
  cause: str = ''


@contextlib.contextmanager
def kept(
  folder: pathlib.Path | None, process: int
) -> Iterator[Callable[..., None]]:
  """Keeps the record of a folder while this process supervises for it.

  Args:
    folder: None: nothing is written.
    process: the id of this one.

  Yields:
    A function that changes values of the record by name.

  Raises:
    ValueError: if another supervisor works for the folder.
  """
  if folder is None:
    yield lambda **changes: None
    return
  record = Record(process=process)

  def write(**changes: Any) -> None:
    nonlocal record
    record = dataclasses.replace(record, **changes)
    content = json.dumps(dataclasses.asdict(record), indent=2) + '\n'
    files.write_file(_path(folder), content)

  folder.mkdir(parents=True, exist_ok=True)
  with locks.hold(_lock(folder), wait=False) as held:
    if not held:
      raise ValueError(f'{folder} has a supervisor that runs; stop it first.')
    write()
    yield write


def is_running(folder: pathlib.Path) -> bool:
  """Returns whether a supervisor works for the folder."""
  if not _lock(folder).is_file():
    return False
  with locks.hold(_lock(folder), wait=False) as free:
    return not free


def read(folder: pathlib.Path) -> Record | None:
  """Returns what the last supervisor has written; None: there was none."""
  if not _path(folder).is_file():
    return None
  return Record(**json.loads(_path(folder).read_text(encoding='utf-8')))


def _lock(folder: pathlib.Path) -> pathlib.Path:
  return folder / '.supervised'


def _path(folder: pathlib.Path) -> pathlib.Path:
  return folder / 'supervised.json'
