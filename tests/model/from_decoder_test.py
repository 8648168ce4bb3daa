"""Seven tiny models of transformers 5.23, and the ways in which one is kept."""

import functools
import json
import shutil

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from gemb.model import from_decoder
from gemb.model.config import EmbedderConfig
from gemb.model.decoder import make_decoder
from gemb.model.embedder import make_embedder, mean_pool
from gemb.model.formats import places

BIDIRECTIONAL = (
  'gemma1_bidir',
  'gemma2_bidir_softcap',
  'gemma3_bidir',
  'gemma3_bidir_mqa_linear',
)
CAUSAL = ('gemma1_causal', 'gemma2_causal_softcap', 'gemma3_causal')


@pytest.fixture(scope='module')
def gemma_3(golden_gemmas, read_config, load, one_device):
  folder = golden_gemmas / 'gemma3_bidir'
  config = read_config(folder)
  return (folder, config, *load(folder, config, one_device))


@pytest.fixture(scope='module', params=BIDIRECTIONAL + CAUSAL)
def golden(request, golden_gemmas, read_config, load, one_device):
  """The reference's outputs, and ours with its parameters."""
  folder = golden_gemmas / request.param
  config = read_config(folder)
  embedder, params = load(folder, config, one_device)
  causal = request.param in CAUSAL
  encode = (make_decoder(config) if causal else embedder).token_vectors
  with np.load(folder / 'io.npz') as arrays:
    wanted = dict(arrays)
  tokens, real = wanted['input_ids'], wanted['attention_mask'] > 0
  np.testing.assert_array_equal(tokens != 0, real)

  def loss(params):
    vectors = encode(params, jnp.asarray(tokens, jnp.int32))
    segments = jnp.asarray(real, jnp.int32)
    means = mean_pool(vectors, segments, slots=1)[:, 0]
    return jnp.sum(means**2), (vectors, means)

  (_, outputs), gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))(
    params
  )
  return folder, embedder, wanted, *outputs, gradient


def test_token_vectors_equal_the_references(golden):
  _, _, wanted, vectors, _, _ = golden
  real = wanted['attention_mask'] > 0
  difference = np.abs(vectors - wanted['last_hidden_state'])[real]
  assert difference.max() <= 2e-5


def test_mean_pooled_vectors_equal_the_references(golden):
  _, _, wanted, _, means, _ = golden
  assert np.abs(means - wanted['mean_pooled']).max() <= 2e-5


def test_every_gradient_equals_the_references(golden):
  folder, embedder, wanted, _, _, gradient = golden
  checkpoint = from_decoder.open_checkpoint(folder, embedder.config.encoder)
  compared = 0
  for place in places.places(embedder):
    name = checkpoint.name(place)
    if name is None:
      continue
    theirs = place.from_matrix(wanted[f'grad/{name}'])
    np.testing.assert_allclose(
      parameter(gradient, place), theirs, atol=1e-4, err_msg=name
    )
    assert np.abs(theirs).max() > 1e-2  # the comparison says something
    compared += 1
  assert compared == len(checkpoint.shapes)


def parameter(params, place):
  found = functools.reduce(dict.__getitem__, place.path, params)
  return found if place.layer is None else found[place.layer]


@pytest.mark.parametrize('layout', ['orbax_nested', 'orbax_flat'])
def test_orbax_checkpoints_hold_the_same_parameters(
  layout, golden_gemmas, gemma_3, load, one_device, same
):
  _, config, _, params = gemma_3
  _, loaded = load(golden_gemmas / layout, config, one_device)
  same(loaded, params)


def test_parameters_arrive_on_their_shards(
  gemma_3, load, eight_devices, one_device, same
):
  folder, config, _, params = gemma_3
  _, spread = load(folder, config, eight_devices)
  same(spread, params)
  up = spread['encoder']['blocks']['mlp']['up']['kernel']
  assert up.sharding.shard_shape(up.shape) == (6, 24, 48)


@pytest.mark.parametrize(
  'prefix',
  ['', 'model.', 'language_model.model.', 'model.language_model.'],
)
def test_every_prefix_and_a_model_with_an_eye_are_understood(
  prefix, gemma_3, load, one_device, same, tmp_path
):
  folder, config, _, params = gemma_3
  tensors = safetensors.numpy.load_file(folder / 'model.safetensors')
  renamed = {f'{prefix}{name}': x for name, x in tensors.items()}
  renamed['lm_head.weight'] = tensors['embed_tokens.weight']
  renamed['vision_tower.patch.weight'] = np.zeros((2, 2), np.float32)
  safetensors.numpy.save_file(renamed, tmp_path / 'model.safetensors')
  same(load(tmp_path, config, one_device)[1], params)


def test_shards_are_put_together(gemma_3, load, one_device, same, tmp_path):
  folder, config, _, params = gemma_3
  tensors = safetensors.numpy.load_file(folder / 'model.safetensors')
  names = sorted(tensors)
  for part in range(3):
    safetensors.numpy.save_file(
      {name: tensors[name] for name in names[part::3]},
      tmp_path / f'model-{part + 1:05d}-of-00003.safetensors',
    )
  same(load(tmp_path, config, one_device)[1], params)


def test_bfloat16_tensors_become_float32(gemma_3, load, one_device, tmp_path):
  folder, config, _, params = gemma_3
  tensors = safetensors.numpy.load_file(folder / 'model.safetensors')
  rounded = {k: v.astype(ml_dtypes.bfloat16) for k, v in tensors.items()}
  safetensors.numpy.save_file(rounded, tmp_path / 'model.safetensors')
  _, loaded = load(tmp_path, config, one_device)
  table = loaded['encoder']['table']
  assert table.dtype == jnp.float32
  np.testing.assert_array_equal(
    table, params['encoder']['table'].astype(jnp.bfloat16).astype(jnp.float32)
  )


def test_padding_rows_of_the_table_are_dropped(
  gemma_3, load, one_device, same, tmp_path
):
  folder, config, _, params = gemma_3
  tensors = safetensors.numpy.load_file(folder / 'model.safetensors')
  table = tensors['embed_tokens.weight']
  tensors['embed_tokens.weight'] = np.concatenate([table, table[:64]])
  safetensors.numpy.save_file(tensors, tmp_path / 'model.safetensors')
  same(load(tmp_path, config, one_device)[1], params)


def test_the_projection_is_initialised_as_that_of_a_new_model(
  gemma_3, load, one_device
):
  folder, config, embedder, _ = gemma_3
  _, params = load(folder, config, one_device, seed=7)
  new = embedder.init(jax.random.key(7))
  # Compiled or not, a random number may round the other way.
  np.testing.assert_allclose(
    params['projection']['kernel'], new['projection']['kernel'], rtol=1e-6
  )


def test_missing_left_over_and_misshapen_tensors_are_listed_together(
  gemma_3, load, one_device, tmp_path
):
  folder, config, _, _ = gemma_3
  tensors = safetensors.numpy.load_file(folder / 'model.safetensors')
  del tensors['layers.1.mlp.up_proj.weight']
  tensors['layers.6.mlp.up_proj.weight'] = np.zeros((96, 48), np.float32)
  tensors['norm.weight'] = np.zeros(47, np.float32)
  tensors['embed_tokens.weight'] = tensors['embed_tokens.weight'][:383]
  safetensors.numpy.save_file(tensors, tmp_path / 'model.safetensors')
  with pytest.raises(ValueError) as error:
    load(tmp_path, config, one_device)
  message = str(error.value)
  assert 'missing are layers.1.mlp.up_proj.weight;' in message
  assert 'left over are layers.6.mlp.up_proj.weight;' in message
  assert 'norm.weight [47] (for encoder/final_norm/scale [48])' in message
  assert 'embed_tokens.weight [383, 48]' in message


def test_a_number_that_no_shape_shows_is_compared_too(
  gemma_3, load, one_device, tmp_path
):
  folder, config, _, _ = gemma_3
  shutil.copy(folder / 'model.safetensors', tmp_path)
  content = json.loads((folder / 'config.json').read_text())
  content['rope_parameters']['sliding_attention']['rope_theta'] = 20000.0
  content['sliding_window'] = 16
  (tmp_path / 'config.json').write_text(json.dumps(content))
  with pytest.raises(ValueError, match=r'local_rope_theta is 10000.0, there'):
    load(tmp_path, config, one_device, differs_in=('local_radius',))
  load(
    tmp_path,
    config,
    one_device,
    differs_in=('local_radius', 'local_rope_theta'),
  )


def test_what_is_no_checkpoint_is_refused(gemma_3, tmp_path):
  _, config, _, _ = gemma_3
  with pytest.raises(FileNotFoundError, match='There is no checkpoint at'):
    from_decoder.open_checkpoint(tmp_path / 'nowhere', config)
  with pytest.raises(ValueError, match='is no checkpoint that gemb knows'):
    from_decoder.open_checkpoint(tmp_path, config)


def test_a_field_that_may_differ_is_a_field():
  with pytest.raises(ValueError, match=r"names \['local_radios'\]"):
    from_decoder.PretrainedConfig(path='x', differs_in=('local_radios',))


def test_loading_never_holds_a_second_copy(gemma_3, one_device, load):
  """One tensor is read at a time, and none of them is kept."""
  folder, config, _, _ = gemma_3
  checkpoint = from_decoder.open_checkpoint(folder, config)
  embedder = make_embedder(EmbedderConfig(encoder=config, embedding_width=24))
  alive = []

  class Counted(np.ndarray):
    def __array_finalize__(self, _):
      alive.append(1)

    def __del__(self):
      alive.pop()

  read, most = checkpoint.read, []

  def counted(name):
    most.append(len(alive))
    return read(name).view(Counted)

  checkpoint.read = counted
  from gemb.train.state import abstract_params

  like = abstract_params(embedder, one_device)
  from_decoder.load_params(checkpoint, embedder, like)
  assert len(most) == len(checkpoint.shapes)
  # The tensor before the one that is read may not be collected yet.
  assert max(most) <= 4
