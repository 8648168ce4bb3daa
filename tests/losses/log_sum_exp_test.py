import functools
import math
import re
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb import axes
from gemb.losses.config import LossConfig
from gemb.losses.log_sum_exp import Side, log_sum_exp

CONFIG = LossConfig(prefixes=(2, 4), temperature=0.5, tile=2)
RING = replace(CONFIG, gather_up_to=0)
MESH = axes.MeshConfig(data=2, fsdp=2, tensor=2)


def make(R, C, E=6):
  """Returns the arguments of `differentiate`: random, some ids the same."""
  rng = np.random.default_rng(0)
  x, y = rng.normal(size=(R, E)), rng.normal(size=(C, E))
  row_ids = rng.integers(0, 5, (R, 2, 1)).repeat(2, axis=2)
  column_ids = rng.integers(0, 5, (C, 2, 1)).repeat(2, axis=2)
  there = rng.random(C) < 0.8
  limit = rng.uniform(0, 0.9, (R, 2))
  by_z = rng.normal(size=(R, 2))  # what Z's gradient is
  return {
    'x': jnp.asarray(x, jnp.float32),
    'y': jnp.asarray(y, jnp.float32),
    'row_ids': jnp.asarray(row_ids, jnp.uint32),
    'column_ids': jnp.asarray(column_ids, jnp.uint32),
    'there': jnp.asarray(there),
    'limit': jnp.asarray(limit, jnp.float32),
    'by_z': jnp.asarray(by_z, jnp.float32),
  }


def dense(config, x, y, row_ids, column_ids, there, limit):
  """The formula, on whole matrices."""
  results = []
  differ = ~(row_ids[:, None] == column_ids[None]).all(-1).any(-1)
  for j, M in enumerate(config.prefixes):
    u, v = (
      a[:, :M] / jnp.sqrt(jnp.sum(a[:, :M] ** 2, axis=1, keepdims=True))
      for a in (x, y)
    )
    cosine = u @ v.T
    keep = differ & there[None]
    if limit is not None:
      keep &= cosine <= limit[:, j : j + 1]
    total = jnp.where(keep, jnp.exp(cosine / config.temperature), 0).sum(axis=1)
    meets = total > 0
    z = jnp.where(meets, jnp.log(jnp.where(meets, total, 1)), -jnp.inf)
    results.append(z)
  nearest = jnp.where(keep, cosine, -2).max(axis=1)
  return jnp.stack(results, axis=1), jax.lax.stop_gradient(nearest)


def tiled(config, x, y, row_ids, column_ids, there, limit):
  everywhere = jnp.ones(len(x), bool)
  columns = Side(y, column_ids, there)
  return log_sum_exp(config, Side(x, row_ids, everywhere), columns, limit)


@functools.partial(jax.jit, static_argnums=(0, 1))
def differentiate(function, config, x, y, by_z, **others):
  """Returns Z, the greatest cosines, and the gradients of both sides."""
  (z, nearest), pull = jax.vjp(
    lambda x, y: function(config, x, y, **others), x, y
  )
  return z, nearest, *pull((by_z, jnp.ones_like(nearest)))


def check_close(got, wanted, tolerance=1e-5):
  for a, b in zip(got, wanted, strict=True):
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.fixture(scope='module')
def arguments():
  return make(8, 12)


@pytest.mark.parametrize('limited', [True, False])
def test_values_and_gradients_are_those_of_the_formula(arguments, limited):
  if not limited:
    arguments = arguments | {'limit': None}
  wanted = differentiate(dense, CONFIG, **arguments)
  got = differentiate(tiled, CONFIG, **arguments)
  check_close(got, wanted)
  assert not got[2][:, 4:].any()  # behind the last prefix


def test_columns_may_be_the_rows_themselves(arguments):
  square = arguments | {
    'column_ids': arguments['row_ids'],
    'there': jnp.ones(8, bool),
  }

  def of_itself(function):
    return lambda config, x, y, **others: function(config, x, x, **others)

  wanted = differentiate(of_itself(dense), CONFIG, **square)
  check_close(differentiate(of_itself(tiled), CONFIG, **square), wanted)


def test_a_column_that_is_not_there_does_not_matter(arguments):
  absent = ~arguments['there'][:, None]
  assert absent.any()
  moved = arguments | {'y': jnp.where(absent, 9.0, arguments['y'])}
  usual = differentiate(tiled, CONFIG, **arguments)
  got = differentiate(tiled, CONFIG, **moved)
  check_close(got, usual, 0)
  assert not got[3][absent[:, 0]].any()


def test_an_id_counts_at_its_own_place_and_in_both_words(arguments):
  distinct = arguments | {
    'row_ids': jnp.arange(32, dtype=jnp.uint32).reshape(8, 2, 2),
    'column_ids': jnp.arange(100, 148, dtype=jnp.uint32).reshape(12, 2, 2),
    'there': jnp.ones(12, bool),
    'limit': jnp.full((8, 2), 2.0),
  }
  ids = distinct['row_ids']
  usual = differentiate(tiled, CONFIG, **distinct)
  for changed, count in (
    (ids.at[3, 1].set(distinct['column_ids'][5, 1]), 1),
    (ids.at[3, 1].set(distinct['column_ids'][5, 0]), 0),
    (ids.at[3, 1, 0].set(distinct['column_ids'][5, 1, 0]), 0),
  ):
    z, *_ = differentiate(tiled, CONFIG, **distinct | {'row_ids': changed})
    rows = np.flatnonzero((z != usual[0]).any(axis=1)).tolist()
    assert rows == count * [3]


def test_a_row_that_meets_nothing_has_no_z_and_no_gradient(arguments):
  limit = arguments['limit'].at[2].set(-1.5)
  z, nearest, dx, dy = differentiate(
    tiled, CONFIG, **arguments | {'limit': limit}
  )
  assert (z[2] == -jnp.inf).all() and nearest[2] == -2
  assert not dx[2].any()
  assert jnp.isfinite(dx).all() and jnp.isfinite(dy).all()
  assert jnp.isfinite(jnp.delete(z, 2, axis=0)).all()


def test_vectors_of_length_zero_leave_everything_finite(arguments):
  zeros = arguments | {
    'x': arguments['x'].at[1].set(0),
    'y': arguments['y'].at[:3].set(0),
  }
  for result in differentiate(tiled, CONFIG, **zeros):
    assert jnp.isfinite(result).all()


def test_great_logits_do_not_overflow(arguments):
  config = replace(CONFIG, temperature=1e-4)
  z, nearest, dx, dy = differentiate(tiled, config, **arguments)
  np.testing.assert_allclose(z[:, 1], nearest / 1e-4, rtol=1e-3)
  assert jnp.isfinite(dx).all() and jnp.isfinite(dy).all()


def test_bfloat16_products_are_the_formulas_but_for_rounding(arguments):
  config = replace(CONFIG, dtype='bfloat16')
  free = arguments | {'limit': None}
  wanted = differentiate(dense, CONFIG, **free)
  got = differentiate(tiled, config, **free)
  assert {str(a.dtype) for a in got} == {'float32'}
  assert (got[0] != differentiate(tiled, CONFIG, **free)[0]).any()
  check_close(got, wanted, 0.03)


def on_mesh(config, arguments):
  """Returns the program for eight devices, and its arguments in place."""
  layout = axes.Layout(axes.make_mesh(MESH), axes.AxisRules())
  # A function of its own: what is traced depends on the layout.
  function = jax.jit(lambda placed: differentiate(tiled, config, **placed))
  with axes.use(layout):
    placed = jax.device_put(arguments, layout.sharding('pairs'))
    return function.lower(placed).compile(), placed


@pytest.mark.parametrize(
  ('config', 'move'), [(CONFIG, 'all-gather'), (RING, 'collective-permute')]
)
def test_eight_devices_gather_columns_or_turn_a_ring(config, move):
  arguments = make(16, 32)
  wanted = differentiate(tiled, CONFIG, **arguments)
  program, placed = on_mesh(config, arguments)
  check_close(program(placed), wanted)
  moves = 'all-gather|collective-permute|all-to-all'
  assert set(re.findall(moves, program.as_text())) == {move}


def test_in_a_ring_no_device_holds_all_columns_or_cosines():
  E, tile = 16, 16
  config = replace(RING, prefixes=(8, E), tile=tile)
  temporary = {}
  for B in (1024, 2048):
    program, _ = on_mesh(config, make(B, B, E))
    shapes = re.findall(r'(?:bf16|[fsu]32|pred)\[([\d,]+)\]', program.as_text())
    sizes = [math.prod(map(int, shape.split(','))) for shape in shapes]
    # Its own vectors, and nothing larger.
    assert max(sizes) == B // 8 * E
    temporary[B] = program.memory_analysis().temp_size_in_bytes
  assert temporary[2048] <= 2 * temporary[1024]
