import json
import shutil

import numpy as np
import pytest
import safetensors.numpy

DENSE = {
  'in_features': 48,
  'out_features': 24,
  'bias': False,
  'activation_function': 'torch.nn.modules.linear.Identity',
}


@pytest.fixture
def write(golden_gemmas, tmp_path):
  """Writes a folder with the modules of these kinds; returns it."""

  def write_folder(kinds, matrices=(), dense=DENSE, pooling=None):
    for name in ('config.json', 'model.safetensors'):
      shutil.copy(golden_gemmas / 'gemma3_bidir' / name, tmp_path)
    modules = [
      {
        'path': '' if i == 0 else f'{i}_{kind}',
        'type': f'sentence_transformers.models.{kind}',
      }
      for i, kind in enumerate(kinds)
    ]
    (tmp_path / 'modules.json').write_text(json.dumps(modules))
    matrices = list(matrices)
    for module, kind in zip(modules[1:], kinds[1:], strict=True):
      folder = tmp_path / module['path']
      folder.mkdir()
      if kind == 'Pooling':
        content = pooling or {'pooling_mode_mean_tokens': True}
        (folder / 'config.json').write_text(json.dumps(content))
      if kind == 'Dense':
        (folder / 'config.json').write_text(json.dumps(dense))
        safetensors.numpy.save_file(
          {'linear.weight': matrices.pop(0)}, folder / 'model.safetensors'
        )
    return tmp_path

  return write_folder


@pytest.fixture
def config(read_config, golden_gemmas):
  return read_config(golden_gemmas / 'gemma3_bidir')


def matrix(seed, shape):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
  'pooling',
  [
    {
      'word_embedding_dimension': 48,
      'pooling_mode_mean_tokens': True,
      'pooling_mode_cls_token': False,
      'include_prompt': True,
    },
    {'embedding_dimension': 48, 'pooling_mode': 'mean', 'include_prompt': True},
  ],
)
def test_one_dense_layer_is_the_projection_bit_by_bit(
  write, config, load, one_device, pooling
):
  dense = matrix(0, (24, 48))
  kinds = ('Transformer', 'Pooling', 'Dense', 'Normalize')
  folder = write(kinds, [dense], pooling=pooling)
  _, params = load(folder, config, one_device)
  np.testing.assert_array_equal(params['projection']['kernel'], dense.T)


def test_two_dense_layers_fold_into_one(write, config, load, one_device):
  first, second = matrix(0, (96, 48)), matrix(1, (24, 96))
  kinds = ('Transformer', 'Pooling', 'Dense', 'Dense', 'Normalize')
  _, params = load(write(kinds, [first, second]), config, one_device)
  x = matrix(2, (5, 48))
  np.testing.assert_allclose(
    x @ params['projection']['kernel'], x @ first.T @ second.T, atol=2e-4
  )


def test_a_folder_without_dense_layers_has_no_projection(
  write, config, load, one_device
):
  folder = write(('Transformer', 'Pooling', 'Normalize'))
  _, params = load(folder, config, one_device)
  assert np.abs(params['projection']['kernel']).max() > 0


@pytest.mark.parametrize(
  'changed, problem',
  [
    ({'bias': True}, 'bias=True'),
    ({'activation_function': 'torch.nn.Tanh'}, 'activation torch.nn.Tanh'),
  ],
)
def test_dense_layers_that_are_no_linear_map_are_refused(
  write, config, load, one_device, changed, problem
):
  kinds = ('Transformer', 'Pooling', 'Dense')
  folder = write(kinds, [matrix(0, (24, 48))], dense=DENSE | changed)
  with pytest.raises(ValueError, match=problem):
    load(folder, config, one_device)


def test_another_pooling_is_refused(write, config, load, one_device):
  pooling = {'pooling_mode_cls_token': True, 'include_prompt': True}
  folder = write(('Transformer', 'Pooling'), pooling=pooling)
  with pytest.raises(ValueError, match='pools with pooling_mode_cls_token;'):
    load(folder, config, one_device)


def test_another_module_is_refused(write, config, load, one_device):
  folder = write(('Transformer', 'Pooling', 'LayerNorm'))
  with pytest.raises(ValueError, match='has the modules Transformer, Pooling,'):
    load(folder, config, one_device)


def test_a_projection_of_another_width_is_named(
  write, config, load, one_device
):
  kinds = ('Transformer', 'Pooling', 'Dense')
  folder = write(kinds, [matrix(0, (32, 48))])
  with pytest.raises(ValueError, match=r'dense \[32, 48\] \(for projection'):
    load(folder, config, one_device)
