"""Runs the filters over scored examples, and tells what they did.

Source: Gemini Embedding (arXiv:2503.07891), section 4.3: a language model with
a few-shot prompt judges the quality of examples. Its answers are kept in
TASK.judged.jsonl; what follows from them, from the scores and the thresholds
(`deciding`) is written anew each time, so that a threshold can be changed.
"""

import contextlib
import dataclasses
import itertools
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tqdm

from gemb.curation import candidates, filter_report, journal, prompts
from gemb.curation.candidates import Mined
from gemb.curation.config import Curation
from gemb.curation.deciding import Decision, decide
from gemb.curation.drawing import Draw, draw
from gemb.curation.journal import Journal
from gemb.curation.language_model import LanguageModel
from gemb.curation.scoring import known
from gemb.curation.tally import Tally

_JUDGED_AT_ONCE = 64  # examples; a kill loses no more


def filter_tasks(
  curation: Curation, folder: pathlib.Path, model: LanguageModel | None
) -> None:
  """Writes what is kept and dropped of each TASK.scored.jsonl, and a report.

  TASK.filtered.jsonl has the rows that are kept, TASK.dropped.jsonl the ids of
  the others with the reason, filter_report.html counts and samples.

  Args:
    curation: says which tasks, and what is dropped.
    folder: of all stages.
    model: that judges the quality of examples; None: none does.

  Raises:
    OSError: if a file is not there or cannot be written.
    ValueError: if a file holds other work, or a threshold is of grades that
      `ScoringConfig.signals` does not ask for.
  """
  _check_grades(curation)
  tallies = [
    _filter_task(curation, task, folder, model) for task in curation.tasks
  ]
  path = folder / 'filter_report.html'
  filter_report.write(path, tallies, curation)
  print(f'Samples of what was kept and dropped are in {path}')


def qualities(
  rows: Sequence[Mined], model: LanguageModel, curation: Curation
) -> list[float | None]:
  """Returns the probability that each is a good example; None: no answer."""
  prompt = prompts.load(curation.filtering.quality_prompt)
  most = curation.scoring.characters
  asked = [
    prompt.fill(query=row.query[:most], passage=row.positive.text[:most])
    for row in rows
  ]
  # The space is the answer's: a word's first piece has it.
  return known(np.exp(model.choose(asked, [' yes', ' no']))[:, 0])


def _filter_task(
  curation: Curation,
  task: str,
  folder: pathlib.Path,
  model: LanguageModel | None,
) -> Tally:
  """Writes the files of a task; returns what became of its examples."""
  config = curation.filtering
  source = candidates.stage_path(folder, task, 'scored')
  about = candidates.origin(folder, task, 'scored', 'score')
  drawn = draw(source, curation.scoring.most, curation.scoring.seed)
  tally = Tally(task, config.samples, scored_by=about['scored']['model'])
  judged = candidates.stage_path(folder, task, 'judged')
  with journal.hold(judged), contextlib.ExitStack() as stack:
    if model:
      _judge(curation, source, judged, drawn, model, about)
    about['filtering'] = dataclasses.asdict(config)
    keep, drop = (
      stack.enter_context(
        journal.rewrite(
          candidates.stage_path(folder, task, kind), {'kind': kind, **about}
        )
      )
      for kind in ('filtered', 'dropped')
    )
    judgements = journal.read_rows(judged) if model else None
    for decision in _decisions(source, judgements, drawn, curation):
      if decision.reason:
        drop(_dropped(decision))
      else:
        keep(candidates.to_row(decision.row))
      tally.add(decision, scored=decision.row.id in drawn)
  print(tally.sentence)
  return tally


def _judge(
  curation: Curation,
  source: pathlib.Path,
  path: pathlib.Path,
  drawn: Draw,
  model: LanguageModel,
  about: Mapping[str, Any],
) -> None:
  """Writes the quality of each example that is drawn."""
  judged = Journal(
    path,
    {
      'kind': 'judged',
      **about,
      'quality_prompt': curation.filtering.quality_prompt,
      'model': model.identity,
    },
  )
  if judged.finished:
    return
  rows = (row for row in candidates.read(source) if row.id in drawn)
  rows = itertools.islice(rows, judged.done, None)
  with tqdm.tqdm(
    desc=path.stem,
    initial=judged.done,
    total=drawn.count,
    unit=' examples',
    disable=None,
  ) as bar:
    while block := list(itertools.islice(rows, _JUDGED_AT_ONCE)):
      values = qualities(block, model, curation)
      judged.add(
        {'id': row.id, 'quality': value}
        for row, value in zip(block, values, strict=True)
      )
      bar.update(len(block))
  judged.finish()


def _decisions(
  source: pathlib.Path,
  judgements: Iterator[dict[str, Any]] | None,
  drawn: Draw,
  curation: Curation,
) -> Iterator[Decision]:
  for row in candidates.read(source):
    quality = None
    if judgements and row.id in drawn:
      quality = next(judgements)['quality']
    yield decide(row, quality, curation)


def _dropped(decision: Decision) -> dict[str, Any]:
  row = decision.row
  return {
    'id': row.id,
    'reason': decision.reason,
    'quality': decision.quality,
    'grade': row.positive.grade,
    'query': row.query,
    'positive': row.positive.text,
  }


def _check_grades(curation: Curation) -> None:
  if 'grade' in curation.scoring.signals:
    return
  for name in ('false_positive_grade', 'false_negative_grade'):
    value = getattr(curation.filtering, name)
    if value is not None:
      raise ValueError(
        f'FilteringConfig.{name} is {value}, but ScoringConfig.signals is '
        f"{curation.scoring.signals}, without 'grade'; add it and score again, "
        f'or bind None to FilteringConfig.{name}.'
      )
