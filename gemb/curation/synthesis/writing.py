"""Has a language model write rows, one text each, and keeps the good ones.

A stage leaves two files: `written_NAME.jsonl` has all rows, each with the
reason why it was dropped, or None; `synthetic_NAME.jsonl` has those that were
kept, for SourceConfig.path. All that happens to a row depends on the settings,
the model, and the rows before it, so that killed work goes on as it was.
"""

import collections
import dataclasses
import itertools
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tqdm

from gemb.curation.journal import Journal, hold
from gemb.curation.language_model import LanguageModel
from gemb.data.examples import normalise

Row = dict[str, Any]

_AT_ONCE = 32  # rows that are asked for together, and then on disk
_ECHO = 4  # words; fewer may stand in a sentence of the prompt by chance
_VALUE_ENDS = re.compile('[:|\n]')  # as in the prompts' own examples


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kind:
  """How texts of one kind are asked for, read and rated.

  Attributes:
    name: of the files.
    ask: a row without its text -> the prompt, which ends where it is to stand.
    read: an answer's line -> the fields that it gives, 'query' among them;
      None: it is malformed.
    rate: a row -> the prompt that one of the verdicts continues.
    verdicts: that the auto-rater chooses from.
    wanted: a row -> the verdict that it should get.
    min_rating: rows are dropped that get it with a lower probability; 0: the
      auto-rater is not asked.
    longest: characters of a text. max_tokens make more, so that an answer that
      was cut short is dropped too.
    max_tokens: of an answer.
  """

  name: str
  ask: Callable[[Row], str]
  read: Callable[[str], Row | None]
  rate: Callable[[Row], str]
  verdicts: tuple[str, ...]
  wanted: Callable[[Row], str]
  min_rating: float
  longest: int
  max_tokens: int


def write(
  kind: Kind,
  drafts: Sequence[Row],
  *,
  model: LanguageModel,
  temperature: float,
  folder: pathlib.Path,
  about: Mapping[str, Any],
) -> None:
  """Writes the files of a kind, and says what was dropped.

  Args:
    kind: what is written.
    drafts: the rows without their texts; 'seed' is that of the answer.
    model: that writes and rates.
    temperature: of the answers.
    folder: of the files.
    about: what the rows depend on, as JSON.

  Raises:
    OSError: if the folder cannot be written.
    ValueError: if it holds other work, or another process writes there.
  """
  path = folder / f'synthetic_{kind.name}.jsonl'
  with hold(path):
    kept = Journal(path, about)
    if kept.finished:
      print(f'{kept.path} is there, with {kept.done:,} rows')
      return
    written = Journal(folder / f'written_{kind.name}.jsonl', about)
    if not written.finished:
      _write_all(kind, drafts, model, temperature, written)
    # What a killed process has copied already is not copied again.
    for block in _blocks(itertools.islice(_good(written), kept.done, None)):
      kept.add(block)
    kept.finish()
    print(f'{kept.path}: {summary(written.rows())}')


def summary(rows: Iterable[Row]) -> str:
  """Returns how many rows were kept, and why others were dropped."""
  reasons = collections.Counter(row['dropped'] for row in rows)
  total, kept = reasons.total(), reasons.pop(None, 0)
  said = f'{kept:,} of {total:,} rows are kept'
  if not reasons:
    return said
  counts = ', '.join(f'{count:,} {why}' for why, count in reasons.most_common())
  return f'{said}; dropped: {counts}'


def find_fault(text: str, prompt: str, longest: int) -> str | None:
  """Returns why a text cannot be used, if it cannot.

  >>> find_fault('1. --', 'Write a list.', 100)
  'empty'
  >>> find_fault('of tea, and', 'A cup of tea, and milk', 100) is None
  True
  """
  if not any(character.isalpha() for character in text):
    return 'empty'
  if len(text) > longest:
    return 'too long'
  return 'echo' if _echoes(text, prompt) else None


def _write_all(
  kind: Kind,
  drafts: Sequence[Row],
  model: LanguageModel,
  temperature: float,
  written: Journal,
) -> None:
  seen = {normalise(row['query']) for row in written.rows()}
  with tqdm.tqdm(
    total=len(drafts), initial=written.done, desc=kind.name, unit=' texts'
  ) as bar:
    for block in _blocks(drafts[written.done :]):
      prompts = [kind.ask(row) for row in block]
      answers = model.complete(
        prompts,
        seeds=[row['seed'] for row in block],
        max_tokens=kind.max_tokens,
        temperature=temperature,
      )
      rows = []
      for each in zip(block, prompts, answers, strict=True):
        rows.append(_read(kind, *each, seen))
        seen.add(normalise(rows[-1]['query']))
      _rate(kind, [row for row in rows if row['dropped'] is None], model)
      written.add(rows)
      bar.update(len(rows))
  written.finish()


def _read(
  kind: Kind, draft: Row, prompt: str, answer: str | None, seen: set[str]
) -> Row:
  """Returns the row with its text, or with the reason why it has none."""
  if answer is None:
    return draft | {'dropped': 'refused'}
  line = ' '.join(answer.split())
  fields = kind.read(line)
  if fields is None:
    return draft | {'query': line, 'dropped': 'malformed'}
  fault = find_fault(fields['query'], prompt, kind.longest)
  if fault is None and normalise(fields['query']) in seen:
    fault = 'duplicate'
  return draft | fields | {'dropped': fault}


def _echoes(text: str, prompt: str) -> bool:
  """Whether a text stands in the prompt, as a whole value or in many words."""
  words = normalise(text)
  if len(words.split()) >= _ECHO:
    return f' {words} ' in f' {normalise(prompt)} '
  return words in map(normalise, _VALUE_ENDS.split(prompt))


def _rate(kind: Kind, rows: Sequence[Row], model: LanguageModel) -> None:
  """Adds the auto-rater's ratings to rows, and drops what it finds bad."""
  if not rows or not kind.min_rating:
    return
  chosen = model.choose([kind.rate(row) for row in rows], kind.verdicts)
  for row, logs in zip(rows, np.asarray(chosen), strict=True):
    rating = float(np.exp(logs[kind.verdicts.index(kind.wanted(row))]))
    if np.isnan(rating):
      row['dropped'] = 'not rated'
      continue
    row['rating'] = round(rating, 4)
    if rating < kind.min_rating:
      row['dropped'] = 'rated low'


def _good(written: Journal) -> Iterator[Row]:
  """Yields the rows to be kept."""
  for row in written.rows():
    if row.pop('dropped') is None:
      yield row


def _blocks(rows: Iterable[Row]) -> Iterator[list[Row]]:
  remaining = iter(rows)
  while block := list(itertools.islice(remaining, _AT_ONCE)):
    yield block
