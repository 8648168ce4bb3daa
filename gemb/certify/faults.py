"""Mistakes that are easily made, planted one at a time in the real path.

A certificate that could not be refused would certify nothing. Each of these
trains without complaint, and is wrong: the first three on several devices only,
the others everywhere.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from gemb import axes
from gemb.losses import log_sum_exp
from gemb.train import step
from gemb.types import Batch, Embeddings


def plant(name: str | None) -> contextlib.AbstractContextManager[None]:
  """Breaks one thing of the real path while the context lasts.

  Args:
    name: of `gemb.certify.FAULTS`; None: nothing is broken.
  """
  return _PLANTS[name]() if name else contextlib.nullcontext()


@contextlib.contextmanager
def _replaced(
  module: Any, name: str, change: Callable[[Callable], Callable]
) -> Iterator[None]:
  """Replaces a function of a module by what `change` makes of it."""
  real = getattr(module, name)
  setattr(module, name, change(real))
  try:
    yield
  finally:
    setattr(module, name, real)


def _of_loss(
  change: Callable[[Embeddings, Batch], tuple[Embeddings, Batch]],
) -> contextlib.AbstractContextManager[None]:
  """Changes what the loss is computed from."""

  def changed(total_loss: Callable) -> Callable:
    return lambda config, *given: total_loss(config, *change(*given))

  return _replaced(step, 'total_loss', changed)


def _shifted_labels() -> contextlib.AbstractContextManager[None]:
  def shift(embeddings: Embeddings, batch: Batch) -> tuple[Embeddings, Batch]:
    layout = axes.layout_in_use()
    shards = layout.shards('batch') if layout else 1
    size = len(batch.query_id) // shards
    positive = jnp.roll(embeddings.positive, -size, axis=0)
    return dataclasses.replace(embeddings, positive=positive), batch

  return _of_loss(shift)


def _one_sided_mask() -> contextlib.AbstractContextManager[None]:
  def unmask(embeddings: Embeddings, batch: Batch) -> tuple[Embeddings, Batch]:
    number_B = jnp.arange(len(batch.query_id), dtype=jnp.uint32)
    different_B2 = jnp.stack([number_B, number_B], axis=1)
    return embeddings, dataclasses.replace(batch, positive_id=different_B2)

  return _of_loss(unmask)


def _scaled_gradient() -> contextlib.AbstractContextManager[None]:
  def change(total_loss: Callable) -> Callable:
    def scaled(*given: Any) -> tuple[Array, Any]:
      value, metrics = total_loss(*given)
      layout = axes.layout_in_use()
      share = value / (layout.mesh.size if layout else 1)
      return share + jax.lax.stop_gradient(value - share), metrics

    return scaled

  return _replaced(step, 'total_loss', change)


def _dropped_microbatch() -> contextlib.AbstractContextManager[None]:
  def change(encode: Callable) -> Callable:
    def dropping(apply, params, *rows: Array, microbatch: int) -> Array:
      embeddings = encode(apply, params, *rows, microbatch=microbatch)
      # Microbatch m has every so-many-th row, from the m-th.
      parts = -(-len(embeddings) // microbatch)
      last = jnp.arange(len(embeddings)) % parts == parts - 1
      last = last.reshape(-1, *(1,) * (embeddings.ndim - 1))
      lost = jax.lax.stop_gradient(embeddings)
      return jnp.where(last, lost, embeddings)

    return dropping

  return _replaced(step, 'encode_in_microbatches', change)


def _detached_remote() -> contextlib.AbstractContextManager[None]:
  def change(visit_all: Callable) -> Callable:
    def detached(how: Any, visit: Callable, state: Any, block: Any, board: Any):
      def visit_all_and_keep_mine(counted: Any, block: Any, aboard: Any):
        turns, state = counted
        state, added = visit(state, block, aboard)
        mine_C = _mine(how, turns, len(block.there))
        kept = jax.tree.map(
          lambda new, old: jnp.where(mine_C[:, None], new, old), added, aboard
        )
        return (turns + 1, state), kept

      counted = jnp.int32(0), state
      (_, state), aboard = visit_all(
        how, visit_all_and_keep_mine, counted, block, board
      )
      return state, aboard

    return detached

  return _replaced(log_sum_exp, '_visit_all', change)


def _mine(how: Any, turns: Array, columns: int) -> Array:
  """Returns which of the visited columns are of this device itself."""
  if how.mesh_axes and how.gathers:
    size = columns // jax.lax.axis_size(how.mesh_axes)
    return jnp.arange(columns) // size == jax.lax.axis_index(how.mesh_axes)
  # Round the ring, it is all of them at first, and then none.
  return jnp.full(columns, turns == 0)


_PLANTS: dict[str, Callable[[], contextlib.AbstractContextManager[None]]] = {
  'shifted_labels': _shifted_labels,
  'detached_remote': _detached_remote,
  'scaled_gradient': _scaled_gradient,
  'dropped_microbatch': _dropped_microbatch,
  'one_sided_mask': _one_sided_mask,
}
