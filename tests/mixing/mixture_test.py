import numpy as np
import pytest

from gemb.data.sampling import Schedule
from gemb.mixing.mixture import draw_mixture, make_mixture, name_of, rates_of


def test_batches_are_shared_out_by_largest_remainder():
  assert make_mixture({'a': 5.0, 'b': 4.0, 'c': 1.0}) == {
    'a': 500,
    'b': 400,
    'c': 100,
  }
  # 333.3 each: the first gets the batch that is left.
  assert make_mixture(dict.fromkeys('abc', 2.0)) == {
    'a': 334,
    'b': 333,
    'c': 333,
  }


def test_a_task_that_would_have_less_than_a_batch_has_one():
  shares = {'a': 0.7, 'b': 0.2991, 'c': 0.0005, 'd': 0.0004}
  mixture = make_mixture(shares)
  assert mixture == {'a': 699, 'b': 299, 'c': 1, 'd': 1}
  Schedule(rates_of(mixture), seed=0)  # takes it
  with pytest.raises(ValueError, match="'d' gives it less than one batch"):
    Schedule(shares, seed=0)


def test_a_mixture_is_its_own_nearest():
  mixture = {'a': 997, 'b': 2, 'c': 1}
  assert make_mixture(mixture) == mixture


def test_drawn_mixtures_scatter_around_their_mean_as_told():
  around = {'a': 500, 'b': 400, 'c': 100}
  drawn = [
    draw_mixture(around, concentration=24.0, seed=0, number=n)
    for n in range(2_000)
  ]
  assert all(sum(each.values()) == 1_000 for each in drawn)
  shares = np.array([list(each.values()) for each in drawn]) / 1_000
  np.testing.assert_allclose(shares.mean(axis=0), [0.5, 0.4, 0.1], atol=0.01)
  # sqrt(p (1 - p) / 25)
  deviations = [0.1, 0.098, 0.06]
  np.testing.assert_allclose(shares.std(axis=0), deviations, atol=0.005)


def test_a_draw_depends_on_seed_and_number_alone():
  def draw(seed, number):
    return draw_mixture(
      {'a': 500, 'b': 500}, concentration=5.0, seed=seed, number=number
    )

  assert draw(1, 7) == draw(1, 7)
  assert len({name_of(draw(s, n)) for s in (0, 1) for n in range(3)}) == 6


def test_a_mixture_has_a_name_of_its_own_whatever_the_order():
  assert name_of({'a': 1, 'b': 999}) == name_of({'b': 999, 'a': 1})
  assert name_of({'a': 1, 'b': 999}) != name_of({'a': 999, 'b': 1})
