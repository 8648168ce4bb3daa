import dataclasses
import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gemb.train import guard
from gemb.train.guard import GuardConfig
from gemb.train.optimizer import OptimizerConfig, make_optimizer
from gemb.train.state import TrainState
from gemb.train.step import make_train_step
from gemb.types import Batch, Padded

SKIP = GuardConfig(
  not_finite='skip', spike='skip', spike_factor=3.0, decay=0.5, after=2
)
RATES = jnp.array([0.1, 0.2, 0.3, 0.4, 0.5])


def seen(usual=0.0, taken=0, skipped=0):
  return guard.Seen(
    usual=jnp.float32(usual),
    taken=jnp.int32(taken),
    skipped=jnp.int32(skipped),
  )


def judge(before, norm, loss=1.0, config=SKIP):
  odd, after = guard.judge(config, before, jnp.float32(loss), jnp.float32(norm))
  return bool(odd), guard.remembered(after)


@pytest.mark.parametrize(
  ('taken', 'norm', 'odd'),
  [
    pytest.param(2, 12.0, False, id='three times the mean'),
    pytest.param(2, 12.1, True, id='above that'),
    pytest.param(1, 12.1, False, id='above that of too few steps'),
  ],
)
def test_a_gradient_so_many_times_the_mean_is_a_spike(taken, norm, odd):
  assert judge(seen(4.0, taken), norm)[0] == odd


@pytest.mark.parametrize(
  ('loss', 'norm'), [(math.nan, 1.0), (1.0, math.inf), (1.0, math.nan)]
)
def test_what_is_not_finite_is_odd_from_the_first_step_on(loss, norm):
  config = dataclasses.replace(SKIP, spike='ignore')
  assert judge(seen(), norm, loss, config)[0]


def test_a_spike_may_be_ignored():
  config = dataclasses.replace(SKIP, spike='ignore')
  assert not judge(seen(4.0, 2), 1000.0, config=config)[0]


def test_the_mean_is_of_all_steps_at_first_and_then_of_the_latest():
  means, before = [], seen()
  for norm in (2.0, 4.0, 5.0):
    _, after = judge(before, norm)
    means.append(after['usual'])
    before = seen(**after)
  # 2; (2 + 4) / 2; and 3 + (5 - 3) / 2 in place of 3 + (5 - 3) / 3.
  assert means == [2.0, 3.0, 4.0]
  assert after == {'usual': 4.0, 'taken': 3, 'skipped': 0}


def test_the_mean_knows_nothing_of_steps_that_are_left_out():
  _, after = judge(seen(4.0, 2, 1), 50.0)
  assert after == {'usual': 4.0, 'taken': 2, 'skipped': 2}
  _, after = judge(seen(**after), 4.0)
  assert after == {'usual': 4.0, 'taken': 3, 'skipped': 0}


def test_it_is_remembered_to_the_last_bit(layout):
  usual = np.float32(1) / np.float32(3)
  written = json.dumps(guard.remembered(seen(usual, 7, 2)))
  again = guard.begin(SKIP, layout('all'), json.loads(written))
  assert again.usual == usual
  assert (again.taken, again.skipped) == (7, 2)
  assert again.usual.sharding.is_fully_replicated


def test_a_guard_that_only_stops_at_what_is_not_finite_remembers_nothing(
  layout,
):
  saved = {'usual': 1.0, 'taken': 2, 'skipped': 0}
  assert guard.begin(GuardConfig(), layout('all'), saved) is None
  assert guard.abstract_seen(GuardConfig(), layout('all')) is None
  assert guard.remembered(None) is None


def test_a_start_is_as_its_shapes_say(layout):
  promised = guard.abstract_seen(SKIP, layout('all'))
  made = guard.begin(SKIP, layout('all'))
  assert guard.remembered(made) == {'usual': 0.0, 'taken': 0, 'skipped': 0}

  def check(x, y):
    assert (x.dtype, x.shape, x.sharding) == (y.dtype, y.shape, y.sharding)

  jax.tree.map(check, promised, made)


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'spike_factor': 1.0}, r'spike_factor is 1\.0; it must be greater than 1'),
    ({'decay': 1.0}, r'decay is 1\.0; it must be at least 0 and less than 1'),
    ({'after': 0}, 'after=0 and most_skipped=10; both must be at least 1'),
    ({'most_skipped': 0}, 'most_skipped=0; both must be at least 1'),
  ],
)
def test_impossible_numbers_are_refused(changes, message):
  with pytest.raises(ValueError, match=message):
    dataclasses.replace(SKIP, **changes)


def batch(*tokens):
  """A batch of one pair; the tokens of the query are the gradient."""
  query = jnp.array([tokens], jnp.int32)
  return Batch(
    texts=Padded(
      query=query, positive=query, negatives=jnp.zeros((1, 0, 2), jnp.int32)
    ),
    has_negative=jnp.zeros((1, 0), bool),
    query_id=jnp.zeros((1, 2), jnp.uint32),
    positive_id=jnp.zeros((1, 2), jnp.uint32),
  )


def loss(params, batch):
  """The gradient is the tokens; where they are negative, it is nan."""
  x_L = batch.texts.query[0].astype(jnp.float32)
  x_L = jnp.where(x_L < 0, jnp.nan, x_L)
  return jnp.sum(params['kernel'] * x_L), {}


def make_step(rates=RATES, config=None):
  """Returns the step at rates that are told, and the state to begin with."""
  adam = make_optimizer(
    OptimizerConfig(learning_rate=1.0, warmup_steps=0, clip_norm=100.0),
    lambda step: rates[step],
  )
  params = {'kernel': jnp.array([1.0, -1.0])}
  state = TrainState(
    step=jnp.int32(0), params=params, opt_state=adam.init(params)
  )
  return make_train_step(loss, adam, lambda step: rates[step], config), state


def train(batches, rates=RATES, config=None):
  """Returns the last state and all metrics."""
  train_step, state = make_step(rates, config)
  remembered, history = (seen() if config else None), []
  for each in batches:
    state, metrics = train_step(state, each, remembered)
    remembered = metrics.pop('seen', None)
    history.append(metrics)
  return state, history


USUAL = batch(3, 4), batch(4, 3), batch(5, 1), batch(0, 5)


@pytest.mark.parametrize(
  'odd',
  [
    pytest.param(batch(-1, 2), id='not finite'),
    pytest.param(batch(9, 12), id='a spike'),  # norm 15, three times the usual
  ],
)
def test_a_step_that_is_left_out_is_as_if_it_had_not_been(odd):
  config = dataclasses.replace(SKIP, spike_factor=2.9)
  state, history = train([*USUAL[:2], odd, *USUAL[2:]], config=config)
  # The next batch has its own learning rate, not that of the one left out.
  rates = jnp.delete(RATES, 2)
  wanted, _ = train(USUAL, rates, config)
  assert [float(x['skipped']) for x in history] == [0, 0, 1, 0, 0]
  np.testing.assert_array_equal(state.params['kernel'], wanted.params['kernel'])
  for moment in ('mu', 'nu'):
    got, right = (
      optax.tree.get(x.opt_state, moment)['kernel'] for x in (state, wanted)
    )
    np.testing.assert_array_equal(got, right)
  assert (state.step, wanted.step) == (5, 4)
  shown = [float(x['learning_rate']) for x in history]
  np.testing.assert_allclose(shown, RATES)


def test_a_guard_that_finds_nothing_changes_nothing():
  guarded, history = train(USUAL, config=SKIP)
  plain, _ = train(USUAL)
  # Two programs, whose sums XLA may take in another order.
  np.testing.assert_allclose(
    guarded.params['kernel'], plain.params['kernel'], rtol=1e-6
  )
  assert not any(x['skipped'] for x in history)


def test_by_default_nothing_is_compiled_into_the_step():
  programs = set()
  for config in (None, GuardConfig(), SKIP):
    train_step, state = make_step(config=config)
    programs.add(train_step.lower(state, USUAL[0]).as_text())
  assert len(programs) == 1
  watching, state = make_step(config=SKIP)
  assert watching.lower(state, USUAL[0], seen()).as_text() not in programs
