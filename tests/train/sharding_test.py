"""The same numbers on every mesh, and nothing whole on a device by accident."""

import math
import pathlib
import re

import jax
import numpy as np
import optax
import pytest

from gemb import axes, config
from gemb.losses.config import LossConfig
from gemb.model.config import EmbedderConfig, EncoderConfig
from gemb.model.embedder import make_embedder
from gemb.train import optimizer, state, step
from gemb.types import Batch, Padded

CONFIGS = pathlib.Path(__file__).parents[2] / 'configs'
MODELS = sorted(path.stem for path in (CONFIGS / 'model').glob('*.gin'))
# What is smaller (the scales of norms) may lie whole on every device.
SMALL = 4 * 2**20

B, L = 32, 11
LAYERS, WIDTH = 3, 64
ADAM = optimizer.make_optimizer(
  optimizer.OptimizerConfig(learning_rate=0.1, warmup_steps=0),
  optax.constant_schedule(0.1),
)
MESHES = {
  'fsdp': {'data': 1, 'fsdp': 8},
  'tensor': {'data': 1, 'tensor': 8},
  'fsdp and tensor': {'data': 1, 'fsdp': 4, 'tensor': 2},
}


@pytest.fixture(scope='module')
def embedder():
  """Returns one whose axes have different sizes, known in any shape."""
  encoder = EncoderConfig(
    vocabulary=48,
    width=WIDTH,
    layers=LAYERS,
    heads=8,
    kv_heads=8,
    head_dim=4,
    mlp_width=80,
    local_radius=2,
    global_every=3,
    dtype='float32',
  )
  return make_embedder(EmbedderConfig(encoder=encoder, embedding_width=16))


def layout(sizes, devices=8, **rules):
  mesh = axes.make_mesh(axes.MeshConfig(**sizes), jax.devices()[:devices])
  return axes.Layout(mesh, axes.AxisRules(**rules))


def make_batch():
  rng = np.random.default_rng(0)
  query, positive = rng.integers(1, 48, (2, B, L), np.int32)
  query[::3, 6:] = 0
  ids = np.stack([np.arange(B), np.zeros(B)], axis=1).astype(np.uint32)
  none = np.zeros((B, 0, L), np.int32)
  return Batch(
    texts=Padded(query=query, positive=positive, negatives=none),
    has_negative=np.zeros((B, 0), bool),
    query_id=ids // 2,
    positive_id=ids,
  )


@pytest.fixture(scope='module')
def differentiate(embedder):
  """Returns (loss, gradient, compiled program) on a mesh, computed once."""
  results = {}

  def compute(where):
    abstract = state.abstract_params(embedder, where)
    places = jax.tree.map(lambda x: x.sharding, abstract)
    loss = step.make_loss(
      embedder, LossConfig(prefixes=(4, 16), temperature=0.1), B // 2
    )
    with axes.use(where):
      # Initialised where it lies: the mesh must not change that either.
      params = state.init_params(embedder, where, seed=0)
      batch = jax.device_put(make_batch(), where.sharding('batch'))
      compiled = (
        jax.jit(
          jax.value_and_grad(loss, has_aux=True),
          out_shardings=((where.sharding(),) * 2, places),
        )
        .lower(params, batch)
        .compile()
      )
      (value, metrics), gradient = compiled(params, batch)
    return jax.device_get((value, metrics, gradient)), compiled.as_text()

  def get(mesh):
    if mesh not in results:
      one = mesh == 'one device'
      where = layout({} if one else MESHES[mesh], devices=1 if one else 8)
      results[mesh] = compute(where)
    return results[mesh]

  return get


@pytest.mark.parametrize('mesh', MESHES)
def test_eight_devices_compute_what_one_computes(differentiate, mesh):
  got, _ = differentiate(mesh)
  wanted, _ = differentiate('one device')

  def check(path, a, b):
    # Of the largest entry: the others are sums of terms as large as that.
    largest = max(1, np.abs(b).max())
    where = jax.tree_util.keystr(path)
    np.testing.assert_allclose(
      a / largest, b / largest, atol=1e-5, err_msg=where
    )

  assert np.abs(wanted[2]['projection']['kernel']).max() > 0.1
  jax.tree.map_with_path(check, got, wanted)


def moved(program, *kinds):
  """Returns the shapes of what collectives of these kinds give."""
  calls = re.findall(rf'= (.*?) (?:{"|".join(kinds)})(?:-start)?\(', program)
  shapes = [re.findall(r'[a-z]\w*\[([\d,]*)\]', call) for call in calls]
  return [
    tuple(map(int, shape.split(','))) if shape else ()
    for call in shapes
    for shape in call
  ]


@pytest.mark.parametrize('mesh', MESHES)
def test_no_tokens_vectors_are_gathered_or_sent(differentiate, mesh):
  _, program = differentiate(mesh)
  kinds = ('all-gather', 'all-to-all', 'collective-permute')
  assert not [shape for shape in moved(program, *kinds) if L in shape]


def test_tokens_vectors_are_summed_only_where_tensor_splits_them(
  differentiate,
):
  for mesh in ('fsdp', 'tensor'):
    _, program = differentiate(mesh)
    shapes = moved(program, 'all-reduce', 'reduce-scatter')
    assert any(L in shape for shape in shapes) == (mesh == 'tensor')


@pytest.mark.parametrize('mesh', ['fsdp', 'fsdp and tensor'])
def test_weights_are_gathered_a_layer_at_a_time(differentiate, mesh):
  _, program = differentiate(mesh)
  gathered = moved(program, 'all-gather')
  assert [shape for shape in gathered if WIDTH in shape]
  assert not [shape for shape in gathered if shape[:1] == (LAYERS,)]


def test_tensor_gathers_no_weight_but_the_projection(differentiate):
  _, program = differentiate('tensor')
  gathered = {x for x in moved(program, 'all-gather') if WIDTH in x}
  assert gathered <= {(WIDTH, 16)}


@pytest.fixture(scope='module')
def model(tmp_path_factory):
  """Returns the embedder of a fragment of configs/model."""
  folder = tmp_path_factory.mktemp('models')

  def make(name):
    run = '00_quickstart' if name == 'small' else '05_gemma3_270m'
    text = (CONFIGS / 'run' / f'{run}.gin').read_text()
    path = folder / f'{name}.gin'
    path.write_text(text.replace('model/gemma3_270m.gin', f'model/{name}.gin'))
    return make_embedder(config.load([str(path)])[0].model)

  return make


def not_split(embedder, where):
  """Returns the large arrays of a state that a mesh does not split in full."""
  whole = {}
  tree = state.abstract_state(embedder, ADAM, where)
  for path, leaf in jax.tree.leaves_with_path(tree):
    size = math.prod(leaf.shape)
    share = math.prod(leaf.sharding.shard_shape(leaf.shape))
    if size * leaf.dtype.itemsize > SMALL and share * where.mesh.size > size:
      whole[jax.tree_util.keystr(path, simple=True, separator='/')] = leaf.shape
  return whole


@pytest.mark.parametrize('name', MODELS)
def test_no_large_array_of_a_real_model_lies_whole_on_a_device(name, model):
  embedder = model(name)
  assert not not_split(embedder, layout(MESHES['fsdp']))
  encoder = embedder.config.encoder
  if encoder.heads % 4:
    with pytest.raises(ValueError, match='which the 4 devices along the mesh'):
      not_split(embedder, layout({'data': 1, 'fsdp': 2, 'tensor': 4}))
    return
  for sizes in ({'data': 1, 'fsdp': 2, 'tensor': 4}, {'fsdp': 1, 'tensor': 4}):
    devices = 8 if 'data' in sizes else 4
    # One key head cannot be split: it is whole, but for its share of fsdp.
    alone = encoder.kv_heads % 4 > 0
    where = layout(sizes, devices, **{'kv_heads': None} if alone else {})
    whole = not_split(embedder, where)
    assert not [
      path
      for path in whole
      if not (alone and re.search('attention/[kv]/kernel', path))
    ], whole


def test_a_table_is_split_over_both_axes(model):
  where = layout({'data': 1, 'fsdp': 2, 'tensor': 4}, kv_heads=None)
  params = state.abstract_params(model('gemma3_270m'), where)
  table = params['encoder']['table']
  assert table.shape == (262144, 640)
  assert table.sharding.shard_shape(table.shape) == (65536, 320)
