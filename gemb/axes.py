"""The mesh, and the logical axes that the model's arrays are laid out by.

Model code names what an axis *is* ('embed', 'heads'); this file alone decides
which devices hold it. An unknown name raises here: Flax would silently
replicate the array instead.
"""

import collections
import contextlib
import contextvars
import dataclasses
import difflib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
from jax.experimental import mesh_utils
from jax.sharding import (
  AbstractMesh,
  AxisType,
  Mesh,
  NamedSharding,
  PartitionSpec,
)

MeshAxes = str | tuple[str, ...] | None


def _as_tuple(axes: MeshAxes) -> tuple[str, ...]:
  return (axes,) if isinstance(axes, str) else tuple(axes or ())


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeshConfig:
  """Devices along each mesh axis; -1, at most once, takes all that are left.

  Attributes:
    data: replicas of the model, each with its share of the batch; over several
      slices of TPUs, a multiple of their number.
    fsdp: shards of parameters and optimizer state; also shares the batch.
    tensor: shards of heads, feed-forward width and vocabulary.
  """

  data: int = -1
  fsdp: int = 1
  tensor: int = 1

  def __post_init__(self):
    sizes = (self.data, self.fsdp, self.tensor)
    if any(n < 1 and n != -1 for n in sizes) or sizes.count(-1) > 1:
      raise ValueError(
        f'Mesh data={self.data} x fsdp={self.fsdp} x tensor={self.tensor}: '
        'each axis needs at least one device, or -1 (once) for all that are '
        'left.'
      )


@dataclasses.dataclass(frozen=True, kw_only=True)
class AxisRules:
  """The mesh axes that split each logical axis; None keeps it whole.

  The first block are axes of parameters, the second of activations.
  """

  vocab: MeshAxes = 'tensor'
  embed: MeshAxes = 'fsdp'
  embed_norm: MeshAxes = None
  heads: MeshAxes = 'tensor'
  kv_heads: MeshAxes = 'tensor'
  head_dim: MeshAxes = None
  mlp: MeshAxes = 'tensor'
  layers: MeshAxes = None
  embedding: MeshAxes = 'tensor'

  batch: MeshAxes = ('data', 'fsdp')
  length: MeshAxes = None
  act_embed: MeshAxes = None
  act_heads: MeshAxes = 'tensor'
  act_mlp: MeshAxes = 'tensor'
  act_embedding: MeshAxes = None
  pairs: MeshAxes = ('data', 'fsdp', 'tensor')

  def spec(self, *names: str | None) -> PartitionSpec:
    """Returns the partition of an array whose axes are called `names`.

    Args:
      *names: a logical axis each, or None for one that is never split.

    Raises:
      ValueError: on an unknown name, or when two axes of the array would be
        split over the same mesh axis.
    """
    known = [field.name for field in dataclasses.fields(self)]
    for name in names:
      if name is not None and name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0)
        raise ValueError(
          f'Unknown logical axis {name!r}; the nearest of gemb.axes.AxisRules '
          f'are {", ".join(near)}.'
        )
    axes = [None if name is None else getattr(self, name) for name in names]
    used = [mesh_axis for axis in axes for mesh_axis in _as_tuple(axis)]
    if len(used) != len(set(used)):
      raise ValueError(
        f'Logical axes {names} use a mesh axis twice ({used}); change one of '
        'them in AxisRules.'
      )
    return PartitionSpec(*axes)


def make_mesh(
  config: MeshConfig, devices: Sequence[jax.Device] | None = None
) -> Mesh:
  """Arranges the devices (all by default) as data x fsdp x tensor.

  Where they are several slices of TPUs, `data` crosses from one to the next,
  and it alone.

  Raises:
    ValueError: if the number of devices does not fit the configured axes, or
      another axis than `data` would cross slices.
  """
  devices = jax.devices() if devices is None else devices
  sizes = mesh_sizes(config, len(devices))
  slices = _slices(devices)
  shape = tuple(sizes.values())
  # An axis of the chips' torus may have to serve two of the mesh.
  split: Any = {'allow_split_physical_axes': True}
  if len(slices) == 1:
    grid = mesh_utils.create_device_mesh(shape, devices, **split)
  else:
    _check_slices(sizes, slices)
    within = (shape[0] // len(slices), *shape[1:])
    across = (len(slices), 1, 1)
    grid = mesh_utils.create_hybrid_device_mesh(
      within, across, devices, **split
    )
  # Auto: under Explicit axes constraints on activations become assertions.
  return Mesh(grid, tuple(sizes), axis_types=(AxisType.Auto,) * len(sizes))


def mesh_sizes(config: MeshConfig, devices: int) -> dict[str, int]:
  """Returns the devices along each axis, of so many in all.

  Raises:
    ValueError: if their number does not fit the configured axes.
  """
  sizes = {'data': config.data, 'fsdp': config.fsdp, 'tensor': config.tensor}
  fixed = math.prod(size for size in sizes.values() if size != -1)
  free = [name for name, size in sizes.items() if size == -1]
  if devices % fixed or (not free and fixed != devices):
    wanted = f'a multiple of {fixed}' if free else fixed
    raise ValueError(
      f'Mesh {_product(sizes)} needs {wanted} devices; found {devices}. Change '
      'MeshConfig, or set one axis to -1.'
    )
  return sizes | dict.fromkeys(free, devices // fixed)


def _slices(devices: Sequence[jax.Device]) -> dict[int, int]:
  """Returns how many devices each slice has; one slice where there are none.

  A slice is what TPUs' own links connect; from one to the next there is the
  network of the data centre, far slower. GPUs number their machines so, but
  between these fsdp is usual.
  """
  return collections.Counter(
    getattr(device, 'slice_index', 0) if device.platform == 'tpu' else 0
    for device in devices
  )


def _check_slices(sizes: dict[str, int], slices: dict[int, int]) -> None:
  if len(set(slices.values())) > 1:
    raise ValueError(
      f'The slices have {sorted(slices.values())} devices; choose slices of '
      'the same size.'
    )
  if sizes['data'] % len(slices):
    raise ValueError(
      f'Mesh {_product(sizes)} on {len(slices)} slices of '
      f'{max(slices.values())} devices: fsdp or tensor would cross from slice '
      'to slice, over a slow network. Set MeshConfig.data to a multiple of '
      f'{len(slices)}.'
    )


def _product(sizes: dict[str, int]) -> str:
  return ' x '.join(f'{name}={size}' for name, size in sizes.items())


@dataclasses.dataclass(frozen=True)
class Layout:
  """A mesh together with the rules that lay arrays out on it.

  The mesh may be abstract, of devices that are not there: then nothing can be
  computed on it, but where arrays would lie is known.
  """

  mesh: Mesh | AbstractMesh
  rules: AxisRules

  def sharding(self, *names: str | None) -> NamedSharding:
    """Returns where an array with these logical axes lies."""
    return NamedSharding(self.mesh, self.rules.spec(*names))

  def mesh_axes(self, name: str) -> tuple[str, ...]:
    """Returns the mesh axes that split the logical axis `name`."""
    return _as_tuple(*self.rules.spec(name))

  def shards(self, name: str) -> int:
    """Returns into how many parts the logical axis `name` is split."""
    return math.prod(self.mesh.shape[a] for a in self.mesh_axes(name))

  def check_divides(self, name: str, size: int, what: str) -> None:
    """Raises ValueError unless the mesh splits `size` of `name` evenly."""
    parts = self.shards(name)
    if size % parts:
      raise ValueError(
        f'{what} is {size}, which the {parts} devices along the mesh axes '
        f'{self.mesh_axes(name)} do not divide; choose a multiple of '
        f'{parts}, or change MeshConfig or AxisRules.{name}.'
      )


_LAYOUT: contextvars.ContextVar[Layout | None] = contextvars.ContextVar(
  'layout', default=None
)
_PLATFORM: contextvars.ContextVar[str | None] = contextvars.ContextVar(
  'platform', default=None
)


@contextlib.contextmanager
def use(layout: Layout) -> Iterator[Layout]:
  """Makes `layout` the one that `constrain` refers to while tracing."""
  mesh: Any = layout.mesh  # no abstract one: something will be computed
  before = _LAYOUT.set(layout), _PLATFORM.set(mesh.devices.flat[0].platform)
  try:
    with jax.set_mesh(mesh):
      yield layout
  finally:
    _LAYOUT.reset(before[0])
    _PLATFORM.reset(before[1])


def layout_in_use() -> Layout | None:
  """Returns the layout of the innermost `use`; None outside."""
  return _LAYOUT.get()


def platform() -> str:
  """Returns what the code that is traced will run on: 'cpu', 'gpu' or 'tpu'.

  That of the layout's devices, which may be another than this machine's: for
  TPUs a step is compiled ahead of time on a CPU.
  """
  return _PLATFORM.get() or jax.default_backend()


def replicas() -> int:
  """Returns how many replicas of the model share a batch: along `data`."""
  layout = _LAYOUT.get()
  if layout is None or 'data' not in layout.mesh_axes('batch'):
    return 1
  return layout.mesh.shape['data']


def on_each_replica(
  function: Callable[..., jax.Array], whole: Any, *split: jax.Array
) -> jax.Array:
  """Returns function(whole, *split), computed by each replica for itself.

  So the gradient of `whole` is summed over replicas once, in its own dtype.
  Where the compiler has the choice, it sums wherever a gradient arises: within
  loops time and again, and in bfloat16.

  Args:
    function: of arrays whose first axis is of the batch, each row for itself.
    whole: parameters. What splits them within a replica stays as it is.
    *split: arrays that `data` splits along their first axis, as the result.
  """
  layout = _LAYOUT.get()
  if layout is None or replicas() == 1:
    return function(whole, *split)
  rules = AxisRules(
    **{
      field.name: tuple(
        axis
        for axis in _as_tuple(getattr(layout.rules, field.name))
        if axis != 'data'
      )
      for field in dataclasses.fields(AxisRules)
    }
  )

  def of_replica(*arguments):
    within = Layout(jax.sharding.get_abstract_mesh(), rules)
    before = _LAYOUT.set(within)
    try:
      return function(*arguments)
    finally:
      _LAYOUT.reset(before)

  rows = PartitionSpec('data')
  return jax.shard_map(
    of_replica,
    mesh=layout.mesh,
    in_specs=(PartitionSpec(), *(rows for _ in split)),
    out_specs=rows,
    axis_names={'data'},
    check_vma=False,
  )(whole, *split)


def constrain(x: jax.Array, *names: str | None) -> jax.Array:
  """Lays the activation `x` out by its logical axes; outside `use`, returns it.

  Raises:
    ValueError: on an unknown name, or one name too many or too few.
  """
  if len(names) != x.ndim:
    raise ValueError(
      f'An array of shape {x.shape} got {len(names)} logical axes: {names}.'
    )
  layout = _LAYOUT.get()
  if layout is None:
    return x
  return jax.lax.with_sharding_constraint(x, layout.sharding(*names))
