"""The recipe's report: report.html, report.md and report.json."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence

from recipe_plots import make_plots
from recipe_results import PREFINETUNED, SOUP, Found, gather
from recipe_stages import Recipe

from gemb import files
from gemb.evals import page
from gemb.evals.results import (
  HEADLINE,
  MISSING,
  make_tasks,
  metric_name,
  percent,
  system_name,
)
from gemb.markdown import markdown

TEMPLATE = pathlib.Path(__file__).with_name('recipe_report.html')
TITLE = 'The recipe, stage by stage'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
  """A table with its caption.

  Attributes:
    title: what it shows.
    note: how it is read.
    lines: the head, then the body, as text.
    names: columns from the left that hold no numbers to compare.
    compared: whether the greatest number of a column is the best.
  """

  title: str
  note: str
  lines: Sequence[Sequence[str]]
  names: int = 1
  compared: bool = False

  @property
  def best(self) -> list[set[int]]:
    """For each line of the body, the cells that no other of a column beats."""
    columns = list(zip(*self.lines[1:], strict=True))
    tops = {
      number: _top(column)
      for number, column in enumerate(columns)
      if self.compared and number >= self.names
    }
    return [
      {number for number, top in tops.items() if line[number] == top}
      for line in self.lines[1:]
    ]


def write_report(recipe: Recipe) -> pathlib.Path:
  """Writes the report of a finished chain; returns the page's path.

  Raises:
    OSError: if a result is missing, or nothing can be written.
    ValueError: if a result is damaged.
  """
  found = gather(recipe)
  tables = make_tables(found)
  path = recipe.workdir / 'report.html'
  files.write_file(
    recipe.workdir / 'report.json',
    json.dumps(dataclasses.asdict(found), indent=1, ensure_ascii=False),
  )
  files.write_file(recipe.workdir / 'report.md', _markdown(found, tables))
  return files.write_file(
    path,
    page.render(
      TEMPLATE,
      title=TITLE,
      summary=summary(found),
      about=found.about,
      found=found,
      tables=tables,
      plots=make_plots(found),
    ),
  )


def make_tables(found: Found) -> list[Table]:
  """Returns the score by prefix, kind, task and language; time and counts."""
  return [
    _by_prefix(found),
    _by_kind(found),
    _by_task(found),
    _by_language(found),
    _seconds(found),
    _counts('Curation', 'Examples of each task.', found.counts),
    *(
      [_counts('Written by the language model', 'Examples.', found.written)]
      if found.written
      else []
    ),
  ]


def summary(found: Found) -> str:
  """Returns what came of it in a sentence."""
  widest = found.prefixes[-1]
  before = found.mean(PREFINETUNED, widest)
  after = found.mean(SOUP, widest)
  single = {
    model: found.mean(model, widest)
    for model in found.models
    if model.startswith('2 ')
  }
  if before is None or after is None or None in single.values():
    return 'Not every model was judged on every task.'
  name, best = max(single.items(), key=lambda item: item[1] or 0.0)
  minutes = sum(found.seconds.values()) / 60
  return (
    f'Mean over {len(found.tasks)} held-out tasks at {widest} dimensions: '
    f'{percent(before)}% after pre-finetuning, {percent(best)}% after the best '
    f'finetuning ({name.partition(": ")[2]}), {percent(after)}% as a soup, in '
    f'{minutes:.1f} minutes. One seed: small differences mean nothing.'
  )


def _by_prefix(found: Found) -> Table:
  widest = found.prefixes[-1]
  base = found.mean(PREFINETUNED, widest)
  body = []
  for model in found.models:
    scores = [found.mean(model, prefix) for prefix in found.prefixes]
    gain = MISSING
    if base is not None and scores[-1] is not None:
      gain = f'{100 * (scores[-1] - base):+.1f}'
    body.append([system_name(model), *map(percent, scores), gain])
  return Table(
    title='Score after each stage',
    note=(
      'The mean over all held-out tasks in percent, by embedding dimensions '
      f'kept; and what was gained over pre-finetuning at {widest}. BM25 has no '
      'dimensions.'
    ),
    lines=[['model', *map(str, found.prefixes), 'gain'], *body],
    compared=True,
  )


def _by_kind(found: Found) -> Table:
  kinds = list(dict.fromkeys(found.kinds.values()))
  widest = found.prefixes[-1]
  return Table(
    title='By kind of task',
    note=f'The mean over the tasks of a kind, at {widest} dimensions.',
    lines=[
      ['model', *kinds],
      *(
        [
          system_name(model),
          *(percent(found.mean(model, widest, kind)) for kind in kinds),
        ]
        for model in found.models
      ),
    ],
    compared=True,
  )


def _by_task(found: Found) -> Table:
  tasks = make_tasks(found.rows)
  heads = [f'{task.name}: {metric_name(HEADLINE[task.kind])}' for task in tasks]
  body = [
    [
      system_name(model),
      MISSING if prefix is None else str(prefix),
      *(percent(found.score(model, task.name, prefix)) for task in tasks),
    ]
    for model in found.models
    for prefix in sorted(
      {row['prefix'] for row in found.rows if row['system'] == model},
      key=lambda prefix: prefix or 0,
    )
  ]
  return Table(
    title='By task, at each prefix',
    note='In percent, by the metric that a task is judged by.',
    lines=[['model', 'prefix', *heads], *body],
    names=2,
    compared=True,
  )


def _by_language(found: Found) -> Table:
  widest = found.prefixes[-1]
  scores = {model: found.by_language(model, widest) for model in found.models}
  last = scores[SOUP]
  ordered = sorted(last, key=lambda language: (-last[language], language))
  return Table(
    title='Translations by language',
    note=f'Accuracy in percent at {widest} dimensions, best language first.',
    lines=[
      ['language', *map(system_name, found.models)],
      *(
        [
          language,
          *(percent(of_model.get(language)) for of_model in scores.values()),
        ]
        for language in ordered
      ),
    ],
  )


def _seconds(found: Found) -> Table:
  total = sum(found.seconds.values())
  body = [[name, f'{spent:.0f}'] for name, spent in found.seconds.items()]
  return Table(
    title='Wall time',
    note='In seconds, each process with its start, in all attempts.',
    lines=[['stage', 's'], *body, ['all', f'{total:.0f}']],
  )


def _counts(
  title: str, note: str, counts: Mapping[str, Mapping[str, int]]
) -> Table:
  columns = list(dict.fromkeys(x for of in counts.values() for x in of))
  return Table(
    title=title,
    note=note,
    lines=[
      ['', *columns],
      *(
        [name, *(f'{of_name.get(column, 0):,}' for column in columns)]
        for name, of_name in counts.items()
      ),
    ],
  )


def _markdown(found: Found, tables: Sequence[Table]) -> str:
  parts = [f'# {TITLE}\n', f'{summary(found)}\n']
  for table in tables:
    parts += [
      f'## {table.title}\n',
      f'{table.note}\n',
      markdown(table.lines, names=table.names),
    ]
  commands = '\n'.join(f'    {each}' for each in found.commands.values())
  return '\n'.join([*parts, f'## Commands\n\n{commands}\n'])


def _top(column: Sequence[str]) -> str | None:
  # Compared as printed: of two that read 41.3 both are best. Alone, none is.
  numbers = [text for text in column if text != MISSING]
  return max(numbers, key=float) if len(set(numbers)) > 1 else None
