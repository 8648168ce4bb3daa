"""A batch onto the devices: each process reads the rows of its own alone."""

import jax
import numpy as np

from gemb.axes import Layout
from gemb.data.loader import Loader
from gemb.data.planning import Plan
from gemb.types import Batch


def place(loader: Loader, step: int, layout: Layout) -> tuple[Plan, Batch]:
  """Reads this process's rows of a batch, and puts them on its devices.

  Args:
    loader: of the batches.
    step: of the batch.
    layout: of the mesh.

  Returns:
    What the batch is made of, and the batch, in global arrays.
  """
  batch_size = loader.plan.batch_size(step)
  sharding = layout.sharding('batch')
  runs = rows_here(sharding, batch_size)
  read = [loader.batch(step, slice(*run)) for run in runs]

  def spread(*parts: np.ndarray) -> jax.Array:
    # Rows of packed texts are more or fewer than examples, split alike.
    first, last = runs[0]
    total = batch_size * len(parts[0]) // (last - first)

    def shard(index: tuple[slice, ...] | None) -> np.ndarray:
      start, stop, _ = (index[0] if index else slice(None)).indices(total)
      for (first, _), part in zip(runs, parts, strict=True):
        before = total * first // batch_size
        if before <= start < before + len(part):
          return part[start - before : stop - before]
      raise IndexError(f'Rows {start} to {stop} are not of this process.')

    shape = (total, *parts[0].shape[1:])
    return jax.make_array_from_callback(shape, sharding, shard)

  return read[0][0], jax.tree.map(spread, *(batch for _, batch in read))


def rows_here(
  sharding: jax.sharding.Sharding, rows: int
) -> list[tuple[int, int]]:
  """Returns first and last of each run of rows on this process's devices.

  The devices of a TPU's host are neighbours in the torus, which need not be
  neighbours in the mesh.
  """
  shards = sharding.addressable_devices_indices_map((rows,)).values()
  ranges = {
    (index[0] if index else slice(None)).indices(rows)[:2] for index in shards
  }
  runs = []
  for first, last in sorted(ranges):
    if runs and runs[-1][1] == first:
      first, _ = runs.pop()
    runs.append((first, last))
  return runs
