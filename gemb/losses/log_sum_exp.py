"""The denominator of a contrastive loss, for batches of any size.

For rows x_i and columns y_j, for every prefix M at once,

  Z_i = log sum_j keep(i,j) e^{cos_M(x_i, y_j) / t}

No more than a tile of cosines exists at a time, and where there are many
columns, none of the devices holds them all: the columns travel round a ring of
the devices, each of which adds its rows' share. Reverse mode would keep every
tile, and every column that ever came by; so the backward pass is written out
here. It computes the tiles again and turns the ring once more, with the
columns' gradients on board.

Sources: FlashAttention (arXiv:2205.14135) for the running maximum and the
recomputation, Ring Attention (arXiv:2310.01889) for the ring, Inf-CL
(arXiv:2410.17243) for both in a contrastive loss. Partial sums over prefixes
are gemb's.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jaxtyping import Array, Bool, Float, UInt32

from gemb import axes
from gemb.losses.config import LossConfig
from gemb.losses.cosine import inverse_norms
from gemb.losses.tiles import NONE, How, Part, add_columns, add_gradients


@dataclasses.dataclass(frozen=True)
class Side:
  """The rows or the columns of a matrix of cosines.

  Attributes:
    vectors: of any length.
    ids: that a vector is known by; a row meets no column that has an id of its
      own at the same place.
    there: whether a vector counts at all.
  """

  vectors: Float[Array, 'C E']
  ids: UInt32[Array, 'C A 2']
  there: Bool[Array, 'C']


def log_sum_exp(
  config: LossConfig,
  rows: Side,
  columns: Side,
  limit_BJ: Float[Array, 'B J'] | None = None,
) -> tuple[Float[Array, 'B J'], Float[Array, 'B']]:
  """Returns Z of each row and prefix, and its greatest cosine.

  Within `axes.use`, rows and columns are split as `AxisRules.pairs` says, and
  each device computes its rows' share.

  Args:
    config: prefixes, temperature, and how it is computed.
    rows: `there` must be True.
    columns: as many for each device.
    limit_BJ: the greatest cosine that counts; it has no gradient.

  Returns:
    Z, -inf where a row meets no column; and the greatest of the cosines that
    counted, at the last prefix (-2 if none did), which has no gradient.
  """
  layout = axes.layout_in_use()
  how = How(
    prefixes=config.prefixes,
    temperature=config.temperature,
    dtype=config.dtype,
    tile=config.tile,
    mesh_axes=layout.mesh_axes('pairs') if layout else (),
    gathers=len(columns.there) <= config.gather_up_to,
  )
  of_device = functools.partial(_log_sum_exp, how)
  if layout is not None:
    split = PartitionSpec(how.mesh_axes)
    of_device = jax.shard_map(
      of_device,
      mesh=layout.mesh,
      in_specs=(split, split, split),
      out_specs=(split, split),
      check_vma=False,
    )
  return of_device(_part(rows, config), _part(columns, config), limit_BJ)


def _part(side: Side, config: LossConfig) -> Part:
  x_CE = axes.constrain(side.vectors, 'pairs', None)
  inverse_CJ = inverse_norms(x_CE, config.prefixes)
  return Part(x_CE, inverse_CJ, side.ids, side.there)


# --- One device's share, and its derivative.


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _log_sum_exp(how: How, x: Part, y: Part, limit_RJ: Array | None):
  return _forward(how, x, y, limit_RJ)[0]


def _forward(how: How, x: Part, y: Part, limit_RJ: Array | None):
  """Returns the result, and what the backward pass needs."""
  x, y = (dataclasses.replace(p, x=p.x.astype(how.dtype)) for p in (x, y))
  R, J = x.inverse.shape
  nothing = (
    jnp.full((R, J), NONE, jnp.float32),
    jnp.zeros((R, J), jnp.float32),
    jnp.full(R, -2, jnp.float32),
  )

  def visit(state, block: Part, aboard: tuple[()]):
    return add_columns(how, (x, limit_RJ), state, block), aboard

  (greatest_RJ, sum_RJ, nearest_R), _ = _visit_all(
    how, visit, nothing, y, lambda block: ()
  )
  z_RJ = greatest_RJ + jnp.log(sum_RJ)
  return (z_RJ, nearest_R), (x, y, limit_RJ, z_RJ)


def _backward(how: How, kept: Any, cotangents: tuple[Array, Array]):
  """Returns the gradients of both sides; the greatest cosine has none."""
  x, y, limit_RJ, z_RJ = kept
  rows = x, limit_RJ, z_RJ, cotangents[0] / how.temperature

  def visit(dx, block: Part, dy):
    return add_gradients(how, rows, dx, block, dy)

  dx, dy = _visit_all(how, visit, _no_gradient(x), y, _no_gradient)
  return _cotangent(x, dx), _cotangent(y, dy), None


_log_sum_exp.defvjp(_forward, _backward)


def _no_gradient(part: Part) -> tuple[Array, Array]:
  """Returns zeros for the sums of vectors' gradients and of cosines."""
  return jnp.zeros(part.x.shape, jnp.float32), jnp.zeros_like(part.inverse)


def _cotangent(part: Part, sums: tuple[Array, Array]) -> Part:
  dx_CE, cosines_CJ = sums
  # The derivative of a cosine by 1 / |x| is the cosine times |x|.
  none: Any = None  # the gradient of what is no number
  return Part(dx_CE, cosines_CJ / part.inverse, none, none)


def _visit_all(
  how: How, visit: Callable, state: Any, block: Part, board: Callable
) -> tuple[Any, Any]:
  """Has the columns of all devices visited, one block or all at once.

  Args:
    how: along which mesh axes the columns are split, and if to gather them.
    visit: (state, block, aboard) -> (state, aboard), with what was added.
    state: stays on the device.
    block: this device's columns.
    board: block -> what comes along, to be added to.

  Returns:
    The state; and what came along with this device's columns, added to by all
    devices.
  """
  split = how.mesh_axes
  if not split:
    return visit(state, block, board(block))
  if how.gathers:
    gather = functools.partial(jax.lax.all_gather, axis_name=split, tiled=True)
    block = jax.tree.map(gather, block)
    state, aboard = visit(state, block, board(block))
    return state, jax.lax.psum_scatter(aboard, split, tiled=True)
  size = jax.lax.axis_size(split)
  onward = [(i, (i + 1) % size) for i in range(size)]

  def turn(carry, _):
    state, block, aboard = carry
    state, aboard = visit(state, block, aboard)
    return (state, *jax.lax.ppermute((block, aboard), split, onward)), None

  carry = state, block, board(block)
  (state, _, aboard), _ = jax.lax.scan(turn, carry, length=size)
  return state, aboard
