"""Which examples are dropped, and which neighbours are no negatives.

Source: Gemini Embedding (arXiv:2503.07891), section 4.3: wrong positives and
wrong negatives are dropped. Its thresholds are not published: they are gin
values. What the language model did not tell is no reason.
"""

import dataclasses
from typing import Literal

from gemb.curation.candidates import Candidate, Mined
from gemb.curation.config import Curation, FilteringConfig
from gemb.curation.scoring import choose_negatives

Reason = Literal['false positive', 'quality']


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
  """What becomes of a scored example.

  Attributes:
    row: the example, its false negatives gone from candidates and negatives.
    removed: these false negatives.
    quality: probability that it is a good example; None: not judged, or the
      model gave no answer.
    reason: for which it is dropped; None: it is kept.
  """

  row: Mined
  removed: tuple[Candidate, ...]
  quality: float | None
  reason: Reason | None


def decide(row: Mined, quality: float | None, curation: Curation) -> Decision:
  """Returns what becomes of a scored example.

  Where neighbours are removed, negatives are chosen anew from those left.
  """
  config = curation.filtering
  removed = tuple(
    each for each in row.candidates if _answers(each, row.positive, config)
  )
  if removed:
    left = tuple(each for each in row.candidates if each not in removed)
    row = dataclasses.replace(row, candidates=left)
    row = choose_negatives(row, curation.scoring)
  reason: Reason | None = None
  if _is_below(row.positive.grade, config.false_positive_grade):
    reason = 'false positive'
  elif _is_below(quality, config.min_quality):
    reason = 'quality'
  return Decision(row=row, removed=removed, quality=quality, reason=reason)


def _answers(
  neighbour: Candidate, positive: Candidate, config: FilteringConfig
) -> bool:
  """Whether a neighbour answers the query too."""
  grade, limit = neighbour.grade, config.false_negative_grade
  if grade is not None and limit is not None and grade >= limit:
    return True
  return config.above_positive and _is_above(neighbour, positive)


def _is_above(neighbour: Candidate, positive: Candidate) -> bool:
  """Whether all that the model told of both puts the neighbour first."""
  told = [
    one > other
    for one, other in (
      (neighbour.grade, positive.grade),
      (neighbour.likelihood, positive.likelihood),
    )
    if one is not None and other is not None
  ]
  return bool(told) and all(told)


def _is_below(value: float | None, limit: float | None) -> bool:
  return value is not None and limit is not None and value < limit
