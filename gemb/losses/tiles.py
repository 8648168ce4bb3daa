"""Tiles of cosines, at all prefixes: their sums, and the sums' gradients.

What `log_sum_exp` computes of one device's rows and a block of columns. No more
than a tile of cosines exists at a time; the backward pass makes it again.
"""

import dataclasses
import typing
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, UInt32

from gemb.losses.cosine import blocks

NONE = -1e30  # the greatest of no logits; finite, so that differences are


# Unchecked: it also holds gradients, which ids have none of.
@typing.no_type_check
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Part:
  """What one device, or one tile, holds of the rows or of the columns.

  Attributes:
    x: vectors, in LossConfig.dtype.
    inverse: of their norms, for each prefix.
    ids: that a vector is known by.
    there: whether it counts.
  """

  x: Float[Array, 'C E']
  inverse: Float[Array, 'C J']
  ids: UInt32[Array, 'C A 2']
  there: Bool[Array, 'C']


@dataclasses.dataclass(frozen=True, kw_only=True)
class How:
  """What does not change from step to step: `LossConfig`'s, and where.

  Attributes:
    mesh_axes: that rows and columns are split along.
    gathers: whether columns are gathered; else they travel round a ring.
  """

  prefixes: tuple[int, ...]
  temperature: float
  dtype: str
  tile: int
  mesh_axes: tuple[str, ...]
  gathers: bool


def add_columns(how: How, rows: Any, state: Any, block: Part) -> Any:
  """Adds a block of columns to the rows' maxima and sums, tile by tile."""
  columns = _split(block, how.tile)

  def of_rows(_, tile):
    (x, limit_TJ), state = tile

    def of_columns(state, y: Part):
      greatest_TJ, sum_TJ, nearest_T = state
      for j, (cosine_TC, keep_TC) in enumerate(_tile(how, x, y, limit_TJ)):
        logit_TC = cosine_TC / how.temperature
        best_T = jnp.where(keep_TC, logit_TC, NONE).max(axis=1)
        best_T = jnp.maximum(greatest_TJ[:, j], best_T)
        term_TC = jnp.where(keep_TC, jnp.exp(logit_TC - best_T[:, None]), 0)
        shrunk_T = sum_TJ[:, j] * jnp.exp(greatest_TJ[:, j] - best_T)
        sum_TJ = sum_TJ.at[:, j].set(shrunk_T + term_TC.sum(axis=1))
        greatest_TJ = greatest_TJ.at[:, j].set(best_T)
      found_T = jnp.where(keep_TC, cosine_TC, -2.0).max(axis=1)
      return (greatest_TJ, sum_TJ, jnp.maximum(nearest_T, found_T)), None

    return None, jax.lax.scan(of_columns, state, columns)[0]

  tiles = _split((rows, state), how.tile)
  return jax.tree.map(_join, jax.lax.scan(of_rows, None, tiles)[1])


def add_gradients(
  how: How, rows: Any, dx: Any, block: Part, dy: Any
) -> tuple[Any, Any]:
  """Adds a block's share to the gradients of rows and columns.

  All sums are updated in place: a scan's outputs would be a second copy.
  """
  row_tiles, column_tiles = _split(rows, how.tile), _split(block, how.tile)
  dx, dy = _split(dx, how.tile), _split(dy, how.tile)

  def of_columns(carry, c):
    dx, dy = carry
    y = _pick(column_tiles, c)

    def of_rows(carry, r):
      dx, dy_tile = carry
      dx_tile, more = _tile_gradients(how, _pick(row_tiles, r), y)
      dy_tile = jax.tree.map(jnp.add, dy_tile, more)
      return (_add_at(dx, r, dx_tile), dy_tile), None

    none = jax.tree.map(lambda a: jnp.zeros_like(a[0]), dy)
    (dx, dy_tile), _ = jax.lax.scan(of_rows, (dx, none), _numbers(row_tiles))
    return (dx, _add_at(dy, c, dy_tile)), None

  (dx, dy), _ = jax.lax.scan(of_columns, (dx, dy), _numbers(column_tiles))
  return jax.tree.map(_join, dx), jax.tree.map(_join, dy)


def _tile_gradients(
  how: How, rows: Any, y: Part
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
  """Returns one tile's share of the sums of rows and columns.

  The gradient by a block of dimensions sums over all prefixes that hold it:
  so that they, too, cost one full product.
  """
  x, limit_TJ, z_TJ, weight_TJ = rows
  by_inner, rows_TJ, columns_CJ = [], [], []
  for j, (cosine_TC, keep_TC) in enumerate(_tile(how, x, y, limit_TJ)):
    logit_TC = cosine_TC / how.temperature
    share_TC = jnp.where(keep_TC, jnp.exp(logit_TC - z_TJ[:, j : j + 1]), 0)
    by_cosine_TC = share_TC * weight_TJ[:, j : j + 1]
    rows_TJ.append((by_cosine_TC * cosine_TC).sum(axis=1))
    columns_CJ.append((by_cosine_TC * cosine_TC).sum(axis=0))
    by_inner.append(by_cosine_TC * _scale(x, y, j))
  dx, dy, total_TC = [], [], 0
  for d, by_inner_TC in zip(
    reversed(list(blocks(how.prefixes))), reversed(by_inner), strict=True
  ):
    total_TC += by_inner_TC
    product_TC = total_TC.astype(how.dtype)
    dx.append(_product('TC,CM->TM', product_TC, y.x[:, d]))
    dy.append(_product('TC,TM->CM', product_TC, x.x[:, d]))
  E = x.x.shape[1]
  return (
    (_widen(dx[::-1], E), jnp.stack(rows_TJ, axis=1)),
    (_widen(dy[::-1], E), jnp.stack(columns_CJ, axis=1)),
  )


def _tile(
  how: How, x: Part, y: Part, limit_TJ: Array | None
) -> Iterator[tuple[Float[Array, 'T C'], Bool[Array, 'T C']]]:
  """Yields a tile's cosines at each prefix, and which of them count."""
  same_TCA = jnp.all(x.ids[:, None] == y.ids[None], axis=-1)
  differ_TC = y.there[None] & ~same_TCA.any(axis=-1)
  inner_TC = 0
  for j, d in enumerate(blocks(how.prefixes)):
    inner_TC += _product('TM,CM->TC', x.x[:, d], y.x[:, d])
    cosine_TC = inner_TC * _scale(x, y, j)
    keep_TC = differ_TC
    if limit_TJ is not None:
      keep_TC &= cosine_TC <= limit_TJ[:, j : j + 1]
    yield cosine_TC, keep_TC


def _scale(x: Part, y: Part, j: int) -> Float[Array, 'T C']:
  return x.inverse[:, j, None] * y.inverse[None, :, j]


def _product(formula: str, x: Array, y: Array) -> Array:
  return jnp.einsum(formula, x, y, preferred_element_type=jnp.float32)


def _widen(parts: list[Array], width: int) -> Float[Array, 'C E']:
  """Joins blocks of dimensions; those behind the last prefix get 0."""
  x = jnp.concatenate(parts, axis=1)
  return jnp.pad(x, ((0, 0), (0, width - x.shape[1])))


def _split(tree: Any, tile: int) -> Any:
  """Cuts the first axis into as few equal tiles as `tile` allows."""

  def cut(x: Array) -> Array:
    parts = -(-len(x) // tile)
    while len(x) % parts:
      parts += 1
    return x.reshape(parts, -1, *x.shape[1:])

  return jax.tree.map(cut, tree)


def _join(x: Array) -> Array:
  return x.reshape(-1, *x.shape[2:])


def _numbers(tiles: Any) -> Array:
  return jnp.arange(len(jax.tree.leaves(tiles)[0]))


def _pick(tiles: Any, number: Array) -> Any:
  return jax.tree.map(lambda x: x[number], tiles)


def _add_at(tiles: Any, number: Array, tile: Any) -> Any:
  return jax.tree.map(lambda x, y: x.at[number].add(y), tiles, tile)
