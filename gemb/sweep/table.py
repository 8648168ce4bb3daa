"""What has come of a sweep: a table of what differs, best first."""

import csv
import dataclasses
import io
import pathlib
from collections.abc import Sequence
from typing import Any

from gemb.config_values import literal
from gemb.evals.results import MISSING
from gemb.markdown import markdown
from gemb.run import Run
from gemb.sweep.family import Family, find_family
from gemb.sweep.names import value_in
from gemb.sweep.points import short_name
from gemb.sweep.record import read_record
from gemb.sweep.running import is_running, read_failure
from gemb.sweep.scores import choose_scores
from gemb.sweep.sweeping import task_of
from gemb.train.metrics import read_metrics

ENDED = 'ended'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
  """A point, and what has come of it.

  Attributes:
    sweep: the name of its folder.
    name: its own.
    values: {the whole name of a value: the value}, of every axis.
    scores: of the evaluation at its end; none if it has not ended.
    state: 'ended', 'waiting', 'running at step n', 'stopped at step n', 'at
      step n' of one that was launched, or 'failed' with the reason.
  """

  sweep: str
  name: str
  values: dict[str, Any]
  scores: dict[str, float]
  state: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
  """Points of one sweep or of several, best first.

  Attributes:
    rows: the points.
    axes: whole names of the values that differ.
    metrics: names of the scores; the first says which row is best. None: the
      points are not evaluated.
    sweeps: how many there are.
  """

  rows: tuple[Row, ...]
  axes: tuple[str, ...]
  metrics: tuple[str, ...]
  sweeps: int

  @property
  def best_metric(self) -> str:
    """The score that says which row is best."""
    return self.metrics[0] if self.metrics else ''


def read_table(
  folders: Sequence[pathlib.Path], metrics: Sequence[str] = ()
) -> Table:
  """Reads what has come of sweeps; points whose folder is gone are left out.

  Args:
    folders: of them.
    metrics: names of scores, as `choose_scores` takes them; none: what the
      search looks for, or else what the run is judged by.

  Raises:
    FileNotFoundError: if a folder holds no sweep.
    ValueError: if no evaluation gives a metric.
  """
  families = [find_family(folder) for folder in folders]
  records = [read_record(family.root) for family in families]
  runs = [
    {n: family.load(n) for n in record.points if family.has_begun(n)}
    for family, record in zip(families, records, strict=True)
  ]
  best = records[0].metric or families[0].run.checkpoints.best_metric
  all_runs = [run for each in runs for run in each.values()]
  columns = choose_scores(all_runs, metrics, best)
  axes = list(
    dict.fromkeys(
      name
      for record, found in zip(records, runs, strict=True)
      for point in found
      for name in record.points[point]
    )
  )
  rows = [
    _row(
      family,
      name,
      run,
      {n: value_in(run, n) for n in axes} | record.points[name],
    )
    for family, record, found in zip(families, records, runs, strict=True)
    for name, run in found.items()
  ]

  table = Table(
    rows=tuple(rows),
    axes=tuple(name for name in axes if _differs(name, rows)),
    metrics=columns,
    sweeps=len(folders),
  )

  def quality(row: Row) -> float:
    return row.scores.get(table.best_metric, float('-inf'))

  rows.sort(key=quality, reverse=True)
  return dataclasses.replace(table, rows=tuple(rows))


def as_markdown(table: Table) -> str:
  """Returns a table to be read; scores in percent."""
  head, *body = _cells(table, shown=True)
  names = len(head) - len(table.metrics)
  return markdown([head, *body], names=names)


def as_csv(table: Table) -> str:
  """Returns a table to be computed with; scores from 0 to 1."""
  text = io.StringIO()
  csv.writer(text, lineterminator='\n').writerows(_cells(table, shown=False))
  return text.getvalue()


def _cells(table: Table, *, shown: bool) -> list[list[str]]:
  """Returns head and body; names and states come before the scores."""
  several = table.sweeps > 1
  told = not table.metrics or any(row.state != ENDED for row in table.rows)
  states = told or not shown
  names = [short_name(name) if shown else name for name in table.axes]
  head = ['sweep'] * several + ['point', *names] + ['state'] * states
  lines = [[*head, *table.metrics]]
  for row in table.rows:
    values = [_value(row.values[name], shown) for name in table.axes]
    scores = [_score(row.scores.get(m), shown) for m in table.metrics]
    line = [row.sweep] * several + [row.name, *values]
    lines.append([*line, *[row.state] * states, *scores])
  return lines


def _value(value: Any, shown: bool) -> str:
  # Drawn numbers have 17 digits, and nobody reads them.
  few = shown and type(value) is float
  return f'{value:.5g}' if few else literal(value)


def _score(score: float | None, shown: bool) -> str:
  if score is None:
    return MISSING if shown else ''
  return f'{100 * score:.2f}' if shown else repr(score)


def _row(family: Family, name: str, run: Run, values: dict[str, Any]) -> Row:
  ended = family.has_ended(name, run)
  return Row(
    sweep=family.root.name,
    name=pathlib.PurePath(name).name,
    values=values,
    scores=family.scores(name, run) if ended else {},
    state=ENDED if ended else _state(family, name),
  )


def _state(family: Family, name: str) -> str:
  task = task_of(family, name)
  step = max((line['step'] for line in read_metrics(task.folder)), default=0)
  if is_running(task):
    return f'running at step {step}'
  if reason := read_failure(task):
    return f'failed: {reason}'
  if not step:
    return 'waiting'
  # Of one that another machine trains nothing here knows whether it lives.
  return f'stopped at step {step}' if task.log.is_file() else f'at step {step}'


def _differs(name: str, rows: Sequence[Row]) -> bool:
  return len({literal(row.values[name]) for row in rows}) > 1
