"""Every point is resolved before anything is written or started."""

import dataclasses
import pathlib
import re
import tempfile
from collections.abc import Iterable, Sequence
from typing import Any

from gemb import config
from gemb.config_values import ConfigError, literal, nearest
from gemb.run import Run
from gemb.sweep.names import canonical, has_value, whole_name
from gemb.sweep.points import Point, describe, short_name
from gemb.sweep.reading import Sweep
from gemb.sweep.scores import choose_scores, score_names
from gemb.sweep.search import Search

Changes = dict[str, Any]  # {whole name of a value: the value}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resolved:
  """A point that can be run.

  Attributes:
    changes: what is other than in the run that all are made from.
    run: that it is.
    program: the gin program of it.
  """

  changes: Changes
  run: Run
  program: str


def resolve(
  sweep: Sweep, run: Run, program: str, metrics: Sequence[str] = ()
) -> list[Resolved]:
  """Returns the points of a sweep, resolved.

  Of a search it is only seen whether all its axes can be had.

  Args:
    sweep: as its file gives it.
    run: that all points are made from.
    program: the gin program of it.
    metrics: names of the scores that are to be shown.

  Raises:
    ValueError: if a point is none; says which, and why. Or if no evaluation
      gives a metric.
  """
  search = sweep.search
  points = search.extremes() if search else sweep.points
  found = _resolve_all(points, sweep.file, run, program)
  if search:
    _check_metric(search, found, sweep.file)
  else:
    _check_different(found, sweep.file)
  best = search.metric if search else run.checkpoints.best_metric
  choose_scores([point.run for point in found], metrics, best)
  return [] if search else found


def whole_names(point: Point, run: Run) -> Changes:
  """Returns what a point changes, in the one form that equal points have.

  Names are whole and sorted, and values canonical.

  Raises:
    ValueError: if the run has no such value, or one is there by two names.
  """
  found: Changes = {}
  for name, value in point.items():
    whole = whole_name(run, name)
    if whole in found:
      raise ValueError(f'{whole} is given twice, once as {name}; keep one.')
    found[whole] = canonical(run, whole, value)
  return dict(sorted(found.items()))


def _resolve_all(
  points: Iterable[Point], file: str, run: Run, program: str
) -> list[Resolved]:
  points = list(points)
  found = []
  with tempfile.TemporaryDirectory() as folder:
    base = pathlib.Path(folder) / 'base.gin'
    base.write_text(program, encoding='utf-8')
    for number, point in enumerate(points, 1):
      try:
        changes = whole_names(point, run)
        made, text = config.load([str(base)], _bindings(changes))
        made.check_best_metric()
        _check_received(changes, made, program)
      except ValueError as error:
        said = str(error).removeprefix('command line: ')
        raise ConfigError(
          f'{file}: point {number} of {len(points)} ({describe(point)}): '
          + said.replace(str(base), 'the run')
        ) from error
      found.append(Resolved(changes=changes, run=made, program=text))
  return found


def _bindings(changes: Changes) -> list[str]:
  for name, value in changes.items():
    if not literal(value):
      raise ValueError(f'{name} is {value!r}, which gin cannot write.')
  return [f'{name}={literal(value)}' for name, value in changes.items()]


def _check_received(changes: Changes, made: Run, program: str) -> None:
  """Raises ValueError if a value does not come to where its name says.

  The run's program binds every value of a part that was built in a scope
  within that scope, which a name without it does not override.
  """
  for name, value in changes.items():
    if not has_value(made, name, value):
      short = short_name(name.rpartition('/')[2])
      line = re.compile(rf'^(\S+/)\w+\.{re.escape(short)} = ', re.MULTILINE)
      scoped = [f'{scope}{short}' for scope in line.findall(program)]
      raise ValueError(
        f'{name} does not change all that it names, for the run has it in a '
        f'scope; write {" or ".join(scoped) or f"SCOPE/{short}"}.'
      )


def _check_different(points: Sequence[Resolved], file: str) -> None:
  """Raises ValueError if two points are the same run."""
  first: dict[str, int] = {}
  for number, point in enumerate(points, 1):
    if first.setdefault(point.program, number) != number:
      raise ValueError(
        f'{file}: points {first[point.program]} and {number} are the same run, '
        f'{describe(point.changes)}; keep one.'
      )


def _check_metric(
  search: Search, points: Sequence[Resolved], file: str
) -> None:
  """Raises ValueError if a point of a search has no score to be told."""
  for point in points:
    known = score_names(point.run)
    if search.metric not in known:
      raise ValueError(
        f'{file}: no evaluation of the run with {describe(point.changes)} '
        f'gives the metric {search.metric}' + nearest(search.metric, known)
      )
