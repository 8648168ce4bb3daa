"""Scores by a language model of literal answers, and the order they make."""

import dataclasses

import numpy as np
import pytest

from gemb.curation import candidates, journal, scoring
from gemb.curation.config import Curation, ScoringConfig
from gemb.data import examples
from gemb.data.examples import Example

ROWS = [
  ('1', 'red fruit', 'apple', ('cherry', 'fire', 'brick')),
  ('2', 'blue sky', 'noon', ('ink', 'sea')),
  ('3', 'green leaf', 'maple', ()),
]
GRADES = {'apple': 3, 'cherry': 2, 'fire': 0, 'brick': 1, 'noon': None}
LIKELIHOODS = {'apple': -1.5, 'cherry': -4.0, 'fire': -3.0, 'brick': -5.0}


@pytest.fixture
def model(fake_model):
  return fake_model(GRADES, LIKELIHOODS, {})


def curation(**values):
  return Curation(tasks=('colours',), scoring=ScoringConfig(**values))


def scored(folder):
  path = candidates.stage_path(folder, 'colours', 'scored')
  return {row.id: row for row in candidates.read(path)}


def texts(row):
  return [each.text for each in row.candidates]


def test_positive_and_neighbours_get_both_scores(mined_folder, model):
  folder = mined_folder('colours', ROWS)
  scoring.score(curation(), folder, model)
  row = scored(folder)['1']
  assert (row.positive.grade, row.positive.likelihood) == (3, -1.5)
  assert {
    each.text: (each.grade, each.likelihood, each.similarity)
    for each in row.candidates
  } == {
    'cherry': (2, -4, 0.8),
    'fire': (0, -3, 0.7),
    'brick': (1, -5, 0.6),
  }


def test_neighbours_come_in_fused_order_and_the_last_is_the_negative(
  mined_folder, model
):
  # Ranks by grade: cherry 1, brick 2, fire 3; by likelihood: fire 1, cherry 2,
  # brick 3. 1/61 + 1/62 > 1/63 + 1/61 > 1/62 + 1/63.
  folder = mined_folder('colours', ROWS)
  scoring.score(curation(), folder, model)
  row = scored(folder)['1']
  assert texts(row) == ['cherry', 'fire', 'brick']
  assert row.negatives == ('brick',)
  assert scored(folder)['3'].negatives == ()


@pytest.mark.parametrize(
  ('k', 'negatives', 'chosen'),
  [
    (0, 2, ('brick', 'fire')),
    (1, 1, ('cherry',)),
    (2, 1, ('fire',)),
    (2, 5, ('fire', 'cherry')),
    (9, 1, ('brick',)),
  ],
)
def test_the_kth_neighbour_is_the_first_choice_and_harder_ones_follow(
  k, negatives, chosen, make_mined
):
  row = make_mined('1', 'red', 'apple', ('cherry', 'fire', 'brick'))
  config = ScoringConfig(k=k, negatives=negatives)
  assert scoring.choose_negatives(row, config).negatives == chosen


def test_an_expected_grade_lies_between_the_grades(model, monkeypatch):
  shares = np.array([[0.5, 0.0, 0.25, 0.25], [0.0, 0.0, 0.1, 0.9]])
  with np.errstate(divide='ignore'):
    answers = np.log(shares)
  monkeypatch.setattr(model, 'choose', lambda prompts, labels: answers)
  pairs = [('q', 'p'), ('q', 'p')]
  assert scoring.grades(pairs, model, ScoringConfig()) == [1.25, 2.9]


def test_a_refusal_leaves_no_grade_and_ranks_last(model, make_mined):
  model.grades |= {'ink': None, 'sea': 0}
  row = make_mined('2', 'blue sky', 'noon', ('ink', 'sea'))
  (found,) = scoring.score_rows([row], model, ScoringConfig(signals=('grade',)))
  assert found.positive.grade is None
  assert [(each.text, each.grade) for each in found.candidates] == [
    ('sea', 0),
    ('ink', None),
  ]


def test_one_signal_alone_asks_for_no_other(model, make_mined):
  row = make_mined('1', 'red fruit', 'apple', ('cherry', 'fire', 'brick'))
  config = ScoringConfig(signals=('likelihood', 'similarity'))
  (found,) = scoring.score_rows([row], model, config)
  assert found.positive.grade is None
  # Likelihood: fire, cherry, brick; similarity: cherry, fire, brick. A tie.
  assert texts(found) == ['cherry', 'fire', 'brick']
  assert model.asked == 4


def test_long_texts_are_cut(model, make_mined):
  row = make_mined('1', 'red', 'apple pie', ('cherry cake',))
  config = ScoringConfig(characters=6, signals=('grade',))
  (found,) = scoring.score_rows([row], model, config)
  assert found.candidates[0].text == 'cherry cake'
  assert found.candidates[0].grade == 2  # of 'cherry'


def test_those_not_drawn_pass_through_as_they_were_mined(mined_folder, model):
  folder = mined_folder('colours', ROWS)
  scoring.score(curation(most=1), folder, model)
  rows = scored(folder)
  assert list(rows) == ['1', '2', '3']
  mined = candidates.read(candidates.stage_path(folder, 'colours', 'mined'))
  assert sum(rows[row.id] == row for row in mined) == 2


def test_a_killed_run_goes_on_where_it_stopped(
  mined_folder, model, fake_model, monkeypatch
):
  monkeypatch.setattr(scoring, '_DRAWN_AT_ONCE', 1)
  folder = mined_folder('colours', ROWS)
  dying = fake_model(GRADES, LIKELIHOODS, {}, breaks_after=8)
  with pytest.raises(RuntimeError):
    scoring.score(curation(), folder, dying)
  assert not candidates.stage_path(folder, 'colours', 'scored').exists()
  scoring.score(curation(), folder, model)
  assert model.asked == 2 * (3 + 1)  # of the other two examples
  assert scored(folder)['1'].negatives == ('brick',)
  scoring.score(curation(), folder, model)
  assert model.asked == 8


def test_other_settings_and_another_model_are_refused(mined_folder, model):
  folder = mined_folder('colours', ROWS)
  scoring.score(curation(), folder, model)
  with pytest.raises(ValueError, match=r"scoring was .*'k': 0.*is.*'k': 2"):
    scoring.score(curation(k=2), folder, model)
  model.identity = {'model': 'another'}
  with pytest.raises(ValueError, match=r"model was .*'fake'.*'another'"):
    scoring.score(curation(), folder, model)


def test_what_was_mined_from_another_corpus_is_refused(mined_folder, model):
  folder = mined_folder('colours', ROWS)
  other = Example(id='1', language='en', query='q', positive='p')
  examples.write_texts('colours', 'literal', [other])
  with pytest.raises(ValueError, match=r'was made of other texts .*gemb mine'):
    scoring.score(curation(), folder, model)


def test_a_task_that_was_not_mined_is_named(mined_folder, model):
  folder = mined_folder('shapes', ROWS)
  with pytest.raises(FileNotFoundError, match=r'colours\.mined.*`gemb mine`'):
    scoring.score(curation(), folder, model)


def test_the_file_says_what_it_was_made_of(mined_folder, model):
  folder = mined_folder('colours', ROWS)
  scoring.score(curation(k=2), folder, model)
  about = journal.read_about(candidates.stage_path(folder, 'colours', 'scored'))
  assert about['kind'] == 'scored'
  assert about['mined']['kind'] == 'mined'
  assert about['model'] == {'model': 'fake'}
  assert about['scoring']['k'] == 2
  assert about['scoring']['grade_prompt'] == 'grade_v1'


@pytest.mark.parametrize(
  ('values', 'complaint'),
  [
    ({'signals': ()}, 'signals is'),
    ({'signals': ('grade', 'grade')}, 'each once'),
    ({'k': -1}, r'ScoringConfig\.k is -1; it must be at least 0'),
    ({'negatives': 0}, 'negatives is 0'),
    ({'most': 0}, 'most is 0'),
    ({'characters': 0}, 'characters is 0'),
    ({'rrf_constant': -1.0}, 'rrf_constant'),
    ({'grades': 11}, 'one digit'),
    ({'grade_prompt': 'grade_v0'}, 'choose one of .*grade_v1'),
    ({'grade_prompt': 'likelihood_v1'}, r"needs \['passage', 'query'\]"),
  ],
)
def test_settings_that_cannot_be_are_refused(values, complaint):
  with pytest.raises(ValueError, match=complaint):
    dataclasses.replace(ScoringConfig(), **values)
