import collections

import numpy as np
import pytest

from gemb.data.config import PackingConfig
from gemb.data.planning import MIXED, Planner, pairs_until
from gemb.data.sampling import Schedule


def lengths_like(n, seed, negatives=0):
  """Lengths as texts have them, of query, positive and hard negatives."""
  rng = np.random.default_rng(seed)
  texts = rng.lognormal(2.5, 0.6, (n, 2 + negatives)).astype(np.int32)
  return np.clip(texts, 3, 60)


LENGTHS = {
  'a': [lengths_like(3_000, 0, 2), lengths_like(3_000, 1, 2)],
  'b': [lengths_like(1_111, 2), lengths_like(1_111, 3)],
  'c': [lengths_like(70, 4, 1), lengths_like(70, 5, 1)],
}
RATES = {'a': 5.0, 'b': 3.0, 'c': 2.0}
PACKING = PackingConfig(row_length=64, rungs=6)


@pytest.fixture
def make_planner(make_config):
  """Makes a Planner of three tasks; changes are DataConfig's fields."""

  def make(*, seed=0, shards=1, rows_at_once=8, **changes):
    config = make_config(
      **{
        'rates': RATES,
        'batch_size': 64,
        'shapes': ((16, 16), (32, 32), (64, 64)),
        **changes,
      }
    )
    views = 2 if config.drop_task_string else 1
    return Planner(
      config,
      {task: both[:views] for task, both in LENGTHS.items()},
      seed=seed,
      shards=shards,
      rows_at_once=rows_at_once,
    )

  return make


def examples(plan):
  return list(zip(plan.view.tolist(), plan.indices.tolist(), strict=True))


@pytest.mark.parametrize(
  'changes',
  [
    {},
    {'packing': PACKING},
    {'packing': PACKING, 'hard_negatives': 2, 'drop_task_string': 0.25},
    {'mixed': True},
    {'mixed': True, 'packing': PACKING},
    {'batch_sizes': {'b': 8, 'c': 40}},
    {'batch_sizes': {'b': 8, 'c': 40}, 'packing': PACKING},
  ],
)
def test_the_examples_of_a_step_are_the_same_on_any_number_of_devices(
  make_planner, changes
):
  small = {'batch_size': 16, 'window': 8}
  planners = [make_planner(shards=n, **small, **changes) for n in (1, 2, 4, 8)]
  for step in [*range(151), 10**9]:
    first, *others = [examples(planner(step)) for planner in planners]
    assert all(other == first for other in others)


@pytest.mark.parametrize('packing', [None, PACKING])
@pytest.mark.parametrize('mixed', [False, True])
def test_each_epoch_of_each_task_has_each_example_once(
  make_planner, packing, mixed
):
  planner = make_planner(window=4, packing=packing, mixed=mixed)
  counts = collections.Counter()
  for step in range(400):
    counts.update(examples(planner(step)))
  for view, (task, _) in enumerate(RATES.items()):
    seen = [counts[view, i] for i in range(len(LENGTHS[task][0]))]
    # A window may have been begun, and not ended, for each task.
    assert max(seen) - min(seen) <= 1 + 4 * 64 // len(seen)


@pytest.mark.parametrize('packing', [None, PACKING])
def test_each_task_walks_through_its_examples_by_its_own_batch_size(
  make_planner, packing
):
  sizes = {'a': 64, 'b': 101, 'c': 14}
  planner = make_planner(
    window=1, packing=packing, batch_sizes={'b': 101, 'c': 14}
  )
  drawn = {task: [] for task in sizes}
  for step in range(200):
    plan = planner(step)
    assert len(plan.indices) == planner.batch_size(step) == sizes[plan.task]
    drawn[plan.task] += plan.indices.tolist()
  # An epoch of 'b' is 11 of its batches, one of 'c' 5.
  assert sorted(drawn['b'][: 11 * 101]) == list(range(1_111))
  assert sorted(drawn['c'][:70]) == sorted(drawn['c'][70:140]) == [*range(70)]
  rates = [len(drawn[task]) / sizes[task] for task in sizes]
  assert rates == pytest.approx([100, 60, 40], abs=15)  # of batches, as ever


def test_the_pairs_of_a_run_are_those_of_its_batches(make_planner, make_config):
  sizes = {'b': 8, 'c': 40}
  planner = make_planner(batch_sizes=sizes, seed=3)
  config = make_config(rates=RATES, batch_size=64, batch_sizes=sizes)
  counted = sum(len(planner(step).indices) for step in range(77))
  assert pairs_until(config, 77, seed=3) == counted
  # Of 1,000 batches 500 are of 'a', 300 of 'b' and 200 of 'c'.
  assert pairs_until(config, 2_000, seed=3) == 2 * (
    500 * 64 + 300 * 8 + 200 * 40
  )
  assert pairs_until(make_config(), 5, seed=0) == 40


def test_mixed_batches_have_all_tasks_by_their_rates(make_planner):
  planner = make_planner(mixed=True, window=1)
  views = np.concatenate([planner(step).view for step in range(125)])
  assert len(views) == 8_000
  assert np.bincount(views).tolist() == [4_000, 2_400, 1_600]
  one = planner(3)
  assert one.task == MIXED
  assert set(one.view.tolist()) == {0, 1, 2}


def test_rates_are_exact_over_every_thousand_steps():
  schedule = Schedule({'a': 5.0, 'b': 3.0, 'c': 0.007}, seed=3)
  for first in 0, 1_000, 7_000:
    tasks, ordinals = schedule.many(np.arange(first, first + 1_000))
    counts = np.bincount(tasks)
    share = np.array([5, 3, 0.007]) / 8.007 * 1_000
    assert (abs(counts - share) < 1).all()
    for task, count in enumerate(counts):
      before = first // 1_000 * count
      assert ordinals[tasks == task].tolist() == [
        *range(before, before + count)
      ]


def test_task_strings_are_dropped_at_their_rate_and_stay_dropped(make_planner):
  planner = make_planner(drop_task_string=0.25)
  bare = [planner(step).view % 2 for step in range(100)]
  assert abs(np.mean(bare) - 0.25) < 0.02
  again = make_planner(drop_task_string=0.25)
  for step in 99, 0, 50:
    np.testing.assert_array_equal(again(step).view % 2, bare[step])


def test_a_packed_batch_is_of_few_shapes_and_hardly_padded(make_planner):
  planner = make_planner(packing=PACKING, hard_negatives=2, rows_at_once=16)
  tokens, places, shapes = 0, 0, set()
  for step in range(300):
    plan = planner(step)
    (packing,) = plan.packings
    texts = planner._lengths(plan.view, plan.indices)
    assert packing.rows <= plan.shape[0]
    tokens, places = tokens + texts.sum(), places + np.prod(plan.shape)
    shapes.add(plan.shape)
  assert len(shapes) <= PACKING.rungs
  assert 1 - tokens / places < 0.05


def test_all_batches_of_a_window_have_as_many_tokens(make_planner):
  planner = make_planner(
    packing=PACKING, rates={'a': 1.0, 'b': 1e-2, 'c': 1e-2}
  )
  sums = []
  for step in range(14):
    plan = planner(step)
    if plan.task == 'a':
      sums.append(planner._lengths(plan.view, plan.indices).sum())
  assert max(sums) / min(sums) < 1.05


def test_shards_of_a_batch_have_about_as_many_tokens(make_planner):
  planner = make_planner(packing=PACKING, shards=4, batch_size=256)
  for step in range(20):
    plan = planner(step)
    parts = planner._lengths(plan.view, plan.indices).reshape(4, -1).sum(axis=1)
    assert parts.max() / parts.min() < 1.1


def test_copies_of_an_example_are_dealt_to_different_batches(make_planner):
  # 'c' has 70 examples: a window of 1,024 has some fifteen copies of each.
  planner = make_planner(packing=PACKING)
  for step in range(100):
    plan = planner(step)
    if plan.task == 'c':
      assert len(set(plan.indices.tolist())) == 64


def test_a_batch_that_fits_no_rung_gets_rows_of_its_own(make_planner):
  planner = make_planner(packing=PACKING)
  planner._rungs = (1,)
  plan = planner(0)
  assert plan.shape[0] >= plan.packings[0].rows > 1


def test_any_step_is_planned_from_one_window(make_planner):
  # And so in the time of one, whatever comes before: nothing is replayed.
  planner = make_planner(packing=PACKING)
  for step in 0, 10**6, 10**12:
    before = planner._window.cache_info().misses
    planner(step)
    assert planner._window.cache_info().misses <= before + 1
