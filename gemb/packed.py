"""Rows that several texts share: where tokens are, and what is whose."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int32, Shaped

from gemb import axes
from gemb.types import Packed


def positions_in_segments(
  segments_XL: Int32[Array, 'X L'],
) -> Int32[Array, 'X L']:
  """Returns 0, 1, 2, ... along each text of a row, and along its padding.

  >>> positions_in_segments(jnp.array([[1, 1, 1, 2, 2, 0]], jnp.int32)).tolist()
  [[0, 1, 2, 0, 1, 0]]
  """
  index_1L = jnp.arange(segments_XL.shape[1], dtype=jnp.int32)[None]
  before_XL = jnp.pad(segments_XL[:, :-1], ((0, 0), (1, 0)))
  start_XL = jnp.where(segments_XL != before_XL, index_1L, 0)
  return index_1L - jax.lax.cummax(start_XL, axis=1)


def take_texts(
  values: Shaped[Array, 'X S *v'], texts: Packed, *names: str | None
) -> Shaped[Array, 'B I *v']:
  """Returns the values of each example's texts, out of the slots of rows.

  Each shard takes its own texts out of its own rows: nothing is moved. Where
  there is no hard negative, its value means nothing.

  Args:
    values: one a slot.
    texts: where they are.
    *names: the logical axes of a value.
  """
  shape = values.shape[2:]
  values_ZC = values.reshape(texts.shards, -1, *shape)
  values_ZC = axes.constrain(values_ZC, 'batch', None, *names)
  place_ZT = jnp.maximum(texts.place, 0).reshape(texts.shards, -1)
  place_ZT = place_ZT.reshape(*place_ZT.shape, *(1 for _ in shape))
  taken_ZT = jnp.take_along_axis(values_ZC, place_ZT, axis=1)
  taken_BI = taken_ZT.reshape(*texts.place.shape, *shape)
  return axes.constrain(taken_BI, 'batch', None, *names)
