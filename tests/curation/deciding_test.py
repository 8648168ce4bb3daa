"""What becomes of scored examples, rule by rule."""

import dataclasses

import pytest

from gemb.curation.candidates import Candidate, Mined
from gemb.curation.config import Curation, FilteringConfig, ScoringConfig
from gemb.curation.deciding import decide


def passage(text, grade=None, likelihood=None):
  return Candidate(
    text=text, similarity=0.5, grade=grade, likelihood=likelihood
  )


def row(positive, *neighbours, negatives=()):
  return Mined(
    id='1',
    language='en',
    query='red fruit',
    positive=positive,
    candidates=neighbours,
    negatives=negatives,
  )


def curation(k=0, negatives=1, **values):
  return Curation(
    tasks=('colours',),
    scoring=ScoringConfig(k=k, negatives=negatives),
    filtering=FilteringConfig(**values),
  )


def removed(decision):
  return [each.text for each in decision.removed]


@pytest.mark.parametrize(
  ('grade', 'quality', 'reason'),
  [
    (3.0, 0.9, None),
    (0.99, 0.9, 'false positive'),
    (1.0, 0.9, None),
    (3.0, 0.49, 'quality'),
    (3.0, 0.5, None),
    (0.0, 0.0, 'false positive'),
    (None, 0.9, None),
    (3.0, None, None),
    (None, None, None),
  ],
)
def test_an_example_is_dropped_for_its_grade_or_its_quality(
  grade, quality, reason
):
  decision = decide(row(passage('apple', grade)), quality, curation())
  assert decision.reason == reason


def test_no_bound_drops_none():
  loose = curation(false_positive_grade=None, min_quality=0.0)
  assert decide(row(passage('apple', 0.0)), 0.0, loose).reason is None


def test_neighbours_that_answer_are_removed_and_the_next_takes_their_place():
  scored = row(
    passage('apple', 3.0, -1.0),
    passage('cherry', 2.5, -2.0),
    passage('plum', 2.4, -3.0),
    passage('tomato', 2.9, -4.0),
    negatives=('tomato',),
  )
  decision = decide(scored, 1.0, curation())
  assert removed(decision) == ['cherry', 'tomato']
  assert decision.row.candidates == (passage('plum', 2.4, -3.0),)
  assert decision.row.negatives == ('plum',)


def test_the_kth_is_counted_among_those_left():
  names = ('a', 'b', 'c', 'd')
  scored = row(
    passage('apple', 3.0),
    *(passage(name, 2.8 if name == 'a' else 1.0) for name in names),
    negatives=('b', 'a'),
  )
  decision = decide(scored, 1.0, curation(k=2, negatives=2))
  assert decision.row.negatives == ('c', 'b')


def test_nothing_changes_where_no_neighbour_is_removed():
  scored = row(passage('apple', 3.0), passage('plum', 0.0), negatives=('own',))
  assert decide(scored, 1.0, curation()).row == scored


def test_no_negative_is_left_where_all_neighbours_answer():
  scored = row(passage('apple', 3.0), passage('b', 3.0), negatives=('b',))
  decision = decide(scored, 1.0, curation())
  assert decision.reason is None
  assert decision.row.candidates == decision.row.negatives == ()


@pytest.mark.parametrize(
  ('grade', 'likelihood', 'is_removed'),
  [
    (1.6, -4.0, True),
    (1.6, -5.0, False),  # as likely as the positive is not above it
    (1.5, -4.0, False),
    (1.6, None, True),
    (None, -4.0, True),
    (None, -6.0, False),
    (None, None, False),
  ],
)
def test_a_neighbour_above_the_positive_by_all_that_is_told_is_removed(
  grade, likelihood, is_removed
):
  scored = row(passage('apple', 1.5, -5.0), passage('b', grade, likelihood))
  assert bool(removed(decide(scored, 1.0, curation()))) == is_removed
  loose = curation(above_positive=False)
  assert not removed(decide(scored, 1.0, loose))


def test_grades_remove_none_without_a_bound():
  scored = row(passage('apple', 3.0), passage('b', 3.0))
  assert not removed(decide(scored, 1.0, curation(false_negative_grade=None)))


@pytest.mark.parametrize(
  ('values', 'complaint'),
  [
    ({'min_quality': 1.5}, 'min_quality is 1.5; it is a probability'),
    ({'min_quality': float('nan')}, 'min_quality is nan'),
    ({'false_positive_grade': -1.0}, 'false_positive_grade is -1.0'),
    ({'false_negative_grade': float('nan')}, 'false_negative_grade is nan'),
    ({'samples': -1}, 'samples is -1'),
    ({'quality_prompt': 'good_v1'}, 'There is no prompt'),
  ],
)
def test_settings_that_cannot_be_are_refused(values, complaint):
  with pytest.raises(ValueError, match=complaint):
    dataclasses.replace(FilteringConfig(), **values)
