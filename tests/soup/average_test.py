import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb.soup import average

NAMES = {'w': ('embed', 'mlp'), 'stack': ('layers', 'embed')}


def tree(w, stack):
  return {'w': jnp.float32(w), 'stack': jnp.float32(stack)}


def trees(*numbers):
  """Returns a tree full of each number, one at a time."""
  return (tree([[n, 2 * n]], [[n], [-n]]) for n in numbers)


def assert_close(found, expected, **tolerance):
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, **tolerance), found, expected
  )


@pytest.mark.parametrize(
  ('weights', 'mean'),
  [
    ((1.0, 1.0, 1.0), 4.0),  # (1 + 3 + 8) / 3
    ((2.0, 1.0, 1.0), 3.25),  # (2 + 3 + 8) / 4
    ((0.5, 0.5, 0.0), 2.0),
    ((0.0, 0.0, 7.0), 8.0),
    ((0.0, 1.0, 1.0), 5.5),
  ],
)
def test_straight_blends_fold_to_the_weighted_mean(weights, mean):
  soup = average.fold(trees(1.0, 3.0, 8.0), weights, average.straight)
  assert_close(soup, tree([[mean, 2 * mean]], [[mean], [-mean]]), rtol=1e-6)
  assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(soup))


def test_a_soup_of_many_is_as_exact_as_float32_allows():
  rng = np.random.default_rng(0)
  leaves = rng.standard_normal((50, 1000)).astype(np.float32)
  soup = average.fold(map(jnp.array, leaves), [1.0] * 50, average.straight)
  exact = leaves.astype(np.float64).mean(axis=0)
  np.testing.assert_allclose(soup, exact, atol=2e-7)


def test_ingredients_are_made_one_at_a_time():
  alive = []

  def ingredients():
    for n in range(4):
      params = jnp.full((3,), float(n))
      alive.append(params)
      yield params
      # What was blended in is given back before the next is made.
      assert n == 0 or params.is_deleted()

  soup = average.fold(ingredients(), [1.0] * 4, average.straight)
  np.testing.assert_allclose(soup, [1.5] * 3)
  assert len(alive) == 4


def test_a_right_angle_is_halved():
  found = average.slerp(jnp.array([2.0, 0]), jnp.array([0.0, 2]), 0.5, (0,))
  # As long as both, where their straight average has length sqrt(2).
  np.testing.assert_allclose(found, [2**0.5, 2**0.5], rtol=1e-6)


@pytest.mark.parametrize(
  ('share', 'degrees'), [(0.0, 0), (0.25, 15), (0.5, 30), (1.0, 60)]
)
def test_a_share_of_the_angle_is_turned(share, degrees):
  def at(angle):
    return jnp.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])

  found = average.slerp(at(0), at(60), share, (0,))
  np.testing.assert_allclose(found, at(degrees), atol=1e-6)


def test_lengths_are_interpolated_with_the_angle():
  found = average.slerp(jnp.array([1.0, 0]), jnp.array([0.0, 3]), 0.5, (0,))
  # sin(45 degrees) of each.
  np.testing.assert_allclose(found, [0.5**0.5, 3 * 0.5**0.5], rtol=1e-6)


@pytest.mark.parametrize(
  ('x', 'y', 'mean'),
  [
    ([1.0, 0], [3.0, 0], [1.5, 0]),  # parallel
    ([1.0, 0], [3.0, 3e-5], [1.5, 7.5e-6]),  # nearly so
    ([0.0, 0], [4.0, 0], [1.0, 0]),  # no direction to turn from
    ([0.0, 0], [0.0, 0], [0.0, 0]),
    ([3.0, 0], [-1.0, 0], [2.0, 0]),  # opposite: no one arc
  ],
)
def test_where_there_is_no_arc_the_average_is_straight(x, y, mean):
  found = average.slerp(jnp.array(x), jnp.array(y), 0.25, (0,))
  np.testing.assert_allclose(found, mean, rtol=1e-6, atol=1e-9)


def test_a_small_angle_is_halved_as_a_large_one():
  x, y = jnp.array([1.0, 0]), jnp.array([np.cos(2e-3), np.sin(2e-3)])
  found = average.slerp(x, y.astype(jnp.float32), 0.5, (0,))
  np.testing.assert_allclose(found, [1, 1e-3], rtol=1e-5)


def test_each_layer_of_a_stack_is_a_vector_of_its_own():
  # The second layers are the same, and stay so.
  first = tree([[2.0, 0]], [[1.0, 0], [5, 5]])
  second = tree([[0.0, 2]], [[0.0, 1], [5, 5]])
  soup = average.make_slerp(NAMES)(first, second, 0.5)
  half = 0.5**0.5
  assert_close(
    soup, tree([[2 * half, 2 * half]], [[half, half], [5, 5]]), rtol=1e-6
  )


def test_slerps_of_three_are_folded_in_their_order():
  def at(angle):
    return {'w': jnp.array([[np.cos(angle), np.sin(angle)]])}

  blend = average.make_slerp({'w': ('embed', 'mlp')})
  soup = average.fold(map(at, (0.0, 0.6, 0.9)), [1.0, 1.0, 1.0], blend)
  # Halfway to 0.6 is 0.3; a third of the way from there to 0.9 is 0.5.
  np.testing.assert_allclose(soup['w'], at(0.5)['w'], atol=1e-6)
