"""Texts that share rows: their places, and what is taken out for them."""

import jax.numpy as jnp
import numpy as np

from gemb.packed import positions_in_segments, take_texts
from gemb.types import Packed


def test_positions_begin_anew_with_each_text_and_with_padding():
  segments = jnp.array([[1, 1, 2, 2, 2, 0], [1, 0, 0, 0, 0, 0]], jnp.int32)
  np.testing.assert_array_equal(
    positions_in_segments(segments), [[0, 1, 0, 1, 2, 0], [0, 0, 1, 2, 3, 4]]
  )


def test_each_shard_takes_its_own_texts_out_of_its_own_rows():
  texts = Packed(
    tokens=jnp.ones((4, 2), jnp.int32),
    segments=jnp.ones((4, 2), jnp.int32),
    place=jnp.array([[0, 3], [2, 1]], jnp.int32),
    slots=2,
    shards=2,
  )
  slots = jnp.arange(8).reshape(4, 2)
  np.testing.assert_array_equal(take_texts(slots, texts), [[0, 3], [6, 5]])
  vectors = jnp.stack([slots, -slots], axis=2)
  np.testing.assert_array_equal(
    take_texts(vectors, texts, None),
    [[[0, 0], [3, -3]], [[6, -6], [5, -5]]],
  )
