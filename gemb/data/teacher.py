"""A teacher's embeddings of a run's texts, stored to be learned from.

A folder (`DataConfig.teacher`) holds, for each task,

  TASK.npy      float16 or float32 [n, 2 + k, Et], of length 1: embeddings of
                query, positive and the first k hard negatives of each record,
                in the order of the records; 0 where it has fewer
  TASK.jsonl    where another program is to embed them: the texts of each
                record, as the task has them, without prompts

and teacher.json, which tells whose they are and of which records, so that
vectors of other texts, prompts or another order are refused. `gemb teach`
writes all of it with a model of gemb; with --texts it writes no vectors, and
they may come from anywhere, here from `embed`:

    import json, numpy as np

    shape = json.load(open('teacher.json'))['tasks']['my_task']['shape']
    vectors = np.lib.format.open_memmap(
      'my_task.npy', mode='w+', dtype='float16', shape=(*shape, 768)
    )
    for row, line in zip(vectors, open('my_task.jsonl')):
      texts = json.loads(line)
      found = embed([texts['query'], texts['positive'], *texts['negatives']])
      row[: len(found)] = found / np.linalg.norm(found, axis=1, keepdims=True)
    vectors.flush()
"""

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64

from gemb.data.records import Records

_LOOKS = 256  # rows of a task that are checked, and tell it from another
_TOLERANCE = 0.01  # of a length that is 1 but for float16


class Teacher:
  """The stored vectors of all tasks; safe to read from several threads.

  Attributes:
    width: Et.
  """

  def __init__(
    self,
    folder: pathlib.Path,
    records: Mapping[str, Records],
    *,
    negatives: int,
  ):
    """Opens the vectors and looks at some of each task.

    Args:
      folder: that holds them.
      records: {task: those that the run reads}, in the order of its rates.
      negatives: R, hard negatives of an example that the run reads.

    Raises:
      ValueError: if some are missing, of other records or of no use.
    """
    about = read_about(folder)
    self._vectors = [
      _open(folder, about, of_task, negatives) for of_task in records.values()
    ]
    widths = {
      task: vectors.shape[-1]
      for task, vectors in zip(records, self._vectors, strict=True)
    }
    self.width = min(widths.values())
    if self.width < max(widths.values()):
      raise ValueError(
        f"The teacher's vectors in {folder} are of several widths, {widths}; "
        'take those of one model.'
      )
    self._identity = {
      task: _check_sample(folder / f'{task}.npy', vectors)
      for task, vectors in zip(records, self._vectors, strict=True)
    }

  def read(
    self,
    tasks: Int64[np.ndarray, 'n'],
    indices: Int64[np.ndarray, 'n'],
    *,
    there: Bool[np.ndarray, 'n I'],
  ) -> Float32[np.ndarray, 'n I Et']:
    """Returns the vectors of examples' texts.

    Args:
      tasks: the number of each example's task, in the order of the rates.
      indices: the number of each example in its records.
      there: which texts it has; the others get 0.
    """
    found = np.zeros((*there.shape, self.width), np.float32)
    for number in np.unique(tasks):
      here, vectors = tasks == number, self._vectors[number]
      stored = min(there.shape[1], vectors.shape[1])
      found[here, :stored] = vectors[indices[here], :stored]
    found[~there] = 0
    return found

  def check_prefixes(self, prefixes: tuple[int, ...]) -> None:
    """Raises ValueError if a prefix is wider than the vectors."""
    if max(prefixes) > self.width:
      raise ValueError(
        f'Prefix {max(prefixes)} is wider than the vectors of '
        f'DataConfig.teacher, which have {self.width} dimensions; shorten '
        'LossConfig.prefixes, or take another teacher.'
      )

  def identity(self) -> dict[str, str]:
    """Returns a checksum of each task's vectors, of those looked at."""
    return self._identity


def read_about(folder: pathlib.Path) -> dict[str, Any]:
  """Returns what teacher.json tells.

  Raises:
    ValueError: if it is not there, or damaged.
  """
  try:
    about = json.loads((folder / 'teacher.json').read_text())
    return {'model': about['model'], 'tasks': dict(about['tasks'])}
  except (OSError, ValueError, KeyError, TypeError) as error:
    # No FileNotFoundError, at which a trainer would have the cache made.
    raise ValueError(
      f"{folder} holds no teacher's vectors (teacher.json: {error!r}); make "
      'them with `gemb teach`, or change DataConfig.teacher.'
    ) from error


def describe(records: Records, negatives: int) -> dict[str, Any]:
  """Returns what teacher.json tells of a task.

  Args:
    records: of the task, with its task string.
    negatives: R, hard negatives of an example that the run reads.

  Returns:
    The checksum of the records, what they were made from, and [n, 2 + k],
    where k is R, or the most that an example has.
  """
  texts = min(records.lengths.shape[1], 2 + negatives)
  return {
    'records': records.manifest['content'],
    'spec': json.loads(json.dumps(dataclasses.asdict(records.spec))),
    'shape': [len(records), texts],
  }


def check_records(
  folder: pathlib.Path, was: Mapping[str, Any], wanted: Mapping[str, Any]
) -> None:
  """Raises ValueError if a task's vectors are of other records than wanted."""
  task = wanted['spec']['task']
  if was['records'] != wanted['records']:
    differences = [
      f'{key} was {was["spec"].get(key)!r}, is {value!r}'
      for key, value in wanted['spec'].items()
      if was['spec'].get(key) != value
    ]
    raise ValueError(
      f"The teacher's vectors of task {task!r} in {folder} are of other "
      f'records: {"; ".join(differences) or "its texts have changed"}. Make '
      'vectors of this run with `gemb teach`, in another folder.'
    )
  if was['shape'][1] < wanted['shape'][1]:
    raise ValueError(
      f"The teacher's vectors of task {task!r} in {folder} are of "
      f'{was["shape"][1] - 2} hard negatives of an example, and '
      f'{wanted["shape"][1] - 2} are read; make more with `gemb teach`, in '
      'another folder, or lower DataConfig.hard_negatives.'
    )


def _open(
  folder: pathlib.Path,
  about: Mapping[str, Any],
  records: Records,
  negatives: int,
) -> Float[np.ndarray, 'n k Et']:
  """Maps the vectors of a task."""
  wanted, task = describe(records, negatives), records.spec.task
  path = folder / f'{task}.npy'
  if task not in about['tasks'] or not path.is_file():
    raise ValueError(
      f"There are no teacher's vectors of task {task!r} at {path}; go on with "
      'the `gemb teach` that made the others, or put them there.'
    )
  was = about['tasks'][task]
  check_records(folder, was, wanted)
  try:
    vectors = np.load(path, mmap_mode='r')
  except (ValueError, EOFError) as error:
    raise ValueError(
      f'{path} is damaged ({error}); delete it and make it again.'
    ) from error
  right = vectors.ndim == 3 and list(vectors.shape[:2]) == was['shape']
  if not right or vectors.dtype not in (np.float16, np.float32):
    n, texts = was['shape']
    raise ValueError(
      f'{path} is {vectors.dtype} of shape {vectors.shape}; it must be '
      f'float16 or float32 of shape ({n}, {texts}, width).'
    )
  return vectors


def _check_sample(
  path: pathlib.Path, vectors: Float[np.ndarray, 'n k Et']
) -> str:
  """Checks the lengths of some vectors, and returns their checksum."""
  spread = np.linspace(0, len(vectors), _LOOKS, endpoint=False)
  rows = np.unique(spread.astype(np.int64))
  sample = vectors[rows]
  lengths = np.linalg.norm(sample.astype(np.float32), axis=-1)
  right = np.abs(lengths - 1) < _TOLERANCE
  right[:, 2:] |= lengths[:, 2:] == 0
  if not right.all():
    row, text = np.argwhere(~right)[0]
    raise ValueError(
      f'Vector ({rows[row]}, {text}) of {path} has length '
      f'{lengths[row, text]:.4g}; each must be of length 1, and 0 where an '
      'example has no such hard negative.'
    )
  content = hashlib.blake2b(digest_size=16)
  content.update(json.dumps([str(vectors.dtype), vectors.shape]).encode())
  content.update(sample.tobytes())
  return content.hexdigest()
