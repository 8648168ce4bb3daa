"""The meshes that a run is certified on: 1 to 8 devices, along each axis."""

import dataclasses
import functools
from collections.abc import Sequence

import jax

from gemb import axes
from gemb.axes import Layout, MeshConfig
from gemb.model.config import EmbedderConfig
from gemb.model.embedder import make_embedder
from gemb.run import Run

DEVICES = 8
_AXES = ('data', 'fsdp', 'tensor')


def choose_meshes(run: Run) -> tuple[list[MeshConfig], list[str]]:
  """Returns the meshes to certify, and why some were left out.

  The run's own axes on 1, 2, 4 and 8 devices, as far as they divide the model;
  then each axis alone, and all together, on 8.

  Raises:
    ValueError: if there are fewer devices.
  """
  if len(jax.devices()) < DEVICES:
    raise ValueError(
      f'A certificate takes {DEVICES} simulated devices; found '
      f'{len(jax.devices())}. Set XLA_FLAGS='
      f'--xla_force_host_platform_device_count={DEVICES} and JAX_PLATFORMS=cpu '
      'before JAX starts, as `gemb certify` does.'
    )
  one = MeshConfig(data=1, fsdp=1, tensor=1)
  sizes = {name: getattr(run.mesh, name) for name in _AXES}
  # A run on one device may be spread as well.
  used = [name for name, size in sizes.items() if size != 1] or ['data']
  found = {one: None}
  for devices in (2, 4, DEVICES):
    found[_grow(run, one, devices, used)] = None
  left_out = []
  for name in _AXES:
    alone = _grow(run, one, DEVICES, [name])
    found[alone] = None
    if alone == one:
      reason = _misfit(run, dataclasses.replace(one, **{name: 2}))
      left_out.append(f'The mesh axis {name!r} was left out. {reason}')
  found[_grow(run, one, DEVICES, _AXES)] = None
  return list(found), left_out


def make_layout(run: Run, mesh: MeshConfig) -> Layout:
  """Returns the run's arrays laid out on the first devices."""
  devices = jax.devices()[: mesh.data * mesh.fsdp * mesh.tensor]
  return Layout(axes.make_mesh(mesh, devices), run.rules)


def _grow(
  run: Run, mesh: MeshConfig, devices: int, names: Sequence[str]
) -> MeshConfig:
  """Doubles the shortest of the axes that can be doubled, up to `devices`."""
  while mesh.data * mesh.fsdp * mesh.tensor < devices:
    longer = [
      dataclasses.replace(mesh, **{name: 2 * getattr(mesh, name)})
      for name in sorted(names, key=lambda name: getattr(mesh, name))
    ]
    fitting = [each for each in longer if not _misfit(run, each)]
    if not fitting:
      break
    mesh = fitting[0]
  return mesh


def _misfit(run: Run, mesh: MeshConfig) -> str | None:
  """Returns why the run cannot be laid out so; None if it can."""
  try:
    layout = make_layout(run, mesh)
    run.check_layout(layout)
    for what, name, size in _parameter_axes(run.model):
      layout.check_divides(name, size, what)
  except ValueError as error:
    return str(error)
  return None


@functools.cache
def _parameter_axes(
  config: EmbedderConfig,
) -> tuple[tuple[str, str, int], ...]:
  """Returns every axis of every parameter: in words, its name and its size."""
  embedder = make_embedder(config)
  shapes = jax.eval_shape(embedder.init, jax.random.key(0))
  found = []

  def add(path: tuple, leaf: jax.ShapeDtypeStruct, names: tuple) -> None:
    where = jax.tree_util.keystr(path, simple=True, separator='/')
    for name, size in zip(names, leaf.shape, strict=True):
      found.append((f'Axis {name!r} of parameter {where}', name, size))

  jax.tree.map_with_path(add, shapes, embedder.logical_axes)
  return tuple(found)
