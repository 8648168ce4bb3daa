"""What the recipe has found, gathered from its work folder."""

import collections
import dataclasses
import json
import pathlib
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from recipe_ledger import Ledger
from recipe_stages import WEIGHTS, Recipe, make_stages

from gemb import config
from gemb.curation import journal
from gemb.curation.candidates import stage_path
from gemb.data.config import DataConfig
from gemb.evals.results import HEADLINE, ResultRow

BM25 = 'bm25'
UNTRAINED = '0 untrained'
PREFINETUNED = '1 pre-finetuned'
SOUP = '3 soup'
SAMPLES = 2  # of each kind of curated rows


@dataclasses.dataclass(frozen=True, kw_only=True)
class Found:
  """Everything that the report tells.

  Attributes:
    rows: results, with models as systems.
    kinds: {task: kind of task}.
    seconds: {stage: wall time}.
    commands: {stage: its command}.
    counts: {task: {what: examples}} of curation.
    written: {source: {what: examples}} of what a language model wrote.
    samples: {task or source: examples, each as {part: text}}.
    about: the machine and the versions.
  """

  rows: list[ResultRow]
  kinds: dict[str, str]
  seconds: dict[str, float]
  commands: dict[str, str]
  counts: dict[str, dict[str, int]]
  written: dict[str, dict[str, int]]
  samples: dict[str, list[dict[str, str]]]
  about: dict[str, str]

  @property
  def models(self) -> list[str]:
    """In the order of the chain, the baseline last."""
    names = {row['system'] for row in self.rows}
    return sorted(names, key=lambda name: (name == BM25, name))

  @property
  def tasks(self) -> list[str]:
    """In the order of the evaluation."""
    return list(dict.fromkeys(row['task'] for row in self.rows))

  @property
  def prefixes(self) -> list[int]:
    """Ascending."""
    return sorted({row['prefix'] for row in self.rows if row['prefix']})

  def score(self, model: str, task: str, prefix: int | None) -> float | None:
    """Returns a headline metric; None if it was not measured."""
    row = self._row(model, task, prefix)
    return None if row is None else row['metrics'][HEADLINE[row['kind']]]

  def mean(
    self, model: str, prefix: int | None, kind: str | None = None
  ) -> float | None:
    """Returns the mean over the tasks, or over those of a kind."""
    tasks = [task for task in self.tasks if kind in (None, self.kinds[task])]
    scores = [self.score(model, task, prefix) for task in tasks]
    known = [score for score in scores if score is not None]
    return float(np.mean(known)) if len(known) == len(tasks) else None

  def by_language(self, model: str, prefix: int | None) -> dict[str, float]:
    """Returns {language: accuracy} of translations."""
    found: dict[str, float] = {}
    for task in self.tasks:
      row = self._row(model, task, prefix)
      found |= dict(row.get('by_language', {})) if row else {}
    return found

  def _row(self, model: str, task: str, prefix: int | None) -> ResultRow | None:
    # The baseline has no dimensions: it is the same at each prefix.
    prefix = None if model == BM25 else prefix
    for row in self.rows:
      if (row['system'], row['task'], row['prefix']) == (model, task, prefix):
        return row
    return None


def gather(recipe: Recipe) -> Found:
  """Reads what the stages have left.

  Raises:
    OSError: if something of it is missing.
    ValueError: if something of it is damaged.
  """
  run, _ = config.load(recipe.prefinetune)
  curation, _ = config.load(recipe.curation, root='Curation')
  rows = list(_rows(recipe))
  entries = Ledger(recipe.workdir).entries
  # Weights that an earlier run has fetched are no stage of this one.
  stages = [WEIGHTS, *(stage.name for stage in make_stages(recipe))]
  names = [name for name in dict.fromkeys(stages) if name in entries]
  kind = 'filtered' if recipe.language_model else 'mined'
  synthesis = curation.synthesis if recipe.language_model else None
  sources = (*synthesis.queries, *synthesis.classes) if synthesis else ()
  return Found(
    rows=rows,
    kinds={row['task']: _kind(row, run.data) for row in rows},
    seconds={name: entries[name].seconds for name in names},
    commands={name: shlex.join(entries[name].command) for name in names},
    counts={task: _counts(recipe, task) for task in curation.tasks},
    written={name: _written(recipe, name) for name in sources},
    samples={
      task: _first(stage_path(recipe.curated, task, kind))
      for task in curation.tasks
    }
    | {
      f'synthetic_{name}': _first(recipe.curated / f'synthetic_{name}.jsonl')
      for name in sources
    },
    about=_about(recipe.workdir / '01_prefinetune/about.json'),
  )


def _rows(recipe: Recipe) -> Iterator[ResultRow]:
  """Yields the results of all models; the first folder has the baselines."""
  systems = {
    '01_prefinetune': {
      'untrained': UNTRAINED,
      'gemb': PREFINETUNED,
      'bm25': BM25,
    },
    **{
      f'02_finetune_{mixture}': {'gemb': f'2 finetuned: {mixture}'}
      for mixture in recipe.finetune
    },
    '03_soup': {'gemb': SOUP},
  }
  for folder, names in systems.items():
    path = recipe.workdir / folder / 'results.json'
    for row in json.loads(path.read_text(encoding='utf-8'))['rows']:
      if row['system'] in names:
        yield {**row, 'system': names[row['system']]}


def _kind(row: Mapping[str, Any], data: DataConfig) -> str:
  if row['kind'] != 'retrieval':
    return row['kind']
  task_string = data.task_string(row['task'])
  return task_string if isinstance(task_string, str) else row['kind']


def _counts(recipe: Recipe, task: str) -> dict[str, int]:
  """Returns how many examples of a task each stage of curation had or left."""

  def rows(kind: str) -> Iterator[dict[str, Any]]:
    return journal.read_rows(stage_path(recipe.curated, task, kind))

  mined = list(rows('mined'))
  counts = {
    'mined': len(mined),
    'with a negative': sum(bool(row['negatives']) for row in mined),
  }
  if not recipe.language_model:
    return counts
  return counts | {
    'scored': sum(map(_is_scored, rows('scored'))),
    'kept': sum(1 for _ in rows('filtered')),
    **_dropped(row['reason'] for row in rows('dropped')),
  }


def _written(recipe: Recipe, name: str) -> dict[str, int]:
  """Returns how many examples of a source were kept, and dropped by reason."""
  path = recipe.curated / f'written_{name}.jsonl'
  reasons = [row['dropped'] for row in journal.read_rows(path)]
  return {'kept': reasons.count(None), **_dropped(filter(None, reasons))}


def _dropped(reasons: Iterable[str]) -> dict[str, int]:
  counted = collections.Counter(reasons)
  return {f'dropped: {why}': n for why, n in sorted(counted.items())}


def _is_scored(row: Mapping[str, Any]) -> bool:
  told = [row['positive'], *row['candidates']]
  return any(
    each[signal] is not None
    for each in told
    for signal in ('grade', 'likelihood')
  )


def _first(path: pathlib.Path) -> list[dict[str, str]]:
  """Returns examples to show: judged ones, or else ones with a negative."""
  rows = list(journal.read_rows(path))
  judged = [row for row in rows if 'candidates' in row and _is_scored(row)]
  chosen = [row for row in rows if row.get('negatives')]
  return [_parts(row) for row in (judged or chosen or rows)[:SAMPLES]]


def _parts(row: Mapping[str, Any]) -> dict[str, str]:
  """Returns the texts of a row that was mined or written."""
  parts = {'query': row['query'], 'label': row.get('label', '')}
  positive = row.get('positive', '')
  # A mined row tells more of it than the text.
  parts['positive'] = positive['text'] if 'candidates' in row else positive
  parts['hard negative'] = next(iter(row.get('negatives', [])), '')
  return {part: text for part, text in parts.items() if text}


def _about(path: pathlib.Path) -> dict[str, str]:
  about = json.loads(path.read_text(encoding='utf-8'))
  versions = about['versions'].items()
  return {
    'devices': f'{about["devices"]} x {about["device"]}',
    'commit': about['commit'],
    'versions': ', '.join(f'{name} {version}' for name, version in versions),
  }
