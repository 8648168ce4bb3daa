"""Cosines of nested prefixes, for the price of the longest.

Inner products of nested prefixes are partial sums,
<x,y>_1536 = <x,y>_768 + <x,y>_768:1536, and so are squared lengths.
"""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def blocks(prefixes: tuple[int, ...]) -> Iterator[slice]:
  """Yields the dimensions that each prefix adds to the one before.

  >>> list(blocks((2, 8)))
  [slice(0, 2, None), slice(2, 8, None)]
  """
  for start, end in zip((0, *prefixes), prefixes, strict=False):
    yield slice(start, end)


def inner_products(
  x: Float[Array, '*b E'], y: Float[Array, '*b E'], prefixes: tuple[int, ...]
) -> Float[Array, '*b J']:
  """Returns the inner product of each x with its y, for each prefix."""
  # Masks, not slices: their gradients need no padding, so that the compiler
  # never writes parts of x and y to memory.
  product = x * y
  dimension = jnp.arange(x.shape[-1]).reshape((1,) * (product.ndim - 1) + (-1,))
  sums = [jnp.where(dimension < M, product, 0).sum(axis=-1) for M in prefixes]
  return jnp.stack(sums, axis=-1)


def inverse_norms(
  x: Float[Array, '*b E'], prefixes: tuple[int, ...]
) -> Float[Array, '*b J']:
  """Returns 1 / |x| for each prefix; finite, with gradient 0, where |x| is 0.

  A hard negative that is not there may have length 0, and 1 / 0 would turn its
  masked-out term into NaN in the backward pass.
  """
  square = inner_products(x, x, prefixes)
  # `maximum` would multiply what may be infinite by 0 in the backward pass.
  return jax.lax.rsqrt(jnp.where(square > 1e-24, square, 1e-24))
