import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb.model.attention.sight import Sight, Slots


def mask(segments, *, positions=None, **fields):
  """Returns what the tokens of one row see, as rows of 0 and 1."""
  segments = jnp.array([segments], jnp.int32)
  if positions is None:
    positions = range(segments.shape[1])
  sight = Sight(
    segments=segments,
    positions=jnp.array([[*positions]], jnp.int32),
    is_global=jnp.array(fields.pop('is_global', False)),
    **fields,
  )
  return sight.mask()[0].astype(int).tolist()


def test_in_causal_mode_a_token_sees_twice_the_radius_of_latest_tokens():
  assert mask([1, 1, 1, 1, 1, 1], local_radius=1, causal=True) == [
    [1, 0, 0, 0, 0, 0],
    [1, 1, 0, 0, 0, 0],
    [0, 1, 1, 0, 0, 0],
    [0, 0, 1, 1, 0, 0],
    [0, 0, 0, 1, 1, 0],
    [0, 0, 0, 0, 1, 1],
  ]


def test_in_causal_mode_a_global_layer_sees_all_earlier_tokens():
  seen = mask([1, 1, 1, 1], local_radius=1, causal=True, is_global=True)
  np.testing.assert_array_equal(seen, np.tri(4))


def test_a_token_sees_real_tokens_within_the_radius_on_either_side():
  assert mask([1, 1, 1, 1, 1, 0], local_radius=2) == [
    [1, 1, 1, 0, 0, 0],
    [1, 1, 1, 1, 0, 0],
    [1, 1, 1, 1, 1, 0],
    [0, 1, 1, 1, 1, 0],
    [0, 0, 1, 1, 1, 0],
    [0, 0, 0, 0, 0, 0],
  ]


def test_a_token_sees_those_of_its_own_text_only():
  positions = (0, 1, 0, 1, 2, 0)
  segments = [1, 1, 2, 2, 2, 0]
  assert mask(segments, positions=positions, local_radius=1) == [
    [1, 1, 0, 0, 0, 0],
    [1, 1, 0, 0, 0, 0],
    [0, 0, 1, 1, 0, 0],
    [0, 0, 1, 1, 1, 0],
    [0, 0, 0, 1, 1, 0],
    [0, 0, 0, 0, 0, 0],
  ]


def test_a_global_layer_sees_all_real_tokens():
  assert mask([1, 1, 0], local_radius=1, is_global=True) == [
    [1, 1, 0],
    [1, 1, 0],
    [0, 0, 0],
  ]


def test_local_and_global_layers_share_a_trace():
  @jax.jit
  def seen(is_global):
    one = jnp.ones((1, 3), jnp.int32)
    positions = jnp.arange(3, dtype=jnp.int32)[None]
    sight = Sight(
      segments=one, positions=positions, is_global=is_global, local_radius=1
    )
    return sight.mask().sum()

  assert seen(jnp.array(False)) == 7
  assert seen(jnp.array(True)) == 9


@pytest.mark.parametrize(
  ('length', 'causal', 'hides'),
  [(4, False, False), (5, False, True), (6, True, False), (7, True, True)],
)
def test_a_window_hides_some_of_a_row_that_is_longer(length, causal, hides):
  zeros = jnp.zeros((1, length), jnp.int32)
  sight = Sight(
    segments=zeros + 1,
    positions=jnp.arange(length, dtype=jnp.int32)[None],
    is_global=jnp.array(False),
    local_radius=3,
    causal=causal,
  )
  assert sight.hides_some is hides
  everything = np.tri(length) if causal else np.ones((length, length))
  assert (sight.mask()[0] != everything).any() == hides


def test_tokens_see_those_of_earlier_calls_in_their_slots():
  # Three tokens were read, of which the third is padding; the next comes into
  # slot 3 and is the text's third, and slot 4 is still empty.
  sight = Sight(
    segments=jnp.array([[1]]),
    positions=jnp.array([[2]]),
    is_global=jnp.array(True),
    local_radius=1,
    causal=True,
    slots=Slots(
      segments=jnp.array([[1, 1, 0, 1, 1]]),
      positions=jnp.array([[0, 1, 2, 2, 3]]),
      start=jnp.int32(3),
    ),
  )
  assert sight.mask()[0].astype(int).tolist() == [[1, 1, 0, 1, 0]]
  local = dataclasses.replace(sight, is_global=jnp.array(False))
  assert local.mask()[0].astype(int).tolist() == [[0, 1, 0, 1, 0]]
