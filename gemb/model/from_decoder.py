"""A pretrained decoder's checkpoint becomes an encoder's parameters.

Tensors are read one at a time and put onto their shards at once, so that
neither a host nor a device ever holds a second copy of the model.
"""

import dataclasses
import functools
import math
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array

from gemb.model.config import EncoderConfig
from gemb.model.embedder import Embedder, Params
from gemb.model.formats.hugging_face import HuggingFace
from gemb.model.formats.places import (
  TABLE,
  Checkpoint,
  Place,
  places,
)
from gemb.model.formats.sentence_transformers import SentenceTransformers

_FORMATS = (
  'a folder with safetensors files (Hugging Face, sentence-transformers), an '
  'orbax checkpoint of the gemma library, or a .gguf file'
)
# Of a list of tensors in an error.
_MOST_NAMES = 12


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainedConfig:
  """The checkpoint that a run starts from.

  Attributes:
    path: of its folder or file, as it is or within the data folder.
    differs_in: fields of EncoderConfig that may be other than the checkpoint
      says, such as 'local_radius'.
  """

  path: str
  differs_in: tuple[str, ...] = ()

  def __post_init__(self):
    known = {field.name for field in dataclasses.fields(EncoderConfig)}
    if unknown := sorted(set(self.differs_in) - known):
      raise ValueError(
        f'PretrainedConfig.differs_in names {unknown}, which EncoderConfig '
        'does not have.'
      )


def check_path(path: pathlib.Path) -> None:
  """Raises FileNotFoundError if there is nothing at the path."""
  if not path.exists():
    raise FileNotFoundError(
      f'There is no checkpoint at {path}; check PretrainedConfig.path.'
    )


def open_checkpoint(path: pathlib.Path, config: EncoderConfig) -> Checkpoint:
  """Opens a checkpoint of any known format; reads none of its tensors.

  Raises:
    FileNotFoundError: if there is nothing.
    ValueError: if it has no known format, or is no Gemma.
  """
  check_path(path)
  if path.is_file():
    if path.suffix == '.gguf':
      from gemb.model.formats.gguf import Gguf

      return Gguf(path, config)
  elif (path / 'modules.json').is_file():
    return SentenceTransformers(path, config)
  elif any(path.glob('*.safetensors')):
    return HuggingFace(path, config)
  elif (path / '_METADATA').is_file() or (path / 'checkpoint').is_file():
    from gemb.model.formats.orbax import Orbax

    return Orbax(path, config)
  raise ValueError(f'{path} is no checkpoint that gemb knows: give {_FORMATS}.')


def load_params(
  checkpoint: Checkpoint,
  embedder: Embedder,
  like: Params,
  *,
  seed: int = 0,
  differs_in: tuple[str, ...] = (),
) -> Params:
  """Reads an embedder's parameters onto their shards, as float32.

  The projection, which a decoder does not have, is initialised.

  Args:
    checkpoint: of `open_checkpoint`.
    embedder: that the parameters are for.
    like: their shapes and shardings (`gemb.train.state.abstract_params`).
    seed: of the projection.
    differs_in: fields of EncoderConfig that need not be the checkpoint's.

  Raises:
    ValueError: naming what is missing, left over, or of another shape, and
      the numbers in which the configuration differs.
  """
  _check_facts(checkpoint, embedder.config.encoder, differs_in)
  found = _match(checkpoint, embedder)
  leaves = {_path(keys): leaf for keys, leaf in jax.tree.leaves_with_path(like)}
  loaded: dict[tuple[str, ...], Array] = {}
  for name, targets in found.items():
    tensor = checkpoint.read(name)
    for place in targets:
      value = _cut(place, checkpoint.convert(place, tensor))
      leaf = leaves[place.path]
      loaded[place.path] = _put(loaded.get(place.path), value, place, leaf)
  for path, leaf in leaves.items():
    if path not in loaded:
      loaded[path] = _initialise(embedder, path, leaf, seed)
  return jax.tree.map_with_path(lambda keys, _: loaded[_path(keys)], like)


def _check_facts(
  checkpoint: Checkpoint, config: EncoderConfig, differs_in: tuple[str, ...]
) -> None:
  """Raises ValueError where the configuration is not the checkpoint's."""
  configured = dataclasses.asdict(config)
  configured['query_scale'] = config.query_scale or float(config.head_dim)
  differences = []
  for name, stated in checkpoint.facts.items():
    ours = configured[name]
    # A table may have rows that no token names: `_match` sees to it.
    if name == 'vocabulary' or name in differs_in:
      continue
    numbers = isinstance(ours, float) and isinstance(stated, int | float)
    if not (math.isclose(ours, stated) if numbers else ours == stated):
      differences.append(f'{name} is {ours!r}, there {stated!r}')
  if differences:
    raise ValueError(
      f'EncoderConfig is not that of {checkpoint.path}: '
      f'{"; ".join(differences)}. Take the fragment of configs/model that fits '
      'it, or name what shall differ in PretrainedConfig.differs_in.'
    )


def _match(
  checkpoint: Checkpoint, embedder: Embedder
) -> dict[str, list[Place]]:
  """Returns what each tensor of the checkpoint holds of ours, all of it."""
  wanted: dict[str, list[Place]] = {}
  for place in places(embedder):
    name = checkpoint.name(place)
    if name is not None:
      wanted.setdefault(name, []).append(place)
  problems = []
  if missing := [name for name in wanted if name not in checkpoint.shapes]:
    problems.append(f'missing are {_some(missing)}')
  if left := [name for name in checkpoint.shapes if name not in wanted]:
    problems.append(f'left over are {_some(left)}')
  wrong = [
    problem
    for name, targets in wanted.items()
    if name in checkpoint.shapes
    for place in targets
    if (problem := _wrong_shape(checkpoint, name, place))
  ]
  if wrong:
    problems.append(f'of another shape are {_some(wrong)}')
  if problems:
    raise ValueError(
      f'{checkpoint.path} does not fit the model: {"; ".join(problems)}. '
      'Choose the fragment of configs/model that belongs to it.'
    )
  return wanted


def _wrong_shape(checkpoint: Checkpoint, name: str, place: Place) -> str | None:
  stated = checkpoint.shapes[name]
  try:
    got = jax.eval_shape(
      functools.partial(checkpoint.convert, place),
      jax.ShapeDtypeStruct(stated, jnp.float32),
    ).shape
  except (TypeError, ValueError, IndexError):
    got = None
  rows_to_spare = (
    place.name == TABLE
    and got is not None
    and got[0] >= place.shape[0]
    and got[1:] == place.shape[1:]
  )
  if got == place.shape or rows_to_spare:
    return None
  return (
    f'{name} {list(stated)} (for {"/".join(place.path)} {list(place.shape)})'
  )


def _cut(place: Place, value: np.ndarray) -> np.ndarray:
  """Drops rows of the table past the vocabulary: padding, which no id names."""
  return value[: place.shape[0]] if place.name == TABLE else value


def _put(
  stacked: Array | None, value: np.ndarray, place: Place, leaf: Any
) -> Array:
  """Puts a parameter, or a layer of it into `stacked`, onto its shards."""
  sharding = leaf.sharding
  if place.layer is None:
    return _spread(value, sharding)
  of_layer = NamedSharding(sharding.mesh, PartitionSpec(*sharding.spec[1:]))
  if stacked is None:
    stacked = _zeros(leaf.shape, sharding)
  return _set_layer(sharding)(
    stacked, _spread(value, of_layer), jnp.int32(place.layer)
  )


def _spread(value: np.ndarray, sharding: NamedSharding) -> Array:
  def shard(index: tuple[slice, ...] | None) -> np.ndarray:
    # Copies only where it must: an embedding table is gigabytes.
    return np.ascontiguousarray(value[index or ...], np.float32)

  return jax.make_array_from_callback(value.shape, sharding, shard)


def _initialise(
  embedder: Embedder, path: tuple[str, ...], leaf: Any, seed: int
) -> Array:
  """Computes one initial parameter; the compiler drops all others."""

  def init(key: Array) -> Array:
    return functools.reduce(
      lambda node, key: node[key], path, embedder.init(key)
    )

  return jax.jit(init, out_shardings=leaf.sharding)(jax.random.key(seed))


@functools.cache
def _set_layer(
  sharding: NamedSharding,
) -> Callable[[Array, Array, Array], Array]:
  def put(stacked: Array, value: Array, layer: Array) -> Array:
    return stacked.at[layer].set(value)

  return jax.jit(put, out_shardings=sharding, donate_argnums=0)


def _zeros(shape: tuple[int, ...], sharding: NamedSharding) -> Array:
  return jax.jit(lambda: jnp.zeros(shape), out_shardings=sharding)()


def _path(keys: tuple[Any, ...]) -> tuple[str, ...]:
  return tuple(key.key for key in keys)


def _some(names: list[str]) -> str:
  more = len(names) - _MOST_NAMES
  shown = ', '.join(names[:_MOST_NAMES])
  return f'{shown} and {more} more' if more > 0 else shown
