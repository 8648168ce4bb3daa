"""Counts and samples of what the filters did to a task."""

import collections
import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from gemb.curation.candidates import Candidate
from gemb.curation.deciding import Decision
from gemb.data.records import text_id

BINS = 4  # of a histogram of grades, for each grade
KEPT, REMOVED = 'kept', 'false negative'  # beside the reasons of `Decision`


@dataclasses.dataclass(kw_only=True)
class Firsts:
  """How often a signal put the positive before all neighbours.

  What the signal is worth shows in the difference to chance.

  Attributes:
    examples: for which it was told.
    first: of these, where the positive came first, and alone.
    by_chance: how many would be expected of a signal without meaning.
  """

  examples: int = 0
  first: int = 0
  by_chance: float = 0.0

  def add(self, positive: float | None, others: Iterable[float | None]) -> None:
    """Counts an example; not one whose positive or neighbours have no score."""
    told = [other for other in others if other is not None]
    if positive is not None and told:
      self.examples += 1
      self.first += positive > max(told)
      self.by_chance += 1 / (1 + len(told))


@dataclasses.dataclass(kw_only=True)
class Grades:
  """How many passages have which grade.

  Attributes:
    bins: {grade, rounded down to 1 / BINS, times BINS: how many}.
    total: the sum of the grades.
  """

  bins: collections.Counter[int] = dataclasses.field(
    default_factory=collections.Counter
  )
  total: float = 0.0

  def add(self, passages: Iterable[Candidate]) -> None:
    """Counts those that have a grade."""
    for each in passages:
      if each.grade is not None:
        self.bins[int(each.grade * BINS)] += 1
        self.total += each.grade

  @property
  def mean(self) -> float | None:
    """The mean grade; None where there is none."""
    count = self.bins.total()
    return self.total / count if count else None


class Tally:
  """What became of the examples of a task.

  Attributes:
    task: its name.
    scored_by: what tells the language model from others.
    examples: how many there were.
    scored: of these, by the language model.
    outcomes: {KEPT or reason: examples}.
    removed: neighbours that were false negatives.
    grades: {'positives' or 'neighbours': Grades}.
    firsts: {'grade' or 'likelihood': Firsts}.
  """

  def __init__(self, task: str, samples: int, *, scored_by: Mapping[str, Any]):
    """Begins at nothing.

    Args:
      task: its name.
      samples: decisions that are kept of each kind.
      scored_by: what tells the language model from others.
    """
    self.task = task
    self.scored_by = scored_by
    self.examples = self.scored = self.removed = 0
    self.outcomes: collections.Counter[str] = collections.Counter()
    self.grades = {name: Grades() for name in ('positives', 'neighbours')}
    self.firsts = {name: Firsts() for name in ('grade', 'likelihood')}
    self._most = samples
    self._samples: dict[str, dict[int, Decision]] = {}

  def add(self, decision: Decision, *, scored: bool) -> None:
    """Counts an example."""
    outcome = decision.reason or KEPT
    self.examples += 1
    self.scored += scored
    self.outcomes[outcome] += 1
    self.removed += len(decision.removed)
    if not scored:
      return
    positive = decision.row.positive
    neighbours = (*decision.row.candidates, *decision.removed)
    self.grades['positives'].add([positive])
    self.grades['neighbours'].add(neighbours)
    for name, firsts in self.firsts.items():
      others = [getattr(each, name) for each in neighbours]
      firsts.add(getattr(positive, name), others)
    self._sample(outcome, decision)
    if decision.removed:
      self._sample(REMOVED, decision)

  @property
  def sentence(self) -> str:
    """What is to be said of it on the command line."""
    dropped = ', '.join(
      f'{count:,} for {reason}'
      for reason, count in sorted(self.outcomes.items())
      if reason != KEPT
    )
    return (
      f'{self.task}: {self.outcomes[KEPT]:,} of {self.examples:,} examples '
      f'kept (dropped: {dropped or "none"}); {self.removed:,} neighbours were '
      'false negatives'
    )

  def samples(self, kind: str) -> list[Decision]:
    """Returns some decisions of a kind: KEPT, REMOVED or a reason.

    They are drawn by a hash from the examples that were scored.
    """
    chosen = self._samples.get(kind, {})
    return [chosen[number] for number in sorted(chosen)]

  def _sample(self, kind: str, decision: Decision) -> None:
    chosen = self._samples.setdefault(kind, {})
    chosen[text_id(decision.row.id)] = decision
    if len(chosen) > self._most:
      del chosen[max(chosen)]
