import dataclasses

import pytest

from gemb.mixing import search as search_lib
from gemb.mixing import tpe
from gemb.mixing.points import Point, rank, read_points
from gemb.mixing.search import Settings, check, search

GIVEN = {'a': 2.0, 'b': 1.0, 'c': 1.0}
SETTINGS = Settings(metrics=('score',), points=4, trials=3, seed=1)


def hill(mixture):
  """Is highest, 1, at 200, 700 and 100 batches."""
  top = {'a': 0.2, 'b': 0.7, 'c': 0.1}
  away = sum((mixture[task] / 1_000 - top[task]) ** 2 for task in top)
  return {'score': 1 - away, 'other': away}


@pytest.fixture
def look(tmp_path):
  """Searches; returns the points, the mixtures trained and the lines said."""

  def run(settings=SETTINGS, objective=hill):
    trained, lines = [], []

    def train(name, mixture):
      trained.append(mixture)
      return objective(mixture)

    results = tmp_path / 'results.jsonl'
    points = search(GIVEN, settings, train, results, lines.append)
    assert read_points(results) == points
    return points, trained, lines

  return run


def test_the_given_mixture_is_first_then_the_drawn_then_the_suggested(look):
  points, trained, lines = look()
  assert [p.source for p in points] == [
    'given',
    *['dirichlet'] * 4,
    *['tpe'] * 3,
  ]
  assert points[0].mixture == {'a': 500, 'b': 250, 'c': 250}
  assert [p.mixture for p in points] == trained
  assert len({p.name for p in points}) == len(lines) == 8
  assert lines[0].endswith(', given: a 500, b 250, c 250: 0.6850')


def test_a_search_that_was_killed_goes_on_to_the_same_points(look, tmp_path):
  whole, _, _ = look()
  (tmp_path / 'results.jsonl').unlink()

  def until_killed(limit):
    count = 0

    def objective(mixture):
      nonlocal count
      count += 1
      if count > limit:
        raise KeyboardInterrupt
      return hill(mixture)

    return objective

  for limit in (3, 3):
    with pytest.raises(KeyboardInterrupt):
      look(objective=until_killed(limit))
  again, trained, lines = look()
  assert again == whole
  assert len(trained) == 2
  assert sum(line.endswith(', tried before') for line in lines) == 6


def test_more_points_and_trials_are_added_to_those_there_are(look):
  look()
  more = dataclasses.replace(SETTINGS, points=6, trials=4)
  points, trained, _ = look(more)
  assert len(trained) == 3
  assert [p.source for p in points[8:]] == ['dirichlet', 'dirichlet', 'tpe']
  assert look(more)[1] == []


def test_trials_come_nearer_to_the_top(look):
  settings = Settings(metrics=('score',), points=10, trials=30)
  points, _, _ = look(settings)
  drawn, suggested = points[:11], points[11:]
  assert max(p.scores['score'] for p in suggested) > 0.99
  mean = [
    sum(p.scores['score'] for p in some) / len(some)
    for some in (drawn, suggested)
  ]
  assert mean[1] > mean[0] + 0.1


def test_the_mean_of_several_metrics_is_searched_by(look):
  both = dataclasses.replace(SETTINGS, metrics=('score', 'other'))
  points, _, _ = look(both)
  assert points[0].score(both.metrics) == 0.5
  only = dataclasses.replace(SETTINGS, metrics=('other',))
  again, trained, _ = look(only)
  assert trained == []  # all scores are kept, so that another metric costs none
  assert rank(again, only.metrics)[0] == min(
    again, key=lambda p: p.scores['score']
  )


def test_a_mixture_that_breaks_down_is_told_and_not_tried_again(look):
  def objective(mixture):
    if mixture['a'] == 500:
      raise FloatingPointError('Step 3: loss is nan')
    return hill(mixture)

  points, _, lines = look(objective=objective)
  assert points[0] == Point(
    source='given',
    mixture={'a': 500, 'b': 250, 'c': 250},
    error='Step 3: loss is nan',
  )
  assert lines[0].endswith('broke down (Step 3: loss is nan)')
  assert len(points) == 8
  assert points[0] not in rank(points, ('score',))
  assert look(objective=objective)[1] == []


def test_where_all_break_down_the_search_ends(look):
  def objective(mixture):
    raise FloatingPointError('no loss')

  with pytest.raises(ValueError, match='All of the 5 mixtures broke down, the'):
    look(objective=objective)


def test_a_suggestion_that_was_tried_is_not_tried_again(look, monkeypatch):
  same = {'a': 500, 'b': 250, 'c': 250}
  monkeypatch.setattr(tpe, 'suggest', lambda tried, **_: same)
  with pytest.raises(ValueError, match=r'Trial 1 finds no .* --trials=0'):
    look()


def test_a_search_without_trials_needs_no_optuna(look, monkeypatch):
  monkeypatch.setattr(search_lib, 'load_optuna', None)
  settings = dataclasses.replace(SETTINGS, trials=0)
  check(GIVEN, settings)
  assert len(look(settings)[0]) == 5


def test_one_task_makes_no_mixture():
  with pytest.raises(ValueError, match=r"has \['a'\] alone; a mixture needs"):
    check({'a': 1.0}, SETTINGS)
  # Nothing else than the run's own is asked for.
  check({'a': 1.0}, Settings(metrics=('score',), points=0, trials=0))


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'points': -1}, '--points is -1; it must not be negative'),
    ({'trials': -2}, '--trials is -2; it must not be negative'),
    ({'concentration': 0.0}, '--concentration is 0; it must be greater'),
  ],
)
def test_settings_are_checked(changes, message):
  with pytest.raises(ValueError, match=message):
    dataclasses.replace(SETTINGS, **changes)
