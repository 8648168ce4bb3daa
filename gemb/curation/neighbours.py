"""The nearest passages of each query, exactly: by tiles, over all devices.

Passages lie on disk, and go by in tiles, of which each device has a part. It
keeps the nearest so far of the passages that were its own; at the end those of
all devices are merged. Nobody has all similarities, or all passages.

Devices add in an order of their own, so that last bits depend on the machine.
They only propose; what is proposed is computed anew in float64, rounded to
float32, and ordered by that and, where it is equal, by the passage's number.
More are proposed until no other passage can be among the nearest.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec
from jaxtyping import Array, Float32, Int64

from gemb.axes import Layout

SPARE = 16  # proposals beyond those that are asked for
# By which a cosine in float32 may be off. Eight times what was measured.
_ERROR = 1e-5
_MOST = 4096  # proposals, where so many passages are equally near
_GATHERED = 2**23  # numbers held at once while cosines are computed anew


class Found(NamedTuple):
  """The nearest passages of some queries, the nearest first.

  Attributes:
    number: of the passage; -1 where there are no more.
    similarity: the cosine; -inf where there are no more.
  """

  number: Int64[np.ndarray, 'q k']
  similarity: Float32[np.ndarray, 'q k']


@runtime_checkable
class Neighbours(Protocol):
  """Finds the nearest of many passages."""

  def search(self, queries: Float32[np.ndarray, 'q M'], k: int) -> Found:
    """Returns the k nearest passages, or all where there are fewer.

    In falling order of the cosine, and where it is equal, by number.

    Args:
      queries: unit vectors.
      k: at least 1.
    """
    ...


class ExactSearch:
  """All passages are compared with each query.

  A device has queries x (tile + proposals) similarities in memory, and tile x M
  numbers of the passages.
  """

  def __init__(
    self,
    passages: Float32[np.ndarray, 'n M'],
    layout: Layout,
    *,
    tile: int,
    queries: int,
  ):
    """Compiles nothing yet.

    Args:
      passages: unit vectors, which may be mapped from a file.
      layout: of the mesh; 'batch' tells the axes that share the passages.
      tile: passages on a device at once.
      queries: that are compared at once.
    """
    self._passages = passages
    self._layout = layout
    self._shards = layout.shards('batch')
    self._tile = min(tile, -(-len(passages) // self._shards))
    self._queries = queries
    # Compiled once for each number of proposals.
    self._compiled = functools.lru_cache(maxsize=None)(self._compile)

  def search(self, queries: Float32[np.ndarray, 'q M'], k: int) -> Found:
    """Returns the k nearest passages; see `Neighbours`."""
    k = min(k, len(self._passages))
    number = np.full((len(queries), k), -1, np.int64)
    similarity = np.full((len(queries), k), -np.inf, np.float32)
    proposals = 2 ** (k + SPARE - 1).bit_length()
    most = max(_MOST, proposals)
    rows = np.arange(len(queries))
    while rows.size:
      proposals = min(proposals, len(self._passages))
      numbers, last = self._propose(queries[rows], proposals)
      found = order(self._passages, queries[rows], numbers)
      number[rows] = found.number[:, :k]
      similarity[rows] = found.similarity[:, :k]
      if proposals in (most, len(self._passages)):
        break
      rows = rows[last + _ERROR >= found.similarity[:, k - 1]]
      proposals = min(2 * proposals, most)
    return Found(number, similarity)

  def _propose(
    self, queries: Float32[np.ndarray, 'q M'], k: int
  ) -> tuple[Int64[np.ndarray, 'q k'], Float32[np.ndarray, 'q']]:
    """Returns the nearest as devices see it, and the cosine of the last."""
    numbers, last = [], []
    for start in range(0, len(queries), self._queries):
      block = queries[start : start + self._queries]
      padded = np.zeros((self._queries, block.shape[1]), np.float32)
      padded[: len(block)] = block
      similarity, number = self._look_up(padded, k)
      numbers.append(np.asarray(number)[: len(block)].astype(np.int64))
      last.append(np.asarray(similarity)[: len(block), -1])
    return np.concatenate(numbers), np.concatenate(last)

  def _look_up(
    self, queries: Float32[np.ndarray, 'q M'], k: int
  ) -> tuple[Array, Array]:
    """Has all tiles go by."""
    begin, step, merge = self._compiled(k)
    replicated = self._layout.sharding(None, None)
    whole = jax.make_array_from_callback(
      queries.shape, replicated, queries.__getitem__
    )
    best = begin()
    for first in range(0, len(self._passages), self._tile * self._shards):
      before = best
      best = step(before, whole, self._read(first), np.int32(first))
      # One tile is read while the devices compute, and no more are queued.
      jax.block_until_ready(before)
    return merge(best)

  def _read(self, first: int) -> Array:
    """Returns the passages of a tile, each device's part on it."""
    shape = self._tile * self._shards, self._passages.shape[1]

    def read(index: Any) -> np.ndarray:
      start, stop, _ = index[0].indices(shape[0])
      part = np.zeros((stop - start, shape[1]), np.float32)
      there = self._passages[first + start : first + stop]
      part[: len(there)] = there
      return part

    sharding = self._layout.sharding('batch', None)
    return jax.make_array_from_callback(shape, sharding, read)

  def _compile(self, k: int) -> tuple[Callable[..., Any], ...]:
    """Returns what begins, what takes a tile, and what merges."""
    sharded = self._layout.sharding('batch', None, None)
    shape = self._shards, self._queries, k
    axes = PartitionSpec(self._layout.mesh_axes('batch'))
    begin = jax.jit(
      lambda: (jnp.full(shape, -jnp.inf), jnp.full(shape, -1, jnp.int32)),
      out_shardings=(sharded, sharded),
    )
    step = jax.shard_map(
      functools.partial(
        _take_tile,
        axes=self._layout.mesh_axes('batch'),
        passages=len(self._passages),
      ),
      mesh=self._layout.mesh,
      in_specs=((axes, axes), PartitionSpec(), axes, PartitionSpec()),
      out_specs=(axes, axes),
      check_vma=False,
    )
    merge = jax.jit(_merge, out_shardings=self._layout.sharding(None, None))
    return begin, jax.jit(step), merge


def _take_tile(
  best: tuple[Array, Array],
  queries: Array,
  tile: Array,
  first: Array,
  *,
  axes: tuple[str, ...],
  passages: int,
) -> tuple[Array, Array]:
  """Returns the best of those before and of this device's part of a tile.

  Of equals the lower number stays: it came first, and top_k prefers it.
  """
  shard = jax.lax.axis_index(axes) if axes else 0
  start = first + shard * len(tile)
  number = start + jnp.arange(len(tile), dtype=jnp.int32)
  similarity = jnp.dot(queries, tile.T, precision=jax.lax.Precision.HIGHEST)
  similarity = jnp.where(number[None] < passages, similarity, -jnp.inf)
  (best_similarity,), (best_number,) = best
  k = best_number.shape[1]
  top, place = jax.lax.top_k(similarity, min(k, len(tile)))
  similarity = jnp.concatenate([best_similarity, top], axis=1)
  number = jnp.concatenate([best_number, number[place]], axis=1)
  top, place = jax.lax.top_k(similarity, k)
  return top[None], jnp.take_along_axis(number, place, axis=1)[None]


def _merge(best: tuple[Array, Array]) -> tuple[Array, Array]:
  """Returns the best of all devices."""
  shards, queries, k = best[0].shape
  similarity, number = (
    part.transpose(1, 0, 2).reshape(queries, shards * k) for part in best
  )
  top, place = jax.lax.top_k(similarity, k)
  return top, jnp.take_along_axis(number, place, axis=1)


def order(
  passages: Float32[np.ndarray, 'n M'],
  queries: Float32[np.ndarray, 'q M'],
  numbers: Int64[np.ndarray, 'q k'],
) -> Found:
  """Orders passages that were proposed, by cosines that are right.

  Args:
    passages: unit vectors.
    queries: unit vectors.
    numbers: of the passages proposed for each; -1: none.
  """
  similarity = np.empty(numbers.shape, np.float32)
  rows = max(1, _GATHERED // max(1, numbers.shape[1] * queries.shape[1]))
  for start in range(0, len(queries), rows):
    some = slice(start, start + rows)
    similarity[some] = cosines(queries[some], passages[numbers[some]])
  similarity[numbers < 0] = -np.inf
  places = np.lexsort((numbers, -similarity), axis=1)
  return Found(
    np.take_along_axis(numbers, places, axis=1),
    np.take_along_axis(similarity, places, axis=1),
  )


def cosines(
  queries: Float32[np.ndarray, 'q M'], passages: Float32[np.ndarray, 'q k M']
) -> Float32[np.ndarray, 'q k']:
  """Returns the cosine of each query to its passages, all unit vectors.

  To float32, whatever the order in which the machine adds.
  """
  exact = passages.astype(np.float64) @ queries.astype(np.float64)[:, :, None]
  return exact[:, :, 0].astype(np.float32)
