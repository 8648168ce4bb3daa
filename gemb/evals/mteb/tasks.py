"""MTEB's own tasks, by name."""

import dataclasses
import difflib
from collections.abc import Iterable
from typing import Any

from gemb.prompts import BY_MTEB_TYPE


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskList:
  """Tasks that are reported together.

  Attributes:
    name: of the benchmark or the folder.
    tasks: mteb's task objects (`mteb.AbsTask`).
    benchmark: whether it is a benchmark of MTEB, with means to be reported.
  """

  name: str
  tasks: tuple[Any, ...]
  benchmark: bool = False


def find_tasks(names: Iterable[str]) -> list[TaskList]:
  """Returns each benchmark that is named, and a list of the single tasks.

  Args:
    names: of benchmarks, such as 'MTEB(eng, v2)', or tasks, such as 'STS12'.

  Raises:
    ValueError: if MTEB has no such benchmark or task.
  """
  import mteb

  found, single = [], []
  for name in names:
    try:
      benchmark = mteb.get_benchmark(name)
      tasks = tuple(benchmark.tasks)
      found.append(TaskList(name=name, tasks=tasks, benchmark=True))
    except KeyError:
      task = _find_task(name)
      if not task:
        raise ValueError(
          f'MTEB has no benchmark and no task {name!r}; the nearest are '
          f'{_nearest(name)}.'
        ) from None
      single.append(task)
  if single:
    found.append(TaskList(name='single tasks', tasks=tuple(single)))
  return found


def check_overrides(
  overrides: Iterable[str], lists: Iterable[TaskList]
) -> None:
  """Raises ValueError if a prompt is for nothing that there is.

  Tasks of MTEB that are not evaluated now may have one: a config serves many
  evaluations.
  """
  here = [task.metadata.name for of_list in lists for task in of_list.tasks]
  known = [*here, *BY_MTEB_TYPE]
  for key in overrides:
    if key not in known and not _find_task(key):
      raise ValueError(
        f'There is a prompt for {key!r}, which is no type of task, no task of '
        f'MTEB and none of these; the nearest are {_nearest(key, known)}.'
      )


def _find_task(name: str) -> Any:
  """Returns a task of MTEB's; None if it has none of this name."""
  import mteb

  try:
    return mteb.get_task(name)
  except KeyError:
    return None


def _nearest(name: str, known: Iterable[str] = ()) -> list[str]:
  """Returns the names that a misspelt one may have meant."""
  import mteb

  texts = mteb.get_tasks(
    modalities=['text'],
    exclusive_modality_filter=True,
    exclude_superseded=False,
  )
  of_mteb = [task.metadata.name for task in texts]
  benchmarks = [benchmark.name for benchmark in mteb.get_benchmarks()]
  every = [*known, *of_mteb, *benchmarks]
  return difflib.get_close_matches(name, every, n=3, cutoff=0)
