import pytest

from gemb.sweep.draws import choice, uniform
from gemb.sweep.points import (
  chain,
  cross,
  describe,
  grid,
  random,
  short_name,
  zip_,
)


def test_a_grid_has_every_value_with_every_other():
  assert grid({'A.x': [1, 2], 'A.y': ['a', 'b']}) == [
    {'A.x': 1, 'A.y': 'a'},
    {'A.x': 1, 'A.y': 'b'},
    {'A.x': 2, 'A.y': 'a'},
    {'A.x': 2, 'A.y': 'b'},
  ]


def test_zip_has_the_first_with_the_first():
  assert zip_({'A.x': [1, 2], 'A.y': [3, 4]}) == [
    {'A.x': 1, 'A.y': 3},
    {'A.x': 2, 'A.y': 4},
  ]


def test_parts_are_chained_or_crossed():
  one, two = grid({'A.x': [1, 2]}), grid({'A.y': [3]})
  assert chain(one, two) == [{'A.x': 1}, {'A.x': 2}, {'A.y': 3}]
  assert cross(one, two) == [{'A.x': 1, 'A.y': 3}, {'A.x': 2, 'A.y': 3}]


def test_random_points_depend_on_the_seed_and_are_different():
  axes = {'A.x': uniform(0, 1), 'A.y': choice('abc')}
  four = random(axes, count=4, seed=1)
  assert random(axes, count=9, seed=1)[:4] == four
  assert random(axes, count=4, seed=2) != four
  three = random({'A.y': choice('abc')}, count=3)
  assert {point['A.y'] for point in three} == {*'abc'}


def test_a_point_is_told_in_a_line():
  point = {'gemb.run.Run.steps': 3, 'A.x': (1, 'b')}
  assert describe(point) == "Run.steps=3, A.x=(1, 'b')"
  assert short_name('own/gemb.run.Run.steps') == 'Run.steps'


@pytest.mark.parametrize(
  ('make', 'said'),
  [
    (lambda: grid({}), 'there is no axis here'),
    (lambda: grid({'A.x': []}), r'A\.x has no value'),
    (lambda: grid({'A.x': 'ab'}), r"A\.x has 'ab'; give a list"),
    (lambda: zip_({'A.x': [1], 'A.y': [1, 2]}), "'A.x': 1, 'A.y': 2"),
    (lambda: random({}, count=1), 'draws 1 points on 0 axes'),
    (lambda: random({'A.y': choice('ab')}, count=3), 'finds only 2 different'),
    (
      lambda: cross(grid({'A.x': [1]}), grid({'A.x': [2], 'A.y': [1]})),
      r'has A\.x in two of its parts',
    ),
  ],
)
def test_what_makes_no_points_is_refused(make, said):
  with pytest.raises(ValueError, match=said):
    make()
