"""A sweep on this machine: its points as processes, or those of a search."""

import dataclasses
import pathlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gemb.run import Run
from gemb.sweep.family import Family
from gemb.sweep.points import describe
from gemb.sweep.record import Record, read_record, write_record
from gemb.sweep.resolving import Changes, whole_names
from gemb.sweep.running import Task, run_tasks
from gemb.sweep.search import Search, Study, Trial

JOURNAL = 'optuna.journal'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pace:
  """How points are run.

  Attributes:
    retries: of one that has failed.
    parallel: at once.
    say: told of each.
  """

  retries: int = 1
  parallel: int = 1
  say: Callable[[str], None] = print


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Started:
  """A point that was handed out.

  Attributes:
    name: of its folder.
    run: that it is.
    shown: what it is called in lines that are said.
    begun: when, in seconds.
    trial: of a search, which it is.
  """

  name: str
  run: Run
  shown: str
  begun: float
  trial: Trial | None = None


def train_command(family: Family, name: str) -> list[str]:
  """Returns the command that trains a point, or goes on with it."""
  return [
    *(sys.executable, '-m', 'gemb.main', 'train'),
    *(f'--gin_file={file}' for file in family.files(name)),
    f'--workdir={family.root / name}',
  ]


def task_of(family: Family, name: str, about: Any = None) -> Task:
  """Returns a point as a task."""
  return Task(
    folder=family.root / name,
    command=train_command(family, name),
    about=about,
  )


def write_points(
  family: Family, points: Sequence[Changes], record: Record
) -> dict[str, Run]:
  """Begins the folders of points; returns each one's run by its name.

  Args:
    family: whose points they are.
    points: resolved.
    record: of the sweep, to which they are added.
  """
  names = [family.name_of(changes) for changes in points]
  runs = {
    name: family.begin(name, changes)[0]
    for name, changes in zip(names, points, strict=True)
  }
  known = record.points | dict(zip(names, points, strict=True))
  write_record(family.root, dataclasses.replace(record, points=known))
  return runs


def run_points(
  family: Family, points: Sequence[Changes], given: str, pace: Pace
) -> list[str]:
  """Runs the points that have not ended; returns which failed, and why.

  Args:
    family: whose points they are.
    points: resolved.
    given: the sweep's file.
    pace: how they are run.

  Raises:
    stopping.Stopped: if it was asked to stop; all runs have saved.
  """
  record = dataclasses.replace(read_record(family.root), given=given)
  runs = write_points(family, points, record)

  def tasks() -> Iterator[Task]:
    for number, name in enumerate(runs):
      place = f'{number + 1} of {len(runs)}, {pathlib.PurePath(name).name}'
      shown = f'{place}: {describe(points[number])}'
      if family.has_ended(name, runs[name]):
        pace.say(f'{shown}: has ended before.')
        continue
      pace.say(f'{shown}: begins.')
      started = _Started(
        name=name, run=runs[name], shown=shown, begun=time.monotonic()
      )
      yield task_of(family, name, started)

  return _run(tasks(), lambda *_: None, pace)


def run_search(
  family: Family, search: Search, given: str, pace: Pace
) -> list[str]:
  """Runs the trials that have not ended; returns which failed, and why.

  Args:
    family: whose points the trials are.
    search: what for.
    given: the sweep's file.
    pace: how they are run.

  Raises:
    ValueError: if the folder holds another search, or Optuna is not installed.
    stopping.Stopped: if it was asked to stop; all runs have saved.
  """
  study = Study(search, family.root / JOURNAL)

  def tell(trial: Trial, name: str, run: Run, reason: str) -> None:
    scores = {} if reason else family.scores(name, run)
    study.tell(trial, scores.get(search.metric))

  def tasks() -> Iterator[Task]:
    for trial in study.trials():
      shown = f'trial {trial.number + 1}: {describe(trial.point)}'
      try:
        name, run = _begin_trial(family, trial, search, given)
      except ValueError as error:
        pace.say(f'{shown}: cannot be: {error}')
        study.tell(trial, None)
        continue
      if family.has_ended(name, run):
        pace.say(f'{shown}: has ended before.')
        tell(trial, name, run, '')
        continue
      pace.say(f'{shown}: begins.')
      started = _Started(
        name=name, run=run, shown=shown, begun=time.monotonic(), trial=trial
      )
      yield task_of(family, name, started)

  def ended(started: _Started, reason: str) -> None:
    if started.trial:
      tell(started.trial, started.name, started.run, reason)

  return _run(tasks(), ended, pace)


def _begin_trial(
  family: Family, trial: Trial, search: Search, given: str
) -> tuple[str, Run]:
  changes = whole_names(trial.point, family.run)
  record = dataclasses.replace(
    read_record(family.root), given=given, metric=search.metric
  )
  (name,), (run,) = zip(
    *write_points(family, [changes], record).items(), strict=True
  )
  return name, run


def _run(
  tasks: Iterator[Task],
  ended: Callable[[_Started, str], None],
  pace: Pace,
) -> list[str]:
  """Runs tasks, and says what came of each; returns which failed, and why."""
  failed = []

  def say_ended(task: Task, reason: str) -> None:
    started = task.about
    seconds = time.monotonic() - started.begun
    found = (
      f'failed: {reason.rstrip(".")}' if reason else f'ended in {seconds:.0f} s'
    )
    pace.say(f'{started.shown}: {found}.')
    if reason:
      failed.append(f'{started.name} ({reason})')
    ended(started, reason)

  run_tasks(
    tasks,
    say_ended,
    retries=pace.retries,
    parallel=pace.parallel,
    say=pace.say,
  )
  return failed
