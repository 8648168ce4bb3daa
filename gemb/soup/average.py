"""Averages of parameters, one set of them folded in after another.

A soup of n ingredients is n - 1 blends of two: the i-th is blended into what
there is by the share w_i / (w_1 + ... + w_i). Of straight blends that makes the
weighted mean, whatever the order. So there are never more than two sets of
parameters, and each lies on the mesh as it does in training.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gemb.model.embedder import Params

# How much of the second; while tracing, an array.
Share = float | Float[Array, '']
# (parameters, parameters, share) -> parameters; the second may
# be overwritten.
Blend = Callable[[Params, Params, float], Params]

# Radians. Where sin is smaller, two vectors are parallel, and the arc is the
# chord; or opposite, and there is no one arc between them.
_SMALL_SINE = 1e-4


def fold(
  ingredients: Iterable[Params], weights: Sequence[float], blend: Blend
) -> Params:
  """Returns the soup of the ingredients; each is asked for once, in order.

  Args:
    ingredients: parameters in float32, as many as weights, made one at a time.
    weights: not negative, and not all 0.
    blend: `straight`, or one of `make_slerp`.
  """
  soup, total = None, 0.0
  for params, weight in zip(ingredients, weights, strict=True):
    total += weight
    # While all weights are 0 any soup will do: it is replaced.
    share = weight / total if weight else 0.0
    soup = params if soup is None else blend(soup, params, share)
  return soup


def lerp(params: Params, other: Params, share: Share) -> Params:
  """Returns (1 - share) * params + share * other, leaf by leaf."""
  return jax.tree.map(lambda x, y: (1 - share) * x + share * y, params, other)


straight: Blend = jax.jit(lerp, donate_argnums=1)


def make_slerp(logical_axes: Any) -> Blend:
  """Returns spherical interpolation, tensor by tensor.

  Each tensor of each layer is one vector, which is turned towards the other by
  a share of their angle (Shoemake 1985), as model-merging tools do it. One
  angle for all parameters would be that of the embedding table alone, which
  holds most of them. Vectors of equal length keep their length, where a
  straight average of them is shorter.

  Args:
    logical_axes: of the parameters (`Embedder.logical_axes`): what they call
      'layers' counts tensors.
  """

  @functools.partial(jax.jit, donate_argnums=1)
  def blend(params: Params, other: Params, share: Share) -> Params:
    return jax.tree.map(
      lambda x, y, names: slerp(x, y, share, _axes_of_a_layer(names)),
      params,
      other,
      logical_axes,
    )

  return blend


def slerp(
  x: Float[Array, '*axes'],
  y: Float[Array, '*axes'],
  share: Share,
  axes: tuple[int, ...],
) -> Float[Array, '*axes']:
  """Returns x turned towards y by a share of their angle.

  The straight average, where they are parallel or opposite, or one is 0.

  Args:
    x: vectors.
    y: the others.
    share: 0: x; 1: y.
    axes: that make up a vector.
  """
  size_x, size_y = _length(x, axes), _length(y, axes)
  unit_x = x / jnp.where(size_x, size_x, 1)
  unit_y = y / jnp.where(size_y, size_y, 1)
  # Of unit vectors; an arccos would lose all that is below 3e-4.
  angle = 2 * jnp.arctan2(
    _length(unit_x - unit_y, axes), _length(unit_x + unit_y, axes)
  )
  sine = jnp.sin(angle)
  turns = (sine > _SMALL_SINE) & (size_x > 0) & (size_y > 0)
  safe = jnp.where(turns, sine, 1)
  weight_x = jnp.where(turns, jnp.sin((1 - share) * angle) / safe, 1 - share)
  weight_y = jnp.where(turns, jnp.sin(share * angle) / safe, share)
  return weight_x * x + weight_y * y


def _length(x: Array, axes: tuple[int, ...]) -> Array:
  return jnp.sqrt(jnp.sum(x**2, axis=axes, keepdims=True))


def _axes_of_a_layer(names: tuple[str | None, ...]) -> tuple[int, ...]:
  return tuple(i for i, name in enumerate(names) if name != 'layers')
