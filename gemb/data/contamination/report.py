"""What overlaps, as one JSON file: to read, to cut, to clear a cache by."""

import dataclasses
import difflib
import hashlib
import json
import os
import pathlib
from typing import Any

import gemb
from gemb import files
from gemb.data import examples
from gemb.data.contamination.settings import OverlapConfig

_FORMAT = 'gemb contamination 1'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sample:
  """One overlap, to look at.

  Attributes:
    id: of the training example.
    side: 'query' or 'positive'.
    kind: 'exact', 'containing' or 'near'.
    similarity: of their n-grams; 1.0 but for near ones.
    sets: the evaluation sets that have the text.
    text: of the training example, cut short.
    evaluation: the text of the sets, cut short.
  """

  id: str
  side: str
  kind: str
  similarity: float
  sets: list[str]
  text: str
  evaluation: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskOverlap:
  """What a task has in common with the evaluation sets.

  Attributes:
    source: that its texts were read from.
    examples: all of them.
    exact: examples a side of which is an evaluation text, word by word.
    containing: of the others, those a side of which has one within it.
    near: of the others, those a side of which is much like one.
    sets: examples that overlap, by evaluation set.
    ids: of all that overlap.
    samples: some of each kind, the least similar first.
  """

  source: str
  examples: int
  exact: int
  containing: int
  near: int
  sets: dict[str, int]
  ids: list[str]
  samples: list[Sample]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
  """The overlap of all tasks.

  Attributes:
    settings: when texts count as the same.
    sets: of evaluation texts: how many different ones, and their checksum.
    tasks: by name.
  """

  settings: OverlapConfig
  sets: dict[str, dict[str, Any]]
  tasks: dict[str, TaskOverlap]

  def write(self, path: str | os.PathLike) -> None:
    """Writes the report, whole or not at all."""
    values = {
      'format': _FORMAT,
      'version': gemb.__version__,
      **dataclasses.asdict(self),
    }
    text = json.dumps(values, indent=1, ensure_ascii=False)
    files.write_file(path, f'{text}\n')

  def lines(self) -> list[list[str]]:
    """Returns head and body of a table of the tasks."""
    head = ['task', 'examples', 'exact', 'containing', 'near', 'overlap']
    body = [
      [
        task,
        *(f'{n:,}' for n in (found.examples, *_counts(found).values())),
        f'{len(found.ids) / max(found.examples, 1):.2%}',
      ]
      for task, found in self.tasks.items()
    ]
    return [head, *body]


class Contaminated:
  """A report as `gemb cache` uses it: the examples to drop, by task."""

  def __init__(
    self,
    path: pathlib.Path,
    sets: list[str],
    tasks: dict[str, TaskOverlap],
  ):
    """Takes what `load_contaminated` has read."""
    self._path, self._sets, self._tasks = path, sets, tasks

  def ids(self, task: str) -> frozenset[str]:
    """Returns the ids of the examples to drop.

    Raises:
      ValueError: if the report has no such task, or its texts have changed
        since.
    """
    found = self._find(task)
    source = examples.texts_source(task)
    if source is not None and source != found.source:
      raise ValueError(
        f'{self._path} was made when the texts of {task!r} came from '
        f'{found.source}, and now they come from {source}; run `gemb '
        'decontaminate` again.'
      )
    return frozenset(found.ids)

  def checksum(self, task: str) -> str:
    """Returns a hash of the ids, whatever their order.

    Raises:
      ValueError: if the report has no such task.
    """
    text = json.dumps(sorted(set(self._find(task).ids)))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

  def summary(self, task: str) -> dict[str, Any]:
    """Returns counts and the names of the evaluation sets, for a manifest.

    Raises:
      ValueError: if the report has no such task.
    """
    found = self._find(task)
    return {
      'examples': found.examples,
      **_counts(found),
      'dropped': len(set(found.ids)),
      'sets': self._sets,
    }

  def _find(self, task: str) -> TaskOverlap:
    if task not in self._tasks:
      near = difflib.get_close_matches(task, self._tasks, n=2, cutoff=0)
      raise ValueError(
        f'{self._path} says nothing of task {task!r}; it has some for {near}. '
        'Run `gemb decontaminate` with the same --gin_file.'
      )
    return self._tasks[task]


def load_contaminated(path: str | os.PathLike) -> Contaminated:
  """Reads a report.

  Ids that were taken out of it by hand are not dropped.

  Raises:
    FileNotFoundError: if it is not there.
    ValueError: if it is damaged, or something else.
  """
  path = pathlib.Path(path)
  if not path.is_file():
    raise FileNotFoundError(
      f'DataConfig.contaminated is {str(path)!r}, and there is no such file; '
      'run `gemb decontaminate`, or set it to None.'
    )
  try:
    values = json.loads(path.read_text(encoding='utf-8'))
  except ValueError as error:
    raise _useless(path, f'no JSON: {error}') from error
  if not isinstance(values, dict) or values.get('format') != _FORMAT:
    raise _useless(path, f'not of the format {_FORMAT!r}')
  try:
    tasks = {k: _read_task(v) for k, v in values['tasks'].items()}
    sets = sorted(values['sets'])
  except (AttributeError, KeyError, TypeError) as error:
    raise _useless(path, 'it lacks something, or has too much') from error
  return Contaminated(path, sets, tasks)


def _read_task(values: dict[str, Any]) -> TaskOverlap:
  """Returns an overlap; anything that is not one raises TypeError, KeyError."""
  samples = [Sample(**sample) for sample in values.pop('samples')]
  found = TaskOverlap(samples=samples, **values)
  numbers = [found.examples, *_counts(found).values()]
  texts = [found.source, *found.ids]
  if not (
    isinstance(found.ids, list)
    and all(isinstance(number, int) for number in numbers)
    and all(isinstance(text, str) for text in texts)
  ):
    raise TypeError
  return found


def _counts(found: TaskOverlap) -> dict[str, int]:
  return {
    'exact': found.exact,
    'containing': found.containing,
    'near': found.near,
  }


def _useless(path: pathlib.Path, problem: str) -> ValueError:
  return ValueError(
    f'{path} is no report of `gemb decontaminate` ({problem}); run that again.'
  )
