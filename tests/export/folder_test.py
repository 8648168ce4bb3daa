import dataclasses
import json
import pathlib

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from gemb.data.weights import Licence
from gemb.export import folder
from gemb.model.formats.hugging_face import tensor_name

GOLDEN = pathlib.Path(__file__).parents[1] / 'golden' / 'gemma'
FILES = {
  'README.md',
  'config.json',
  'config_sentence_transformers.json',
  'model.safetensors',
  'modules.json',
  'sentence_bert_config.json',
  'special_tokens_map.json',
  'tokenizer.json',
  'tokenizer.model',
  'tokenizer_config.json',
  '1_Pooling/config.json',
  '2_Dense/config.json',
  '2_Dense/model.safetensors',
  '3_Normalize/config.json',
}


@pytest.fixture
def untouched(monkeypatch):
  """Fails a test in which parameters are loaded."""

  def load(*arguments, **options):
    raise AssertionError('Parameters were loaded.')

  monkeypatch.setattr(folder, 'load_encoder', load)


def files_in(path):
  found = (file for file in path.rglob('*') if file.is_file())
  return {file.relative_to(path).as_posix() for file in found}


def tensors_in(path):
  """Returns the tensors of a model, be it in one file or several."""
  return {
    name: tensor
    for file in path.glob('*.safetensors')
    for name, tensor in safetensors.numpy.load_file(file).items()
  }


def test_the_folder_has_these_files(exported):
  for name in 'trained', 'gemma1_bidir', 'gemma3_bidir_mqa_linear':
    *_, path = exported[name]
    assert files_in(path) == FILES


def test_a_large_model_is_in_shards(exported):
  *_, path = exported['gemma2_bidir_softcap']
  assert files_in(path) - FILES == {
    'model.safetensors.index.json',
    'model-00001-of-00003.safetensors',
    'model-00002-of-00003.safetensors',
    'model-00003-of-00003.safetensors',
  }


def test_nothing_else_is_left_beside_it(exported):
  *_, path = exported['trained']
  assert {p.name for p in path.parent.iterdir()} == set(exported)


@pytest.mark.parametrize('name', ['gemma1_bidir', 'gemma2_bidir_softcap'])
def test_in_and_out_again_a_checkpoint_is_the_same_bit_by_bit(name, exported):
  *_, path = exported[name]
  wanted, got = tensors_in(GOLDEN / name), tensors_in(path)
  assert got.keys() == wanted.keys()
  for tensor, x in wanted.items():
    assert got[tensor].dtype == x.dtype == np.float32
    np.testing.assert_array_equal(
      got[tensor].view(np.uint32), x.view(np.uint32), err_msg=tensor
    )


def test_a_bfloat16_folder_has_the_parameters_rounded_to_nearest(exported):
  name = 'gemma3_bidir_mqa_linear'
  *_, path = exported[name]
  wanted = tensors_in(GOLDEN / name)
  with safetensors.safe_open(path / 'model.safetensors', 'numpy') as got:
    assert set(got.keys()) == wanted.keys()
    for tensor, x in wanted.items():
      rounded = x.astype(ml_dtypes.bfloat16)
      np.testing.assert_array_equal(
        got.get_tensor(tensor), rounded, err_msg=tensor, strict=True
      )


def test_the_tokenizer_goes_along(exported):
  _, workdir, _, path = exported['trained']
  copy = (path / 'tokenizer.model').read_bytes()
  assert copy == workdir.tokenizer.read_bytes()


def test_what_the_licence_wants_passed_on_goes_along(trained, tmp_path):
  (tmp_path / 'README.md').write_text('terms')
  licence = Licence(name='Terms', pass_on=(tmp_path / 'README.md',))
  folder.export(*trained, tmp_path / 'x', licence=licence)
  assert (tmp_path / 'x' / 'licence' / 'README.md').read_text() == 'terms'
  assert 'come under the Terms' in (tmp_path / 'x' / 'README.md').read_text()


def test_texts_are_cut_as_in_training_unless_told_otherwise(
  exported, trained, tmp_path
):
  def longest(path):
    names = {
      'sentence_bert_config.json': 'max_seq_length',
      'tokenizer_config.json': 'model_max_length',
      'config.json': 'max_position_embeddings',
    }
    return {
      json.loads((path / name).read_text())[key] for name, key in names.items()
    }

  *_, path = exported['trained']
  assert longest(path) == {32}
  step = folder.export(
    *trained, tmp_path / 'x', step=8, max_length=50, truncate_dim=8
  )
  assert step == 8
  assert longest(tmp_path / 'x') == {50}
  model = json.loads(
    (tmp_path / 'x' / 'config_sentence_transformers.json').read_text()
  )
  assert model['truncate_dim'] == 8


def test_a_folder_that_is_there_is_left_alone(trained, tmp_path, untouched):
  (tmp_path / 'note').write_text('mine')
  with pytest.raises(FileExistsError, match='is there already; move it away'):
    folder.export(*trained, tmp_path)
  assert [path.name for path in tmp_path.iterdir()] == ['note']


@pytest.mark.parametrize(
  ('options', 'message'),
  [
    ({'truncate_dim': 17}, r'truncate_dim is 17, and .* 16 .*\(4, 8, 16\)'),
    ({'truncate_dim': 0}, 'truncate_dim is 0'),
    ({'max_length': 2}, 'max_length is 2; a text takes a beginning'),
  ],
)
def test_a_wrong_argument_is_refused_before_anything_is_done(
  options, message, trained, tmp_path, untouched
):
  with pytest.raises(ValueError, match=message):
    folder.export(*trained, tmp_path / 'x', **options)
  assert list(tmp_path.iterdir()) == []


def test_what_transformers_does_not_have_is_refused_before_anything_is_done(
  trained, tmp_path, untouched
):
  run, workdir = trained
  encoder = dataclasses.replace(run.model.encoder, post_norms=False)
  model = dataclasses.replace(run.model, encoder=encoder)
  with pytest.raises(ValueError, match='transformers has no Gemma with'):
    folder.export(
      dataclasses.replace(run, model=model), workdir, tmp_path / 'x'
    )
  assert list(tmp_path.iterdir()) == []


def test_a_parameter_under_another_name_is_noticed_and_nothing_kept(
  trained, tmp_path, monkeypatch
):
  swapped = {'gate_proj': 'up_proj', 'up_proj': 'gate_proj'}

  def confused(place, config):
    name = tensor_name(place, config)
    parts = name.split('.') if name else []
    return '.'.join(swapped.get(part, part) for part in parts) or None

  monkeypatch.setattr(folder, 'tensor_name', confused)
  with pytest.raises(
    RuntimeError, match=r'mlp/gate/kernel was written, .* layers\.0.mlp\.gate'
  ):
    folder.export(*trained, tmp_path / 'x')
  assert list(tmp_path.iterdir()) == []


def test_another_embedding_is_noticed_and_nothing_kept(
  trained, tmp_path, monkeypatch
):
  def load(checkpoint, embedder, like):
    params = original(checkpoint, embedder, like)
    params['projection']['kernel'] *= 1.001
    return params

  original = folder.load_params
  monkeypatch.setattr(folder, 'load_params', load)
  with pytest.raises(RuntimeError, match=r'Embeddings of the model .* differ'):
    folder.export(*trained, tmp_path / 'x')
  assert list(tmp_path.iterdir()) == []


def test_a_configuration_that_says_something_else_is_noticed(
  trained, tmp_path, monkeypatch
):
  def narrower(config, **options):
    other = dataclasses.replace(config, local_radius=3)
    return original(other, **options)

  original = folder.contents.transformer_files
  monkeypatch.setattr(folder.contents, 'transformer_files', narrower)
  with pytest.raises(ValueError, match='local_radius is 4, there 3'):
    folder.export(*trained, tmp_path / 'x')
  assert list(tmp_path.iterdir()) == []


def test_the_parameters_are_gone_before_those_written_are_loaded(
  trained, tmp_path, monkeypatch
):
  given, seen = [], []

  def load_encoder(*arguments, **options):
    encoder, step = originals[0](*arguments, **options)
    given.append(encoder.params['encoder']['table'])
    return encoder, step

  def load_params(*arguments):
    seen.append(given[0].is_deleted())
    return originals[1](*arguments)

  originals = folder.load_encoder, folder.load_params
  monkeypatch.setattr(folder, 'load_encoder', load_encoder)
  monkeypatch.setattr(folder, 'load_params', load_params)
  for dtype in 'float32', 'bfloat16':
    given.clear()
    folder.export(*trained, tmp_path / dtype, dtype=dtype)
  assert seen == [True, True]
