"""Which programs a step has run."""

import jax
import jax.numpy as jnp
import pytest

from gemb.profile.watched import Watched


@pytest.fixture
def step():
  return Watched(jax.jit(lambda state, x: (state + 1, x.sum())), done=6)


def test_a_watched_step_does_what_it_did(step):
  state, value = step(jnp.ones(2), jnp.arange(3.0))
  assert (state.tolist(), float(value)) == ([2, 2], 3)
  assert step.done == 7
  step.wait()


def test_the_programs_that_ran_are_known_in_their_order(step):
  for length in (3, 2, 3, 4):
    step(jnp.ones(2), jnp.ones(length))
  shapes = [text.partition('ENTRY')[2] for text in step.texts()]
  assert ['f32[3]' in s for s in shapes] == [True, False, False]
  assert ['f32[4]' in s for s in shapes] == [False, False, True]


def test_what_ran_before_is_forgotten(step):
  step(jnp.ones(2), jnp.ones(3))
  step.begin()
  assert step.texts() == []
  step(jnp.ones(2), jnp.ones(3))
  assert len(step.texts()) == 1


def test_a_step_that_was_never_done_is_not_waited_for(step):
  step.wait()


def test_a_program_of_the_cache_has_the_scopes_that_are_asked_for():
  def texts(scope):
    def add(state, x):
      with jax.named_scope(scope):
        return state + 1, x * 2

    step = Watched(jax.jit(add), done=0)
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    step(*jax.device_put((jnp.ones(5), jnp.ones(7)), device))
    return step.texts()

  for scope in ('older', 'newer'):
    (text,) = texts(scope)
    assert f'op_name="jit(add)/{scope}' in text
