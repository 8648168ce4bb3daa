import contextlib
import re
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from gemb import axes
from gemb.model.config import EmbedderConfig, EncoderConfig
from gemb.model.embedder import make_embedder

EMBEDDER = make_embedder(
  EmbedderConfig(
    encoder=EncoderConfig(
      vocabulary=8,
      width=8,
      layers=2,
      heads=2,
      kv_heads=2,
      head_dim=2,
      mlp_width=4,
      dtype='float32',
    ),
    embedding_width=4,
  )
)
PARAMETERS = jax.eval_shape(EMBEDDER.init, jax.random.key(0))


@pytest.fixture
def layout():
  config = axes.MeshConfig(data=2, fsdp=2, tensor=2)
  return axes.Layout(axes.make_mesh(config), axes.AxisRules())


def test_an_unknown_axis_is_named_with_the_nearest_known_ones():
  with pytest.raises(
    ValueError, match=r"Unknown logical axis 'hedas'; the nearest .* are heads,"
  ):
    axes.AxisRules().spec('embed', 'hedas')


def test_a_mesh_axis_cannot_split_two_axes_of_one_array():
  with pytest.raises(
    ValueError, match=r"\('heads', 'mlp'\) use a mesh axis twice \(\['tensor'"
  ):
    axes.AxisRules().spec('heads', 'mlp')


def test_a_mesh_axis_is_found_twice_within_a_tuple_too():
  with pytest.raises(ValueError, match='use a mesh axis twice'):
    axes.AxisRules().spec('batch', 'embed')


def test_rules_become_a_partition_spec():
  rules = axes.AxisRules(mlp=None)
  assert rules.spec('vocab', 'embed') == PartitionSpec('tensor', 'fsdp')
  assert rules.spec('batch', None, 'mlp') == PartitionSpec(
    ('data', 'fsdp'), None, None
  )
  assert rules.spec() == PartitionSpec()


@pytest.mark.parametrize(
  ('config', 'sizes'),
  [
    ({}, (8, 1, 1)),
    ({'fsdp': 4}, (2, 4, 1)),
    ({'data': 1, 'fsdp': -1, 'tensor': 2}, (1, 4, 2)),
    ({'data': 2, 'fsdp': 2, 'tensor': 2}, (2, 2, 2)),
  ],
)
def test_a_mesh_has_the_sizes_asked_for(config, sizes):
  mesh = axes.make_mesh(axes.MeshConfig(**config))
  assert tuple(mesh.shape.items()) == tuple(
    zip(('data', 'fsdp', 'tensor'), sizes, strict=True)
  )


def test_a_mesh_may_cover_some_devices_only():
  mesh = axes.make_mesh(axes.MeshConfig(), jax.devices()[:1])
  assert mesh.devices.tolist() == [[[jax.devices()[0]]]]


@pytest.mark.parametrize(
  'sizes', [{'data': 0}, {'tensor': -2}, {'data': -1, 'fsdp': -1}]
)
def test_impossible_mesh_sizes_are_refused(sizes):
  with pytest.raises(ValueError, match=r'at least one device, or -1 \(once\)'):
    axes.MeshConfig(**sizes)


def test_a_mesh_that_leaves_devices_over_is_refused():
  with pytest.raises(
    ValueError, match='data=2 x fsdp=1 x tensor=1 needs 2 devices; found 8'
  ):
    axes.make_mesh(axes.MeshConfig(data=2))


def test_a_mesh_that_cannot_be_filled_is_refused():
  with pytest.raises(ValueError, match='needs a multiple of 3 devices; found'):
    axes.make_mesh(axes.MeshConfig(fsdp=3))


def test_a_mesh_larger_than_the_machine_is_refused():
  with pytest.raises(ValueError, match='needs 16 devices; found 8'):
    axes.make_mesh(axes.MeshConfig(data=16))


def slices(*sizes, platform='tpu', kind='TPU v5 lite'):
  """Chips of slices of these sizes, of which each is a row; in no order."""
  chips = [
    mock.Mock(
      spec=jax.Device,
      id=10 * index + x,
      process_index=index,
      slice_index=index,
      platform=platform,
      device_kind=kind,
      coords=(x, 0, 0),
      core_on_chip=0,
    )
    for index, size in enumerate(sizes)
    for x in range(size)
  ]
  return sorted(chips, key=lambda chip: (chip.coords, -chip.slice_index))


@pytest.mark.parametrize(
  ('config', 'shape'),
  [
    ({}, (8, 1, 1)),
    ({'data': 2, 'fsdp': -1}, (2, 4, 1)),
    ({'data': 2, 'fsdp': 2, 'tensor': 2}, (2, 2, 2)),
    ({'tensor': 2}, (4, 1, 2)),
  ],
)
def test_data_alone_crosses_slices(config, shape):
  mesh = axes.make_mesh(axes.MeshConfig(**config), slices(4, 4))
  assert mesh.devices.shape == shape
  first, second = mesh.devices.reshape(2, -1)
  assert {chip.slice_index for chip in first} == {0}
  assert {chip.slice_index for chip in second} == {1}
  assert len({chip.id for chip in (*first, *second)}) == 8


@pytest.mark.parametrize(
  'config', [{'data': 1, 'fsdp': -1}, {'data': 3, 'tensor': -1}]
)
def test_a_mesh_whose_other_axes_would_cross_slices_is_refused(config):
  with pytest.raises(
    ValueError,
    match=r'on 2 slices of 6 devices: fsdp or tensor would cross .* Set '
    r'MeshConfig\.data to a multiple of 2\.',
  ):
    axes.make_mesh(axes.MeshConfig(**config), slices(6, 6))


def test_slices_of_different_sizes_are_refused():
  with pytest.raises(ValueError, match=r'slices have \[2, 4\] devices; choose'):
    axes.make_mesh(axes.MeshConfig(), slices(4, 2))


def test_fsdp_may_span_machines_of_gpus():
  gpus = slices(2, 2, platform='gpu', kind='NVIDIA H100')
  mesh = axes.make_mesh(axes.MeshConfig(data=1, fsdp=-1), gpus)
  assert mesh.devices.shape == (1, 4, 1)
  machines = [gpu.process_index for gpu in mesh.devices.flat]
  assert machines == [0, 0, 1, 1]


def test_constrain_returns_its_argument_outside_use():
  x = jnp.zeros((2, 3))
  assert axes.constrain(x, 'batch', 'act_embed') is x


def test_constrain_wants_one_name_an_axis():
  with pytest.raises(ValueError, match=r'shape \(2, 3\) got 1 logical axes'):
    axes.constrain(jnp.zeros((2, 3)), 'batch')


def test_constrain_lays_an_array_out_within_use(layout):
  x = jnp.zeros((8, 4))
  with axes.use(layout):
    placed = axes.constrain(x, 'batch', 'act_mlp')
  wanted = NamedSharding(layout.mesh, PartitionSpec(('data', 'fsdp'), 'tensor'))
  assert placed.sharding.is_equivalent_to(wanted, 2)
  assert axes.constrain(x, 'batch', 'act_mlp') is x


def test_constrain_refuses_an_unknown_name_within_use(layout):
  with axes.use(layout), pytest.raises(ValueError, match='Unknown logical axi'):
    axes.constrain(jnp.zeros(2), 'bacth')


def test_use_ends_when_its_block_raises(layout):
  x = jnp.zeros(8)
  with pytest.raises(KeyError), axes.use(layout):
    raise KeyError
  assert axes.constrain(x, 'batch') is x


def test_the_platform_is_that_of_the_layout_in_use(layout, monkeypatch):
  with axes.use(layout):
    assert axes.platform() == 'cpu'
  mesh = mock.Mock(spec=jax.sharding.Mesh)
  mesh.devices = mock.Mock(flat=[mock.Mock(platform='tpu')])
  elsewhere = axes.Layout(mesh, axes.AxisRules())
  monkeypatch.setattr(jax, 'set_mesh', lambda mesh: contextlib.nullcontext())
  with axes.use(elsewhere):
    assert axes.platform() == 'tpu'
  assert axes.platform() == 'cpu'


def summed_gradient(mesh, loops):
  """Differentiates the sum of (w x)^2; returns that, and the program."""

  def of_rows(w, x):
    def square(w):
      return axes.constrain((w[None] * x) ** 2, 'batch', None)

    return jax.lax.map(lambda _: square(w), jnp.arange(loops)).sum(axis=0)

  def loss(w, x):
    return axes.on_each_replica(of_rows, w, x).sum()

  x = jnp.arange(32, dtype=jnp.float32).reshape(16, 2)
  with axes.use(axes.Layout(axes.make_mesh(mesh), axes.AxisRules())):
    compiled = jax.jit(jax.grad(loss)).lower(jnp.ones(2), x).compile()
    return np.asarray(compiled(jnp.ones(2), x)), compiled.as_text()


@pytest.mark.parametrize(
  'mesh', [axes.MeshConfig(), axes.MeshConfig(data=2, fsdp=2, tensor=2)]
)
def test_replicas_compute_what_all_devices_compute_together(mesh):
  gradient, _ = summed_gradient(mesh, 3)
  x = np.arange(32).reshape(16, 2)
  np.testing.assert_allclose(gradient, 3 * 2 * np.square(x).sum(axis=0))


def test_gradients_are_summed_over_replicas_once_and_after_loops():
  _, program = summed_gradient(axes.MeshConfig(), 3)
  bodies = re.split(r'\n(?=%|ENTRY)', program)
  (sums,) = [body for body in bodies if ' all-reduce(' in body]
  assert sums.startswith('ENTRY')


def test_a_layout_counts_the_parts_of_an_axis(layout):
  names = ('batch', 'embed', 'length')
  assert [layout.shards(name) for name in names] == [4, 2, 1]
  assert layout.mesh_axes('batch') == ('data', 'fsdp')
  assert layout.mesh_axes('length') == ()


def test_a_size_that_the_mesh_does_not_divide_is_refused(layout):
  layout.check_divides('batch', 12, 'The batch')
  with pytest.raises(
    ValueError,
    match=r'The batch is 10, which the 4 devices .*choose a multiple of 4, '
    r'or change MeshConfig or AxisRules\.batch\.',
  ):
    layout.check_divides('batch', 10, 'The batch')


def test_every_axis_of_every_parameter_has_a_rule():
  def check(shape, names):
    assert len(names) == len(shape.shape)
    assert None not in names
    axes.AxisRules().spec(*names)

  jax.tree.map(check, PARAMETERS, EMBEDDER.logical_axes)


def test_every_axis_of_every_activation_has_a_rule(layout):
  tokens = jax.ShapeDtypeStruct((8, 4), jnp.int32)
  with axes.use(layout):  # an unknown name raises while tracing
    embeddings = jax.eval_shape(EMBEDDER.apply, PARAMETERS, tokens)
  assert embeddings.shape == (8, 4)


def test_no_matrix_lies_whole_on_every_device(layout):
  def parts(names):
    return max(layout.shards(name) for name in names)

  matrices = [
    names
    for path, names in jax.tree.leaves_with_path(
      EMBEDDER.logical_axes, is_leaf=lambda x: isinstance(x, tuple)
    )
    if path[-1].key != 'scale'
  ]
  assert len(matrices) == 9  # table, projection, q, k, v, out, three of the MLP
  assert all(parts(names) > 1 for names in matrices)
