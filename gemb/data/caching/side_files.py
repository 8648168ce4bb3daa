"""Files beside a task that tell something of its examples: JSON lines by id.

Those that curation makes (`gemb mine`, `score`, `filter`) begin with a line
{"about": ...}, which tells the task and its texts, and their rows have more
than is read here. A file may be larger than memory: of each line are kept the
hash of its id, and where it lies.
"""

import array
import json
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt64

from gemb.data import examples
from gemb.data.records import text_id

Check = Callable[[dict[str, Any]], None]


def index_lines(
  path: pathlib.Path, check: Check, wanted: str
) -> UInt64[np.ndarray, '3 n']:
  """Returns the hashes of a file's ids, ascending, and where its lines lie.

  The rows are hash, first byte, and the byte after the last.

  Args:
    path: of the file.
    check: raises ValueError if a line's object is not what it should be.
    wanted: a line that is.

  Raises:
    OSError: if the file cannot be read.
    ValueError: if a line is malformed, or an id comes twice.
  """
  hashes, starts, stops = (array.array('Q') for _ in range(3))
  position = 0
  with path.open('rb') as file:
    for number, line in enumerate(file, start=1):
      start, position = position, position + len(line)
      if number == 1 and _about(line) is not None:
        continue
      try:
        values = parse(line)
        check(values)
      except ValueError as error:
        raise ValueError(
          f'Line {number} of {path} is malformed ({error}); wanted a line such '
          f'as {wanted}.'
        ) from error
      hashes.append(text_id(values['id']))
      starts.append(start)
      stops.append(position)
  lines = np.array([hashes, starts, stops], np.uint64)
  lines = lines[:, np.argsort(lines[0], kind='stable')]
  _check_unique(path, lines)
  return lines


def parse(line: bytes) -> dict[str, Any]:
  """Returns the object of a line.

  Raises:
    ValueError: if it is none, or has no id.
  """
  values = json.loads(line)
  if not isinstance(values, dict):
    raise ValueError('it is no object')
  if not isinstance(values.get('id'), str):
    raise ValueError(f'its "id" is {values.get("id")!r}, no text')
  return values


def read_about(path: pathlib.Path) -> dict[str, Any] | None:
  """Returns what the first line tells of the file; None if it tells nothing."""
  with path.open('rb') as file:
    return _about(file.readline())


def check_task(
  path: pathlib.Path, lines: UInt64[np.ndarray, '3 n'], task: str
) -> None:
  """Makes sure that a file is of a task, and of the texts that it has now.

  Args:
    path: of the file.
    lines: `index_lines` of it.
    task: whose texts `gemb cache` has written.

  Raises:
    FileNotFoundError: if there are no texts.
    ValueError: if it is of another task or of other texts, or an id is that of
      no example.
  """
  about = read_about(path)
  if about is not None and about.get('task') != task:
    raise ValueError(
      f'{path} is of task {about.get("task")!r}, and was given for {task!r}; '
      'name the file of that task in DataConfig.'
    )
  if about is not None and about.get('texts') != examples.texts_sha256(task):
    raise ValueError(
      f'{path} was made from another corpus: the texts of task {task!r} have '
      'changed since. Run `gemb mine`, and what came after it, again in a new '
      '--folder.'
    )
  ids = (text_id(example.id) for example in examples.read_texts(task))
  unknown = np.flatnonzero(~np.isin(lines[0], np.fromiter(ids, np.uint64)))
  if len(unknown):
    raise ValueError(
      f'{path} has a line for id {_name(path, lines[1, unknown[0]])!r}, which '
      f'no example of task {task!r} has; so it is with {len(unknown):,} of its '
      f'{lines.shape[1]:,} lines. It is of another corpus.'
    )


def _about(line: bytes) -> dict[str, Any] | None:
  try:
    values = json.loads(line)
  except ValueError:
    return None
  if not isinstance(values, dict) or values.keys() != {'about'}:
    return None
  return values['about']


def _check_unique(path: pathlib.Path, lines: UInt64[np.ndarray, '3 n']) -> None:
  hashes, starts, _ = lines
  twice: Int64[np.ndarray, _] = np.flatnonzero(hashes[1:] == hashes[:-1])
  if len(twice):
    raise ValueError(
      f'{path} has more than one line for id '
      f'{_name(path, starts[twice[0]])!r}; keep one.'
    )


def _name(path: pathlib.Path, start: np.uint64) -> str:
  """Returns the id of the line that begins at a byte."""
  with path.open('rb') as file:
    file.seek(int(start))
    return parse(file.readline())['id']
