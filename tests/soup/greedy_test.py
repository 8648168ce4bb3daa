import pytest

from gemb.soup.average import fold
from gemb.soup.greedy import greedy

# Numbers stand for parameters. The nearer to 10, the better.
NUMBERS = {'a': 4.0, 'b': 13.0, 'c': 8.0, 'd': 12.0}


def score(number):
  return -abs(number - 10)


def blend(mean, number, share):
  return (1 - share) * mean + share * number


def run(numbers=NUMBERS, score=score):
  return greedy(
    {name: score(number) for name, number in numbers.items()},
    load=numbers.__getitem__,
    score=score,
    blend=blend,
  )


def test_from_the_best_on_each_stays_that_does_no_harm():
  soup, trials = run()
  # c: 8 scores -2. With d: (8 + 12) / 2 = 10 scores 0. Then b: 11 scores -1,
  # and a: (8 + 12 + 4) / 3 = 8 scores -2: neither stays.
  assert soup == 10
  assert [(t.name, t.stays) for t in trials] == [
    ('c', True),
    ('d', True),
    ('b', False),
    ('a', False),
  ]
  assert [t.score for t in trials] == pytest.approx([-2, 0, -1, -2])


def test_one_that_changes_nothing_stays():
  soup, trials = run(score=lambda number: 1.0)
  assert [trial.stays for trial in trials] == [True] * 4
  assert soup == pytest.approx(fold(NUMBERS.values(), [1.0] * 4, blend))
  assert soup == pytest.approx(37 / 4)


def test_the_best_alone_is_the_soup_where_all_others_harm():
  soup, trials = run({'a': 10.0, 'b': 0.0, 'c': 30.0})
  assert soup == 10
  assert [trial.name for trial in trials if trial.stays] == ['a']


def test_equal_ones_are_tried_in_the_order_they_are_given():
  _, trials = run({'z': 9.0, 'y': 11.0, 'x': 9.0})
  assert [trial.name for trial in trials] == ['z', 'y', 'x']
