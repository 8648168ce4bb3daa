"""Every array of state and batch: how large, split over what, held how often.

Needs neither TPU nor compiler: shapes and the mesh tell it.
"""

import dataclasses
import math
from typing import Any

import jax
from jax.sharding import AbstractMesh, AxisType

from gemb import axes
from gemb.axes import Layout
from gemb.plan.chips import Topology
from gemb.plan.programs import StepProgram

SMALL = 2**20  # bytes; below, a copy on every device does not matter


@dataclasses.dataclass(frozen=True, kw_only=True)
class Held:
  """An array, and what of it a device holds.

  Attributes:
    part: 'parameters', 'optimizer' or 'batch'.
    name: its path.
    shape: of the whole.
    dtype: of its elements.
    logical: its logical axes, where they are named.
    split: the mesh axes that each of its axes is split over.
    bytes: on a device.
    copies: devices that hold the same.
    devices: in all.
  """

  part: str
  name: str
  shape: tuple[int, ...]
  dtype: str
  logical: tuple[str | None, ...]
  split: tuple[tuple[str, ...], ...]
  bytes: int
  copies: int
  devices: int

  @property
  def is_replicated(self) -> bool:
    """Whether every device holds all of a large array."""
    return self.copies == self.devices > 1 and self.bytes >= SMALL


def abstract_layout(program: StepProgram, topology: Topology) -> Layout:
  """Returns the run's mesh on so many devices, which need not be there.

  Raises:
    ValueError: if the mesh does not fit their number.
  """
  sizes = axes.mesh_sizes(program.run.mesh, topology.chips)
  mesh: Any = AbstractMesh(
    tuple(sizes.values()),
    tuple(sizes),
    axis_types=(AxisType.Auto,) * len(sizes),
  )
  layout = Layout(mesh, program.run.rules)
  program.run.check_layout(layout)
  return layout


def held_arrays(program: StepProgram, layout: Layout) -> list[Held]:
  """Returns what a device holds of state and batch.

  Raises:
    ValueError: if the mesh does not divide an array.
  """
  state, batch = program.arguments(layout)
  names = {
    jax.tree_util.keystr(path): logical
    for path, logical in jax.tree_util.tree_leaves_with_path(
      program.logical_axes(), is_leaf=lambda x: isinstance(x, tuple)
    )
  }
  trees = {
    'parameters': state.params,
    'optimizer': (state.opt_state, state.step),
    'batch': batch,
  }
  found = []
  for part, tree in trees.items():
    for path, array in jax.tree_util.tree_leaves_with_path(tree):
      name = jax.tree_util.keystr(path)
      # A moment has its parameter's path at its end.
      logical = next((v for k, v in names.items() if name.endswith(k)), ())
      found.append(_held(part, name, array, logical, layout))
  return found


def _held(
  part: str, name: str, array: Any, logical: tuple, layout: Layout
) -> Held:
  spec = (*array.sharding.spec, *[None] * array.ndim)[: array.ndim]
  split = tuple(
    (entry,) if isinstance(entry, str) else tuple(entry or ()) for entry in spec
  )
  shards = math.prod(layout.mesh.shape[a] for each in split for a in each)
  held = math.prod(array.sharding.shard_shape(array.shape))
  return Held(
    part=part,
    name=name,
    shape=array.shape,
    dtype=str(array.dtype),
    logical=logical or (('batch',) if part == 'batch' else ()),
    split=split,
    bytes=held * array.dtype.itemsize,
    copies=layout.mesh.size // shards,
    devices=layout.mesh.size,
  )
