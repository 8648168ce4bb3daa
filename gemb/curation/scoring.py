"""Scores of mined neighbours by a language model, and what follows from them.

Source: Gemini Embedding (arXiv:2503.07891), section 4.4: a language model
judges each neighbour twice, by a grade of its relevance and by the likelihood
of the query after it; the two orders are fused by reciprocal ranks, and the
k-th neighbour of that order is the hard negative.
"""

import dataclasses
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tqdm
from jaxtyping import Float

from gemb.curation import candidates, fusion, journal, prompts
from gemb.curation.candidates import Mined
from gemb.curation.config import Curation, ScoringConfig
from gemb.curation.drawing import Draw, draw
from gemb.curation.journal import Journal
from gemb.curation.language_model import LanguageModel

# Examples; a kill loses no more. Fewer would leave calls of a shape half empty.
_DRAWN_AT_ONCE = 64
_ROWS_AT_ONCE = 4096  # written at once, where few are drawn


def score(
  curation: Curation, folder: pathlib.Path, model: LanguageModel
) -> None:
  """Writes TASK.scored.jsonl for each TASK.mined.jsonl, with all of its rows.

  Those that `ScoringConfig.most` does not draw pass through as they were mined.

  Raises:
    OSError: if a file is not there or cannot be written.
    ValueError: if a file holds other work, or the model cannot tell.
  """
  for task in curation.tasks:
    _score_task(curation.scoring, task, folder, model)


def score_rows(
  rows: Sequence[Mined], model: LanguageModel, config: ScoringConfig
) -> list[Mined]:
  """Returns rows with scores, neighbours in fused order, and new negatives."""
  if not rows:
    return []
  pairs = [
    (row.query, each.text)
    for row in rows
    for each in (row.positive, *row.candidates)
  ]
  told: list[dict[str, Any]] = [{} for _ in pairs]
  for signal in config.signals:
    if measure := _MEASURES.get(signal):
      values = measure(pairs, model, config)
      for scores, value in zip(told, values, strict=True):
        scores[signal] = value
  left = iter(told)
  scored = [
    dataclasses.replace(
      row,
      positive=dataclasses.replace(row.positive, **next(left)),
      candidates=tuple(
        dataclasses.replace(each, **next(left)) for each in row.candidates
      ),
    )
    for row in rows
  ]
  return [reorder(row, config) for row in scored]


def grades(
  pairs: Sequence[tuple[str, str]], model: LanguageModel, config: ScoringConfig
) -> list[float | None]:
  """Returns the expected grade of each (query, passage), from 0.

  It is the mean of the grades, weighted by their probabilities, which tells
  more apart than the likeliest one; None where the model gave no answer.
  """
  prompt = prompts.load(config.grade_prompt)
  most = config.characters
  asked = [
    prompt.fill(query=query[:most], passage=passage[:most])
    for query, passage in pairs
  ]
  labels = [str(grade) for grade in range(config.grades)]
  shares = np.exp(model.choose(asked, labels))
  return known(shares @ np.arange(config.grades))


def likelihoods(
  pairs: Sequence[tuple[str, str]], model: LanguageModel, config: ScoringConfig
) -> list[float | None]:
  """Returns log p(query | passage) of each (query, passage), in nats."""
  prompt = prompts.load(config.likelihood_prompt)
  most = config.characters
  contexts = [prompt.fill(passage=passage[:most]) for _, passage in pairs]
  # The space is the query's: a word's first piece has it.
  queries = [f' {query[:most]}' for query, _ in pairs]
  return known(model.likelihoods(contexts, queries))


def reorder(row: Mined, config: ScoringConfig) -> Mined:
  """Returns a row with its candidates in fused order, and new negatives."""
  signals = np.array(
    [
      [getattr(each, signal) for each in row.candidates]
      for signal in config.signals
    ],
    float,  # which makes NaN of None
  )
  places = fusion.order(signals, config.rrf_constant)
  ordered = tuple(row.candidates[place] for place in places)
  return choose_negatives(dataclasses.replace(row, candidates=ordered), config)


def choose_negatives(row: Mined, config: ScoringConfig) -> Mined:
  """Returns a row with the k-th candidate as negative, and those before it."""
  last = config.k or len(row.candidates)
  before = [each.text for each in row.candidates[:last]]
  chosen = tuple(before[::-1][: config.negatives])
  return dataclasses.replace(row, negatives=chosen)


_MEASURES = {'grade': grades, 'likelihood': likelihoods}  # others are mined


def _score_task(
  config: ScoringConfig, task: str, folder: pathlib.Path, model: LanguageModel
) -> None:
  about = {
    'kind': 'scored',
    **candidates.origin(folder, task, 'mined', 'mine'),
    'scoring': dataclasses.asdict(config),
    'model': model.identity,
  }
  source = candidates.stage_path(folder, task, 'mined')
  path = candidates.stage_path(folder, task, 'scored')
  drawn = draw(source, config.most, config.seed)
  with journal.hold(path):
    target = Journal(path, about)
    if not target.finished:
      _score_rows_left(config, source, target, drawn, model)
      target.finish()
  print(f'{task}: {drawn.count:,} of {drawn.total:,} examples scored in {path}')


def _score_rows_left(
  config: ScoringConfig,
  source: pathlib.Path,
  target: Journal,
  drawn: Draw,
  model: LanguageModel,
) -> None:
  """Adds the rows that are not there yet."""
  with tqdm.tqdm(
    desc=target.path.stem,
    initial=target.done,
    total=drawn.total,
    unit=' rows',
    disable=None,
  ) as bar:
    for block in _blocks(candidates.read(source, target.done), drawn):
      asked = [row for row in block if row.id in drawn]
      scored = iter(score_rows(asked, model, config))
      rows = [next(scored) if row.id in drawn else row for row in block]
      target.add(map(candidates.to_row, rows))
      bar.update(len(rows))


def _blocks(rows: Iterable[Mined], drawn: Draw) -> Iterator[list[Mined]]:
  """Yields rows one after another, few of them drawn at a time."""
  block, due = [], 0
  for row in rows:
    block.append(row)
    due += row.id in drawn
    if due == _DRAWN_AT_ONCE or len(block) == _ROWS_AT_ONCE:
      yield block
      block, due = [], 0
  if block:
    yield block


def known(values: Float[np.ndarray, 'n']) -> list[float | None]:
  """Returns numbers for JSON, None for NaN."""
  return [None if np.isnan(v) else round(float(v), 4) for v in values]
