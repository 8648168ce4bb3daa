"""Every point is resolved before anything is written or started."""

import pathlib
import tempfile
from collections.abc import Iterable
from typing import Any

from gemb import config
from gemb.config_values import ConfigError, literal, nearest
from gemb.evals import suite
from gemb.run import Run
from gemb.sweep.names import whole_name
from gemb.sweep.points import Point, describe
from gemb.sweep.reading import Sweep

Changes = dict[str, Any]  # {whole name of a value: the value}


def resolve(sweep: Sweep, run: Run, program: str) -> list[Changes]:
  """Returns the points of a sweep, with the whole names of their values.

  Of a search it is only seen whether all its axes can be had.

  Args:
    sweep: as its file gives it.
    run: that all points are made from.
    program: the gin program of it.

  Raises:
    ValueError: if a point is none; says which, and why.
  """
  if sweep.search:
    known = suite.score_names(run.evaluation, run.loss.prefixes)
    if sweep.search.metric not in known:
      raise ValueError(
        f'{sweep.file}: no evaluation of the run gives the metric '
        f'{sweep.search.metric}' + nearest(sweep.search.metric, known)
      )
    _resolve_all(sweep.search.extremes(), sweep.file, run, program)
    return []
  found = _resolve_all(sweep.points, sweep.file, run, program)
  first: dict[str, int] = {}
  for number, changes in enumerate(found, 1):
    text = describe(dict(sorted(changes.items())))
    if first.setdefault(text, number) != number:
      raise ValueError(
        f'{sweep.file}: points {first[text]} and {number} are the same, '
        f'{text}; keep one.'
      )
  return found


def whole_names(point: Point, run: Run) -> Changes:
  """Returns a point with the whole names of its values.

  Raises:
    ValueError: if the run has no such value, or one is there by two names.
  """
  found: Changes = {}
  for name, value in point.items():
    whole = whole_name(run, name)
    if whole in found:
      raise ValueError(f'{whole} is given twice, once as {name}; keep one.')
    found[whole] = value
  return found


def _resolve_all(
  points: Iterable[Point], file: str, run: Run, program: str
) -> list[Changes]:
  points = list(points)
  found = []
  with tempfile.TemporaryDirectory() as folder:
    base = pathlib.Path(folder) / 'base.gin'
    base.write_text(program, encoding='utf-8')
    for number, point in enumerate(points, 1):
      try:
        changes = whole_names(point, run)
        config.load([str(base)], _bindings(changes))
      except ValueError as error:
        said = str(error).removeprefix('command line: ')
        raise ConfigError(
          f'{file}: point {number} of {len(points)} ({describe(point)}): '
          + said.replace(str(base), 'the run')
        ) from error
      found.append(changes)
  return found


def _bindings(changes: Changes) -> list[str]:
  for name, value in changes.items():
    if not literal(value):
      raise ValueError(f'{name} is {value!r}, which gin cannot write.')
  return [f'{name}={literal(value)}' for name, value in changes.items()]
