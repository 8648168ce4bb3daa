"""Our parameters one by one, and what a checkpoint of them can be asked."""

import abc
import dataclasses
import pathlib
from typing import Any

import jax
import numpy as np

from gemb.model.embedder import Embedder

TABLE = 'table'
PROJECTION = 'projection/kernel'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
  """One parameter, or one layer of a parameter that is stacked over layers.

  Attributes:
    path: in the tree of the embedder's parameters.
    layer: the index along the stacked parameter's first axis, or None.
    shape: without the axis of layers.
  """

  path: tuple[str, ...]
  layer: int | None
  shape: tuple[int, ...]

  @property
  def name(self) -> str:
    """What it is called in its block or outside: 'mlp/up/kernel', 'table'."""
    start = 2 if self.layer is not None else int(self.path[0] == 'encoder')
    return '/'.join(self.path[start:])

  @property
  def inputs(self) -> int:
    """The number of leading axes that a kernel contracts."""
    return 2 if self.name == 'attention/out/kernel' else 1

  def from_matrix(self, matrix: Any) -> Any:
    """Returns our kernel from a matrix [outputs, inputs]; else the tensor."""
    if self.name.endswith('/kernel'):
      return matrix.T.reshape(self.shape)
    return matrix

  def to_matrix(self, tensor: Any) -> Any:
    """Returns the [outputs, inputs] matrix of our kernel; else the tensor."""
    if self.name.endswith('/kernel'):
      inputs = int(np.prod(self.shape[: self.inputs]))
      return tensor.reshape(inputs, -1).T
    return tensor


class Checkpoint(abc.ABC):
  """A checkpoint, opened: names and shapes at once, tensors one at a time.

  Attributes:
    path: of its file or folder.
    shapes: of all its tensors, by their names.
    facts: the fields of EncoderConfig that it states.
  """

  path: pathlib.Path
  shapes: dict[str, tuple[int, ...]]
  facts: dict[str, Any]

  @abc.abstractmethod
  def name(self, place: Place) -> str | None:
    """Returns the name of the tensor that holds it; None: it holds none."""

  @abc.abstractmethod
  def convert(self, place: Place, tensor: Any) -> Any:
    """Returns the parameter from that tensor, by slicing and turning alone."""

  @abc.abstractmethod
  def read(self, name: str) -> np.ndarray:
    """Reads one tensor into memory."""


def places(embedder: Embedder) -> list[Place]:
  """Returns every parameter of an embedder, layer by layer."""
  shapes = jax.eval_shape(embedder.init, jax.random.key(0))
  found = []
  for keys, leaf in jax.tree.leaves_with_path(shapes):
    path = tuple(key.key for key in keys)
    if path[1] != 'blocks':
      found.append(Place(path=path, layer=None, shape=leaf.shape))
      continue
    for layer in range(leaf.shape[0]):
      found.append(Place(path=path, layer=layer, shape=leaf.shape[1:]))
  return found
