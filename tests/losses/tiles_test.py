import functools
import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

from gemb.losses.cosine import inverse_norms
from gemb.losses.tiles import NONE, How, Part, add_columns, add_gradients

HOW = How(
  prefixes=(2, 4),
  temperature=0.5,
  dtype='float32',
  tile=64,
  mesh_axes=(),
  gathers=True,
)


def part(count, seed, width=4):
  """Random vectors; a third of them share ids with those of other seeds."""
  rng = np.random.default_rng(seed)
  x = jnp.asarray(rng.normal(size=(count, width)), jnp.float32)
  number = np.where(np.arange(count) % 3, 1000 * seed + np.arange(count), 0)
  ids = jnp.asarray(np.stack([number, number], axis=1)[:, None], jnp.uint32)
  return Part(x, inverse_norms(x, HOW.prefixes), ids, jnp.ones(count, bool))


def zeros(side):
  return jnp.zeros_like(side.x), jnp.zeros_like(side.inverse)


def nothing(rows):
  """What a row's maxima, sums and greatest cosine are at first."""
  R, J = rows.inverse.shape
  return jnp.full((R, J), NONE), jnp.zeros((R, J)), jnp.full(R, -2.0)


def both_passes(how, rows, *blocks):
  """Returns all sums over blocks of columns, one after another."""
  state = nothing(rows)
  for block in blocks:
    state = add_columns(how, (rows, None), state, block)
  greatest, total, nearest = state
  z = greatest + jnp.log(total)
  dx, by_columns = zeros(rows), []
  for block in blocks:
    kept = rows, None, z, jnp.ones_like(z)
    dx, dy = add_gradients(how, kept, dx, block, zeros(block))
    by_columns.append(dy)
  joined = jax.tree.map(lambda *a: jnp.concatenate(a), *by_columns)
  return z, nearest, dx, joined


compute = functools.partial(jax.jit, static_argnums=0)(both_passes)


def check_close(got, wanted):
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(wanted), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_sums_are_those_of_cosines_without_an_id_in_common():
  rows, columns = part(12, 1), part(8, 2)
  z, nearest, *_ = compute(HOW, rows, columns)
  x, y = (side.x * side.inverse[:, 1:] for side in (rows, columns))
  first = np.arange(12) % 3 == 0, np.arange(8) % 3 == 0
  cosine = np.where(np.outer(*first), -np.inf, x @ y.T)
  wanted = np.log(np.exp(cosine / 0.5).sum(axis=1))
  np.testing.assert_allclose(z[:, 1], wanted, rtol=1e-5)
  np.testing.assert_allclose(nearest, cosine.max(axis=1), rtol=1e-5)


@pytest.mark.parametrize('tile', [1, 4, 5])
def test_the_size_of_a_tile_does_not_matter(tile):
  sides = part(12, 1), part(8, 2)
  check_close(compute(replace(HOW, tile=tile), *sides), compute(HOW, *sides))


def test_blocks_may_come_one_after_another():
  # As they do in a ring.
  rows, columns = part(12, 1), part(8, 2)
  first = jax.tree.map(lambda a: a[:3], columns)
  rest = jax.tree.map(lambda a: a[3:], columns)
  check_close(compute(HOW, rows, first, rest), compute(HOW, rows, columns))


def equations(jaxpr):
  for equation in jaxpr.eqns:
    yield equation
    for inner in jaxprs_in_params(equation.params):
      yield from equations(inner)


def trace(how, *sides):
  return list(equations(jax.make_jaxpr(both_passes, 0)(how, *sides).jaxpr))


@pytest.mark.parametrize(
  ('tile', 'rows', 'columns'), [(5, 3, 2), (7, 2, 2), (8, 2, 1), (64, 1, 1)]
)
def test_tiles_are_equal_and_as_few_as_may_be(tile, rows, columns):
  found = trace(replace(HOW, tile=tile), part(12, 1), part(8, 2))
  lengths = [e.params['length'] for e in found if e.primitive.name == 'scan']
  # Forward, rows are the outer loop; backward, columns are.
  assert lengths == [rows, columns, columns, rows]


def test_no_more_than_a_tile_of_cosines_exists_at_a_time():
  B, E, T = 128, 4, 8
  found = trace(replace(HOW, tile=T), part(B, 1), part(B, 2))
  shapes = [out.aval.shape for equation in found for out in equation.outvars]
  assert max(map(math.prod, shapes)) == B * E < B * B
