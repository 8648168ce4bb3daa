"""A sweep on this machine: its points as processes, or those of a search."""

import dataclasses
import pathlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gemb.run import Run
from gemb.sweep.family import Family
from gemb.sweep.points import describe
from gemb.sweep.record import Record, read_record, write_record
from gemb.sweep.resolving import Changes, whole_names
from gemb.sweep.running import TO_MEND, Task, run_tasks
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
  """

  name: str
  run: Run
  shown: str
  begun: float


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
) -> str:
  """Runs the points that have not ended.

  Args:
    family: whose points they are.
    points: resolved.
    given: the sweep's file.
    pace: how they are run.

  Returns:
    Which have failed, and why, in a sentence; '' if none has.

  Raises:
    stopping.Stopped: if it was asked to stop; all runs have saved.
  """
  runs = write_points(family, points, Record(given=given))
  failed = []

  def tasks() -> Iterator[Task]:
    for number, name in enumerate(runs):
      place = f'{number + 1} of {len(runs)}, {pathlib.PurePath(name).name}'
      shown = f'{place}: {describe(points[number])}'
      if family.has_ended(name, runs[name]):
        pace.say(f'{shown}: has ended before.')
        continue
      yield _begin(family, name, runs[name], shown, pace)

  def ended(started: _Started, status: int, reason: str) -> None:
    if reason:
      failed.append(f'{started.name} ({reason})')

  _run(tasks(), ended, pace)
  if not failed:
    return ''
  return (
    f'{len(failed)} of {len(runs)} points have failed: {"; ".join(failed)}. '
    'Their folders have log.txt; the same command tries them again.'
  )


def run_search(family: Family, search: Search, given: str, pace: Pace) -> str:
  """Runs the trials that have not ended.

  One that has failed is told to Optuna, but for what the user has to mend: the
  others would fail by it too. There the search stops, and goes on with it.

  Args:
    family: whose points the trials are.
    search: what for.
    given: the sweep's file.
    pace: how they are run.

  Returns:
    That no trial has a score, in a sentence; '' if one has.

  Raises:
    ValueError: if the folder holds another search, or Optuna is not installed.
    RuntimeError: if there is something to be mended.
    stopping.Stopped: if it was asked to stop; all runs have saved.
  """
  study = Study(search, family.root / JOURNAL)
  # Those of one point run once: {its name: the trials that wait for it}.
  waiting: dict[str, list[Trial]] = {}

  def tell(name: str, score: float | None) -> None:
    for trial in waiting.pop(name):
      study.tell(trial, score)

  def tasks() -> Iterator[Task]:
    for trial in study.trials():
      shown = f'trial {trial.number + 1}: {describe(trial.point)}'
      try:
        name, run = _write_trial(family, trial, search, given)
      except ValueError as error:
        pace.say(f'{shown}: cannot be: {error}')
        study.tell(trial, None)
        continue
      waiting.setdefault(name, []).append(trial)
      if len(waiting[name]) > 1:
        pace.say(f'{shown}: is running already.')
      elif family.has_ended(name, run):
        pace.say(f'{shown}: has ended before.')
        tell(name, family.scores(name, run).get(search.metric))
      else:
        yield _begin(family, name, run, shown, pace)

  def ended(started: _Started, status: int, reason: str) -> None:
    if status == TO_MEND:
      raise RuntimeError(
        f'{started.shown}: {reason.rstrip(".")}. The search has stopped, and '
        'goes on with this trial.'
      )
    scores = {} if reason else family.scores(started.name, started.run)
    tell(started.name, scores.get(search.metric))

  _run(tasks(), ended, pace)
  return _summary(study.states(), pace)


def _summary(states: Mapping[str, int], pace: Pace) -> str:
  """Says how many trials have failed; returns a sentence if all have."""
  trials, failed = sum(states.values()), states.get('FAIL', 0)
  after = 'what has failed is not tried again, but more `trials` are.'
  if failed == trials:
    return (
      f'None of the {trials} trials has a score. Their folders have log.txt; '
      + after
    )
  if failed:
    pace.say(f'{failed} of {trials} trials have failed; {after}')
  return ''


def _write_trial(
  family: Family, trial: Trial, search: Search, given: str
) -> tuple[str, Run]:
  """Begins the folder of a trial; returns its name and run."""
  changes = whole_names(trial.point, family.run)
  record = dataclasses.replace(
    read_record(family.root), given=given, metric=search.metric
  )
  (found,) = write_points(family, [changes], record).items()
  return found


def _begin(family: Family, name: str, run: Run, shown: str, pace: Pace) -> Task:
  """Says that a point begins; returns its task."""
  pace.say(f'{shown}: begins.')
  started = _Started(name=name, run=run, shown=shown, begun=time.monotonic())
  return task_of(family, name, started)


def _run(
  tasks: Iterator[Task],
  ended: Callable[[_Started, int, str], None],
  pace: Pace,
) -> None:
  """Runs tasks, and says what came of each."""

  def say_ended(task: Task, status: int, reason: str) -> None:
    started = task.about
    seconds = time.monotonic() - started.begun
    found = (
      f'failed: {reason.rstrip(".")}' if reason else f'ended in {seconds:.0f} s'
    )
    pace.say(f'{started.shown}: {found}.')
    ended(started, status, reason)

  run_tasks(
    tasks,
    say_ended,
    retries=pace.retries,
    parallel=pace.parallel,
    say=pace.say,
  )
