import numpy as np
import pytest

from gemb.data.sampling import generator
from gemb.sweep.draws import choice, integers, log_uniform, uniform
from gemb.sweep.search import load_optuna


def drawn(axis, count=400):
  return [axis.draw(generator(0, 'test', number)) for number in range(count)]


def test_distances_or_factors_are_equally_likely():
  values = drawn(uniform(2, 6))
  assert 2 <= min(values) < 2.1 and 5.9 < max(values) <= 6
  assert np.mean(values) == pytest.approx(4, abs=0.2)
  logs = np.log10(drawn(log_uniform(1e-4, 1e-2)))
  assert logs.min() >= -4 and logs.max() <= -2
  assert logs.mean() == pytest.approx(-3, abs=0.1)


def test_integers_have_both_ends():
  assert {*drawn(integers(3, 5))} == {3, 4, 5}
  assert {type(value) for value in drawn(integers(3, 5), 3)} == {int}


def test_a_choice_is_of_any_values():
  axis = choice([(4, 8), None])
  assert {*drawn(axis)} == {(4, 8), None}
  assert axis.ends() == ((4, 8), None)


def test_a_search_finds_the_same_values():
  optuna = load_optuna()
  space = choice([(4, 8), None]).distribution(optuna)
  assert space.choices == ('(4, 8)', 'None')
  assert choice([(4, 8), None]).value('(4, 8)') == (4, 8)
  scale = log_uniform(1e-4, 1e-2).distribution(optuna)
  assert (scale.low, scale.high, scale.log) == (1e-4, 1e-2, True)
  whole = integers(1, 3).distribution(optuna)
  assert (whole.low, whole.high) == (1, 3)


@pytest.mark.parametrize(
  ('make', 'said'),
  [
    (lambda: uniform(1, 1), 'goes from 1.0 to 1.0; the first must be less'),
    (lambda: uniform(0, float('inf')), 'from 0.0 to inf; both must be finite'),
    (lambda: log_uniform(0, 1), 'begins at 0.0; it must be greater than 0'),
    (lambda: integers(0, 1.5), 'from 0 to 1.5; give two integers'),
    (lambda: choice([]), 'at least one value'),
    (lambda: choice([1, 1]), 'none twice'),
  ],
)
def test_an_axis_that_is_none_is_refused(make, said):
  with pytest.raises(ValueError, match=said):
    make()
