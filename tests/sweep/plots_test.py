import dataclasses
import re

import pytest

from gemb.sweep.plots import draw_table, is_logarithmic
from gemb.sweep.table import Row, Table

RATE, NAME = 'gemb.a.Config.rate', 'gemb.a.Config.name'


def table(*points, sweeps=1):
  rows = tuple(
    Row(
      sweep=f's{number % sweeps}',
      name=str(number),
      values={RATE: rate, NAME: name},
      scores={} if score is None else {'x@4': score},
      state='ended',
    )
    for number, (rate, name, score) in enumerate(points)
  )
  return Table(rows=rows, axes=(RATE, NAME), metrics=('x@4',), sweeps=sweeps)


POINTS = [
  (1e-3, 'b', 0.5),
  (1e-2, 'a', 0.4),
  (1e-1, 'a', 0.3),
  (1.0, 'a', None),
]


def draw(*points, sweeps=1):
  plot = draw_table(table(*points, sweeps=sweeps))
  assert plot is not None
  return plot


def test_every_axis_has_a_panel():
  plot = draw(*POINTS)
  assert plot.title == '3 points by x@4'
  assert plot.svg.count('>Score (%)</text>') == 2
  for text in ('Config.rate', 'Config.name', "'a'", "'b'"):
    assert f'>{text}</text>' in plot.svg
  assert draw(*POINTS).svg == plot.svg
  assert '>s0</text>' not in plot.svg


def test_sweeps_are_told_apart():
  named = re.findall(r'>(s\d)</text>', draw(*POINTS, sweeps=2).svg)
  assert named == ['s0', 's1']


@pytest.mark.parametrize(
  ('values', 'logarithmic'),
  [
    ([1e-4, 1e-3, 1e-2], True),
    ([0.001, 0.002, 0.004, 0.008], True),
    ([16, 64], False),
    ([0.01, 1.0], True),
    ([1, 2, 3, 4], False),
    ([0, 1, 10, 100], False),
    ([5, 5], False),
  ],
)
def test_values_spaced_by_factors_have_a_logarithmic_axis(values, logarithmic):
  assert is_logarithmic(values) == logarithmic


def test_where_nothing_has_ended_nothing_is_drawn():
  assert draw_table(table((1.0, 'a', None))) is None
  assert draw_table(dataclasses.replace(table(*POINTS), axes=())) is None
  other = dataclasses.replace(table(*POINTS), metrics=('y@4',))
  assert draw_table(other) is None
