"""Looks all examples of a run's tasks up in an index of evaluation texts."""

import collections
from collections.abc import Iterable

import tqdm

from gemb.data import examples
from gemb.data.contamination.index import KINDS, Index, Match, chunks_of
from gemb.data.contamination.report import Report, Sample, TaskOverlap
from gemb.data.examples import Example

_SHOWN = 200  # characters of a text in a sample


def scan(
  tasks: Iterable[str], index: Index, *, most_samples: int = 10
) -> Report:
  """Returns which examples of the tasks overlap.

  Args:
    tasks: whose texts `gemb cache` has written.
    index: of the evaluation texts.
    most_samples: shown of each kind, for each task.

  Raises:
    FileNotFoundError: if the texts of a task are not there.
    ValueError: if they are damaged.
  """
  return Report(
    settings=index.config,
    sets=index.sets,
    tasks={task: _scan_task(task, index, most_samples) for task in tasks},
  )


def _scan_task(task: str, index: Index, most_samples: int) -> TaskOverlap:
  seen = 0
  ids: dict[str, None] = {}
  counts: collections.Counter[str] = collections.Counter()
  sets: collections.Counter[str] = collections.Counter()
  samples: dict[str, list[Sample]] = {kind: [] for kind in KINDS}
  stream = tqdm.tqdm(
    examples.read_texts(task), desc=task, unit=' pairs', disable=None
  )
  for chunk in chunks_of(stream, lambda e: len(e.query) + len(e.positive)):
    seen += len(chunk)
    for example, side, match in _find(chunk, index):
      ids[example.id] = None
      counts[match.kind] += 1
      sets.update(match.sets)
      of_kind = samples[match.kind]
      of_kind.append(_sample(example, side, match))
      if len(of_kind) > 2 * most_samples:
        _keep_doubtful(of_kind, most_samples)
  for of_kind in samples.values():
    _keep_doubtful(of_kind, most_samples)
  return TaskOverlap(
    source=examples.texts_source(task) or '',
    examples=seen,
    **{kind: counts[kind] for kind in KINDS},
    sets={name: sets[name] for name in index.sets if name in sets},
    ids=list(ids),
    samples=[sample for of_kind in samples.values() for sample in of_kind],
  )


def _find(
  chunk: list[Example], index: Index
) -> Iterable[tuple[Example, str, Match]]:
  """Yields the examples that overlap, with the side that does more surely."""
  found = index.find([e.query for e in chunk] + [e.positive for e in chunk])
  sides = zip(found[: len(chunk)], found[len(chunk) :], strict=True)
  for example, (query, positive) in zip(chunk, sides, strict=True):
    if query and (not positive or _certainty(query) >= _certainty(positive)):
      yield example, 'query', query
    elif positive:
      yield example, 'positive', positive


def _certainty(match: Match) -> tuple[int, float]:
  return -KINDS.index(match.kind), match.similarity


def _sample(example: Example, side: str, match: Match) -> Sample:
  text = example.query if side == 'query' else example.positive
  return Sample(
    id=example.id,
    side=side,
    kind=match.kind,
    similarity=round(match.similarity, 3),
    sets=list(match.sets),
    text=_shorten(text),
    evaluation=_shorten(match.text),
  )


def _keep_doubtful(samples: list[Sample], most: int) -> None:
  samples.sort(key=lambda sample: sample.similarity)
  del samples[most:]


def _shorten(text: str) -> str:
  line = ' '.join(text[: 2 * _SHOWN].split())
  line = line if len(line) <= _SHOWN else f'{line[: _SHOWN - 1]}…'
  # Half a surrogate pair, which JSON can hold and UTF-8 cannot.
  return line.encode('utf-8', 'replace').decode()
