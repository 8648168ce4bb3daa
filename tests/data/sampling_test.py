import collections

import numpy as np
import pytest

from gemb.data.sampling import (
  BLOCK,
  Permutation,
  Schedule,
  generator,
  spread,
  uniform,
)

RATES = {'a': 0.5, 'b': 0.333, 'c': 0.167}


def tasks(schedule, steps):
  return [schedule(step)[0] for step in steps]


def elements(n, positions, *, seed=0, name='task'):
  return Permutation(n, seed=seed, name=name)(np.asarray(positions)).tolist()


@pytest.mark.parametrize('block', [0, 1, 12_345])
def test_rates_are_exact_in_each_block(block):
  steps = range(block * BLOCK, (block + 1) * BLOCK)
  counts = collections.Counter(tasks(Schedule(RATES, seed=7), steps))
  assert counts == {'a': 500, 'b': 333, 'c': 167}


@pytest.mark.parametrize(
  ('rates', 'counts'),
  [
    ({'a': 1.0, 'b': 1.0, 'c': 1.0}, {'a': 334, 'b': 333, 'c': 333}),
    ({'a': 0.1, 'b': 0.2, 'c': 0.7}, {'a': 100, 'b': 200, 'c': 700}),
    ({'a': 49.0}, {'a': 1000}),
    ({'a': 2.0, 'b': 1.0}, {'a': 667, 'b': 333}),
  ],
)
def test_shares_that_do_not_divide_go_by_largest_remainder(rates, counts):
  schedule = Schedule(rates, seed=0)
  assert collections.Counter(tasks(schedule, range(BLOCK))) == counts


@pytest.mark.parametrize('first_block', [0, 1_000])
def test_ordinals_of_a_task_count_up_by_one(first_block):
  schedule = Schedule(RATES, seed=0)
  ordinals = collections.defaultdict(list)
  for step in range(first_block * BLOCK, first_block * BLOCK + 2 * BLOCK + 500):
    task, ordinal = schedule(step)
    ordinals[task].append(ordinal)
  for task, quota in (('a', 500), ('b', 333), ('c', 167)):
    first = first_block * quota
    assert ordinals[task] == list(range(first, first + len(ordinals[task])))


def test_a_far_step_is_answered_at_once():
  # A schedule that replayed would not come back from this.
  task, ordinal = Schedule(RATES, seed=0)(10**9)
  quota = {'a': 500, 'b': 333, 'c': 167}[task]
  assert 10**6 * quota <= ordinal < (10**6 + 1) * quota
  far = np.arange(10**15, 10**15 + 10)
  assert sorted(elements(10, far)) == list(range(10))


def test_the_order_depends_on_the_seed_and_the_block():
  first, second = range(BLOCK), range(BLOCK, 2 * BLOCK)
  order = tasks(Schedule(RATES, seed=0), first)
  assert order == tasks(Schedule(RATES, seed=0), first)
  assert order != tasks(Schedule(RATES, seed=1), first)
  assert order != tasks(Schedule(RATES, seed=0), second)


def test_a_rate_too_small_for_one_batch_in_a_block_is_refused():
  with pytest.raises(ValueError, match=r"Rate 0\.1 of task 'b' gives it less"):
    Schedule({'a': 999.0, 'b': 0.1}, seed=0)


@pytest.mark.parametrize(
  'n', [1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 1_000, 4_097]
)
@pytest.mark.parametrize('epoch', [0, 1, 70_000])
def test_each_epoch_has_each_element_once(n, epoch):
  shuffled = elements(n, range(epoch * n, (epoch + 1) * n))
  assert sorted(shuffled) == list(range(n))


def test_epochs_seeds_and_names_shuffle_differently():
  orders = [
    elements(100, range(100)),
    elements(100, range(100, 200)),
    elements(100, range(100), seed=1),
    elements(100, range(100), name='other'),
    list(range(100)),
  ]
  assert len(set(map(tuple, orders))) == len(orders)


def test_an_element_does_not_depend_on_what_else_is_asked_for():
  together = elements(37, range(100))
  assert [elements(37, [p])[0] for p in range(100)] == together
  assert elements(37, range(99, -1, -1)) == together[::-1]


def test_each_element_comes_first_about_equally_often():
  firsts = collections.Counter(elements(5, np.arange(2_000) * 5))
  # 400 of each are expected, with a standard deviation of 18.
  assert sorted(firsts) == [0, 1, 2, 3, 4]
  assert all(310 < count < 490 for count in firsts.values())


def test_random_numbers_depend_on_seed_name_and_number():
  def draw(seed, name, number):
    return generator(seed, name, number).integers(0, 2**63)

  assert draw(0, 'a', 0) == draw(0, 'a', 0)
  drawn = [draw(0, 'a', 0), draw(1, 'a', 0), draw(0, 'b', 0), draw(0, 'a', 1)]
  assert len(set(drawn)) == 4


def test_the_algorithms_stay_what_they_were():
  # Another order would change what a resumed run reads. On purpose only.
  schedule = Schedule(RATES, seed=0)
  assert [schedule(step) for step in range(1_000, 1_006)] == [
    ('a', 500),
    ('a', 501),
    ('a', 502),
    ('a', 503),
    ('b', 333),
    ('a', 504),
  ]
  assert elements(10, range(10)) == [2, 0, 6, 4, 3, 1, 7, 5, 9, 8]
  assert elements(10, range(10, 20)) == [6, 1, 9, 7, 5, 2, 0, 8, 4, 3]
  assert elements(10**9, range(3)) == [4275196, 391244117, 156735346]


def test_uniform_numbers_depend_on_position_name_and_seed_alone():
  numbers = uniform(0, 'a', np.arange(20_000))
  assert numbers.min() >= 0 and numbers.max() < 1
  counts = np.histogram(numbers, 10, (0, 1))[0]
  assert abs(counts - 2_000).max() < 150
  np.testing.assert_array_equal(
    uniform(0, 'a', np.array([7, 19_999])), numbers[[7, 19_999]]
  )
  for other in uniform(1, 'a', np.arange(9)), uniform(0, 'b', np.arange(9)):
    assert not np.isclose(other, numbers[:9]).any()


@pytest.mark.parametrize('n', [1, 2, 8, 60, 256, 1_000])
def test_every_stretch_of_a_spread_order_is_spread_over_all(n):
  order = spread(n)
  assert sorted(order) == list(range(n))
  size = max(1, n // 4)
  for start in range(0, n - size + 1, size):
    assert abs(order[start : start + size].mean() - (n - 1) / 2) <= n / 4
