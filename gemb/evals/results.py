"""What an evaluation found: the structure of results.json, and its table.

The table is worked out once here and then drawn by whoever shows it: the
report as HTML, README and terminal as Markdown.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NotRequired, TypedDict

from gemb.markdown import markdown

# The systems in the order of every table and legend. Others follow by name.
SYSTEMS = {
  'gemb': 'gemb',
  'parent': 'before this run',
  'untrained': 'untrained',
  'bm25': 'BM25',
}

# The one number by which a task of each kind is judged.
HEADLINE = {
  'bitext': 'accuracy',
  'retrieval': 'ndcg@10',
  'classification': 'accuracy',
}

MISSING = '–'

_METRIC_NAMES = {'mrr@10': 'MRR@10', 'ndcg@10': 'nDCG@10'}

# A line of metrics.jsonl. To beartype an int is not a float.
MetricsLine = Mapping[str, int | float]


class ResultRow(TypedDict):
  """One system at one prefix on one task.

  Attributes:
    system: 'gemb', the model it began as ('parent' of another run, else
      'untrained'), or 'bm25'.
    prefix: embedding dimensions used; None where there are none (BM25).
    task: name of the task.
    kind: 'bitext', 'retrieval' or 'classification'.
    metrics: each from 0 to 1, by name.
    by_language: accuracy by language, for bitext.
    candidates: passages searched (at most, for bitext).
    queries: queries asked.
  """

  system: str
  prefix: int | None
  task: str
  kind: Literal['bitext', 'retrieval', 'classification']
  metrics: Mapping[str, float]
  by_language: NotRequired[Mapping[str, float]]
  candidates: NotRequired[int]
  queries: NotRequired[int]


class Similarities(TypedDict):
  """Histograms of cosine similarity; `edges` has one more entry."""

  positive: Sequence[int]
  negative: Sequence[int]
  edges: Sequence[float]


class Results(TypedDict, total=False):
  """The content of results.json; a run without evaluation has none of it."""

  step: int
  rows: Sequence[ResultRow]
  similarities: Mapping[str, Similarities]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
  """A task as it stands over its columns."""

  name: str
  kind: str
  metrics: tuple[str, ...]
  size: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cell:
  """A number as printed, and whether no other in its column is greater."""

  text: str
  best: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Line:
  """A line of the table: one system at one prefix, all tasks."""

  system: str
  prefix: str
  cells: tuple[Cell, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
  """Systems and prefixes downwards, tasks and their metrics across."""

  tasks: tuple[Task, ...]
  lines: tuple[Line, ...]


def make_table(results: Results) -> Table:
  """Arranges the rows of `results`, with metrics in percent.

  Raises:
    ValueError: if two rows speak of the same system, prefix and task, or a
      row is of unknown kind.
  """
  rows = results.get('rows', ())
  tasks = make_tasks(rows)
  found: dict[tuple[str, int | None, str], ResultRow] = {}
  for row in rows:
    key = (row['system'], row['prefix'], row['task'])
    if key in found:
      raise ValueError(
        f'Two rows of the results give {row["system"]!r} at prefix '
        f'{row["prefix"]} on {row["task"]!r}: keep one of them.'
      )
    found[key] = row
  systems = order_systems(row['system'] for row in rows)
  heads = sorted(
    {key[:2] for key in found},
    key=lambda head: (systems.index(head[0]), head[1] or 0),
  )
  columns = [(task.name, metric) for task in tasks for metric in task.metrics]
  texts = [
    [
      percent(found[(*head, task)]['metrics'].get(metric))
      if (*head, task) in found
      else MISSING
      for task, metric in columns
    ]
    for head in heads
  ]
  return Table(tasks=tasks, lines=_lines(heads, texts))


def markdown_table(results: Results) -> str:
  """Returns the results as a Markdown table, for README and terminal.

  Numbers are in percent; the best of each column is bold.
  """
  table = make_table(results)
  if not table.lines:
    return 'No evaluation yet.\n'
  heads = ['system', 'prefix'] + [
    f'{task.name}: {metric_name(metric)}'
    for task in table.tasks
    for metric in task.metrics
  ]
  body = [
    [line.system, line.prefix]
    + [f'**{cell.text}**' if cell.best else cell.text for cell in line.cells]
    for line in table.lines
  ]
  return markdown([heads, *body])


def make_tasks(rows: Iterable[ResultRow]) -> tuple[Task, ...]:
  """Returns the tasks of `rows` in order of appearance, headline first.

  Raises:
    ValueError: if a row is of unknown kind.
  """
  by_task: dict[str, list[ResultRow]] = {}
  for row in rows:
    by_task.setdefault(row['task'], []).append(row)
  return tuple(_task(name, of_task) for name, of_task in by_task.items())


def order_systems(systems: Iterable[str]) -> list[str]:
  """Returns the distinct systems in the order of `SYSTEMS`, others by name."""
  known = list(SYSTEMS)
  return sorted(
    set(systems),
    key=lambda name: (
      known.index(name) if name in known else len(known),
      name,
    ),
  )


def system_name(system: str) -> str:
  """Returns the name of a system as printed."""
  return SYSTEMS.get(system, system)


def metric_name(metric: str) -> str:
  """Returns the name of a metric as printed."""
  return _METRIC_NAMES.get(metric, metric)


def percent(share: float | None) -> str:
  """Returns a share as percent with one digit, without the sign."""
  return MISSING if share is None else f'{100 * share:.1f}'


def headline(
  rows: Iterable[ResultRow], *, system: str, task: Task
) -> list[tuple[int | None, float]]:
  """Returns (prefix, headline metric) of a system, by growing prefix."""
  metric = HEADLINE[task.kind]
  points = [
    (row['prefix'], row['metrics'][metric])
    for row in rows
    if row['system'] == system
    and row['task'] == task.name
    and metric in row['metrics']
  ]
  return sorted(points, key=lambda point: point[0] or 0)


def _task(name: str, rows: Sequence[ResultRow]) -> Task:
  kind = rows[0]['kind']
  if kind not in HEADLINE:
    raise ValueError(
      f'Task {name!r} is of kind {kind!r}, which has no headline metric: '
      f'choose one of {", ".join(map(repr, HEADLINE))}.'
    )
  metrics = dict.fromkeys(metric for row in rows for metric in row['metrics'])
  ordered = sorted(metrics, key=lambda metric: metric != HEADLINE[kind])
  return Task(name=name, kind=kind, metrics=tuple(ordered), size=_size(rows[0]))


def _size(row: ResultRow) -> str:
  parts = []
  if 'queries' in row:
    parts.append(_count(row['queries'], 'query', 'queries'))
  if 'candidates' in row:
    passages = _count(row['candidates'], 'passage', 'passages')
    bitext = row['kind'] == 'bitext'
    parts.append(f'up to {passages} a language' if bitext else passages)
  if row.get('by_language'):
    parts.append(_count(len(row['by_language']), 'language', 'languages'))
  return ', '.join(parts)


def _count(number: int, one: str, many: str) -> str:
  return f'{number:,} {one if number == 1 else many}'


def _lines(
  heads: Sequence[tuple[str, int | None]], texts: Sequence[Sequence[str]]
) -> tuple[Line, ...]:
  best = [_best(column) for column in zip(*texts, strict=True)]
  return tuple(
    Line(
      system=system_name(system),
      prefix=MISSING if prefix is None else str(prefix),
      cells=tuple(
        Cell(text=text, best=text == top)
        for text, top in zip(line, best, strict=True)
      ),
    )
    for (system, prefix), line in zip(heads, texts, strict=True)
  )


def _best(column: Sequence[str]) -> str | None:
  # Compared as printed: of two that read 41.3 both are best. Alone, none is.
  numbers = [text for text in column if text != MISSING]
  return max(numbers, key=float) if len(numbers) > 1 else None
