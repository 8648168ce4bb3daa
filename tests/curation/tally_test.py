"""Counts of literal decisions."""

import pytest

from gemb.curation.candidates import Candidate, Mined
from gemb.curation.deciding import Decision
from gemb.curation.tally import KEPT, REMOVED, Tally


def passage(grade, likelihood=None):
  return Candidate(
    text='text', similarity=0.5, grade=grade, likelihood=likelihood
  )


def decision(name, positive, neighbours=(), removed=(), reason=None):
  row = Mined(
    id=name,
    language='en',
    query='query',
    positive=positive,
    candidates=tuple(neighbours),
    negatives=(),
  )
  return Decision(row=row, removed=tuple(removed), quality=1.0, reason=reason)


@pytest.fixture
def tally():
  return Tally('colours', samples=2, scored_by={})


def names(decisions):
  return {each.row.id for each in decisions}


def test_outcomes_are_counted(tally):
  tally.add(decision('1', passage(3.0)), scored=True)
  tally.add(decision('2', passage(0.0), reason='false positive'), scored=True)
  tally.add(
    decision('3', passage(2.0), removed=[passage(3.0), passage(2.6)]),
    scored=True,
  )
  tally.add(decision('4', passage(None)), scored=False)
  assert tally.outcomes == {KEPT: 3, 'false positive': 1}
  assert (tally.examples, tally.scored, tally.removed) == (4, 3, 2)
  assert tally.sentence == (
    'colours: 3 of 4 examples kept (dropped: 1 for false positive); 2 '
    'neighbours were false negatives'
  )


def test_grades_are_binned_and_their_mean_is_exact(tally):
  neighbours = [passage(0.3), passage(None)]
  tally.add(
    decision('1', passage(2.9), neighbours, removed=[passage(2.76)]),
    scored=True,
  )
  assert tally.grades['positives'].bins == {11: 1}
  assert tally.grades['neighbours'].bins == {1: 1, 11: 1}
  assert tally.grades['neighbours'].mean == pytest.approx(1.53)
  assert Tally('none', samples=0, scored_by={}).grades['positives'].mean is None


def test_the_positive_is_first_where_it_is_above_all_neighbours(tally):
  low, high = passage(1.0, -5.0), passage(2.0, -1.0)
  tally.add(decision('1', high, [low, low]), scored=True)
  tally.add(decision('2', low, [low], removed=[high]), scored=True)
  tally.add(decision('3', low, [low, low, low]), scored=True)  # no more than
  tally.add(decision('4', passage(1.0), [passage(None)]), scored=True)
  grade = tally.firsts['grade']
  assert (grade.first, grade.examples) == (1, 3)
  assert grade.by_chance == pytest.approx(1 / 3 + 1 / 3 + 1 / 4)
  assert tally.firsts['likelihood'].examples == 3


def test_samples_are_few_of_each_kind_and_do_not_depend_on_order(tally):
  given = [decision(str(number), passage(3.0)) for number in range(20)]
  backwards = Tally('colours', samples=2, scored_by={})
  for forth, back in zip(given, given[::-1], strict=True):
    tally.add(forth, scored=True)
    backwards.add(back, scored=True)
  assert len(names(tally.samples(KEPT))) == 2
  assert names(tally.samples(KEPT)) == names(backwards.samples(KEPT))
  assert tally.samples('quality') == tally.samples(REMOVED) == []


def test_what_lost_neighbours_is_a_sample_of_that_too(tally):
  tally.add(decision('1', passage(3.0), removed=[passage(3.0)]), scored=True)
  assert names(tally.samples(REMOVED)) == names(tally.samples(KEPT)) == {'1'}


def test_what_was_not_scored_is_no_sample(tally):
  tally.add(decision('1', passage(None)), scored=False)
  assert tally.samples(KEPT) == []
