"""Scores of tasks as tables: task by task, and beside the report's."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

from gemb.markdown import markdown

MISSING = '–'

MEAN_TASK, MEAN_TYPE = 'Mean (Task)', 'Mean (Type)'
# The report's columns, by MTEB's types of task.
_COLUMNS = {
  'BitextMining': 'Bitext Mining',
  'Classification': 'Classification',
  'Clustering': 'Clustering',
  'InstructionReranking': 'Instruction Retrieval',
  'InstructionRetrieval': 'Instruction Retrieval',
  'MultilabelClassification': 'Multilabel Class.',
  'PairClassification': 'Pair Class.',
  'Reranking': 'Reranking',
  'Retrieval': 'Retrieval',
  'STS': 'STS',
  'Summarization': 'Summarization',
}
# Gemini Embedding at 3,072 dimensions (arXiv:2503.07891): Table 1; Table 3;
# and the mean of the twelve tasks of Table 10. The first had one task more,
# SNLHierarchicalClusteringP2P, which version 2 of the benchmark dropped.
REPORT: dict[str, dict[str, float]] = {
  'MTEB(Multilingual, v2)': {
    MEAN_TASK: 68.32,
    MEAN_TYPE: 59.64,
    'Bitext Mining': 79.32,
    'Classification': 71.84,
    'Clustering': 54.99,
    'Instruction Retrieval': 5.18,
    'Multilabel Class.': 29.16,
    'Pair Class.': 83.64,
    'Reranking': 65.72,
    'Retrieval': 67.71,
    'STS': 79.40,
  },
  'MTEB(eng, v2)': {
    MEAN_TASK: 73.30,
    MEAN_TYPE: 67.67,
    'Classification': 90.1,
    'Clustering': 59.4,
    'Pair Class.': 87.7,
    'Reranking': 48.6,
    'Retrieval': 64.4,
    'STS': 85.3,
    'Summarization': 38.3,
  },
  'MTEB(Code, v1)': {MEAN_TASK: 75.93, MEAN_TYPE: 75.93, 'Retrieval': 75.93},
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskScores:
  """What one task gave.

  Attributes:
    task: its name.
    kind: MTEB's type of task.
    metric: its main score.
    scores: by prefix, mostly from 0 to 1; empty if it was not evaluated.
  """

  task: str
  kind: str
  metric: str
  scores: Mapping[int, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ListScores:
  """What the tasks of a benchmark, or of a folder, gave."""

  name: str
  benchmark: bool
  tasks: tuple[TaskScores, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Summary:
  """All of an evaluation.

  Attributes:
    model: its name, as mteb files it.
    revision: of the model.
    prefixes: as they were asked for.
    lists: by benchmark or folder.
    unreachable: why the data of a task could not be had, by task.
  """

  model: str
  revision: str
  prefixes: tuple[int, ...]
  lists: tuple[ListScores, ...]
  unreachable: Mapping[str, str]

  def to_json(self) -> dict[str, Any]:
    """Returns the same for a JSON file, with the means of benchmarks."""
    found = dataclasses.asdict(self)
    for entry, of_list in zip(found['lists'], self.lists, strict=True):
      if of_list.benchmark:
        entry['means'] = {p: means(of_list, p) for p in self.prefixes}
    return _without_nan(found)

  def to_markdown(self) -> str:
    """Returns the tables, with scores in percent."""
    parts = [f'# {self.model}, {self.revision}']
    for of_list in self.lists:
      parts.append(f'## {of_list.name}')
      if of_list.benchmark:
        parts.append(_table_by_type(of_list, self.prefixes))
      parts.append(_table_by_task(of_list, self.prefixes))
    if self.unreachable:
      parts.append('## Not evaluated')
      parts.append(
        ''.join(f'- {task}: {why}\n' for task, why in self.unreachable.items())
      )
    return '\n\n'.join(part.strip() for part in parts) + '\n'


def means(of_list: ListScores, prefix: int) -> dict[str, float | None]:
  """Returns the means by column of the report, in percent.

  None where a task is missing: a mean over others would not compare.
  """
  by_column: dict[str, list[float | None]] = {}
  for task in of_list.tasks:
    column = _COLUMNS.get(task.kind, task.kind)
    by_column.setdefault(column, []).append(task.scores.get(prefix))
  types = {
    column: _mean(by_column[column]) for column in sorted(by_column, key=_order)
  }
  every = [score for scores in by_column.values() for score in scores]
  found = {MEAN_TASK: _mean(every), MEAN_TYPE: _mean(types.values())} | types
  return {
    column: None if mean is None else 100 * mean
    for column, mean in found.items()
  }


def _table_by_type(of_list: ListScores, prefixes: Iterable[int]) -> str:
  rows: dict[tuple[str, str], Mapping[str, float | None]]
  rows = {('gemb', str(p)): means(of_list, p) for p in prefixes}
  if of_list.name in REPORT:
    rows['Gemini Embedding', '3072'] = REPORT[of_list.name]
  columns = list(next(iter(rows.values())))
  head = ['system', 'prefix', *columns]
  return markdown(
    [
      head,
      *(
        [*names, *(_digits(row.get(column)) for column in columns)]
        for names, row in rows.items()
      ),
    ]
  )


def _table_by_task(of_list: ListScores, prefixes: tuple[int, ...]) -> str:
  head = ['task', 'type', 'score', *map(str, prefixes)]
  body = [
    [task.task, task.kind, task.metric]
    + [
      _digits(None if score is None else 100 * score)
      for score in map(task.scores.get, prefixes)
    ]
    for task in of_list.tasks
  ]
  return markdown([head, *body], names=3)


def _mean(scores: Iterable[float | None]) -> float | None:
  scores = list(scores)
  known = [score for score in scores if score is not None]
  if len(known) < len(scores):
    return None
  return sum(known) / len(known)


def _order(column: str) -> tuple[int, str]:
  columns = list(_COLUMNS.values())
  known = columns.index(column) if column in columns else len(columns)
  return known, column


def _without_nan(value: Any) -> Any:
  """Returns the same with None for NaN, which JSON does not have."""
  if isinstance(value, dict):
    return {key: _without_nan(item) for key, item in value.items()}
  if isinstance(value, list | tuple):
    return [_without_nan(item) for item in value]
  return None if isinstance(value, float) and math.isnan(value) else value


def _digits(percent: float | None) -> str:
  if percent is None or math.isnan(percent):
    return MISSING
  return f'{percent:.2f}'
