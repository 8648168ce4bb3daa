import dataclasses
import json
import pathlib

import jax
import numpy as np
import pytest
import safetensors.numpy

from gemb import axes, config, initial
from gemb.axes import Layout
from gemb.data.tokenizer import Tokenizer
from gemb.model.config import EmbedderConfig
from gemb.model.embedder import make_embedder
from gemb.model.formats import hugging_face
from gemb.model.from_decoder import PretrainedConfig
from gemb.train.checkpoints import CheckpointConfig, Checkpoints
from gemb.train.state import abstract_params, init_params
from gemb.workdir import ParentConfig

TESTS = pathlib.Path(__file__).parent


@pytest.fixture(scope='module')
def run(tiny_gin):
  return config.load([tiny_gin])[0]


@pytest.fixture
def pretrained(run, tmp_path, monkeypatch):
  """The run, from a golden decoder that lies in the data folder."""
  golden = TESTS / 'golden' / 'gemma' / 'gemma3_causal'
  (tmp_path / 'weights').mkdir()
  (tmp_path / 'weights' / 'tiny').symlink_to(golden)
  monkeypatch.setenv('GEMB_DATA', str(tmp_path))
  stated = hugging_face.facts(json.loads((golden / 'config.json').read_text()))
  encoder = dataclasses.replace(run.model.encoder, **stated)
  return dataclasses.replace(
    run,
    model=EmbedderConfig(encoder=encoder, embedding_width=16),
    pretrained=PretrainedConfig(path='weights/tiny'),
  )


def begin(run):
  layout = Layout(axes.make_mesh(run.mesh), run.rules)
  embedder = make_embedder(run.model)
  return initial.initial_params(run, embedder, layout), embedder, layout


def test_a_run_begins_with_random_parameters_of_its_seed(run):
  params, embedder, layout = begin(run)
  wanted = init_params(embedder, layout, run.seed)
  jax.tree.map(np.testing.assert_array_equal, params, wanted)


def test_or_with_those_of_a_decoder_in_the_data_folder(pretrained, capsys):
  params, _, _ = begin(pretrained)
  golden = TESTS / 'golden' / 'gemma' / 'gemma3_causal'
  tensors = safetensors.numpy.load_file(golden / 'model.safetensors')
  np.testing.assert_array_equal(
    params['encoder']['table'], tensors['embed_tokens.weight']
  )
  assert 'Reading ' in capsys.readouterr().out


def test_the_seed_is_the_projections(pretrained):
  def projection(seed):
    params, _, _ = begin(dataclasses.replace(pretrained, seed=seed))
    return np.asarray(params['projection']['kernel'])

  np.testing.assert_array_equal(projection(0), projection(0))
  assert not np.array_equal(projection(0), projection(1))


def test_a_decoder_that_is_not_there_is_named(pretrained):
  lost = PretrainedConfig(path='weights/lost')
  with pytest.raises(FileNotFoundError, match=r'no checkpoint at .*lost;'):
    begin(dataclasses.replace(pretrained, pretrained=lost))


@pytest.fixture
def child(run, tiny_run):
  """Returns a run that starts from the finished one, changed so."""

  def make(step=None, **changes):
    parent = ParentConfig(workdir=str(tiny_run), step=step)
    return dataclasses.replace(run, parent=parent, **changes)

  return make


@pytest.mark.parametrize(('step', 'wanted'), [(None, 10), (8, 8)])
def test_or_with_those_of_another_run(child, step, wanted, tiny_run, capsys):
  params, embedder, layout = begin(child(step))
  assert f'Starting from step {wanted} of {tiny_run}' in capsys.readouterr().out
  like = abstract_params(embedder, layout)
  config = CheckpointConfig(every_steps=1)
  with Checkpoints(tiny_run / 'checkpoints', config) as checkpoints:
    expected = checkpoints.restore_params(wanted, like)
  jax.tree.map(np.testing.assert_array_equal, params, expected)


def test_a_parent_of_another_architecture_is_refused(child, run):
  other = dataclasses.replace(run.model, embedding_width=8)
  loss = dataclasses.replace(run.loss, prefixes=(8,))
  with pytest.raises(ValueError, match=r'embedding_width was 16, is 8\. Make'):
    initial.check_origin(child(model=other, loss=loss))


def test_a_parent_with_another_tokenizer_is_refused(child, golden_model):
  initial.check_origin(child())
  with pytest.raises(ValueError, match='tokenizer was'):
    initial.check_origin(child(), Tokenizer(golden_model))


def test_a_parent_that_is_not_there_is_refused(run, tmp_path):
  parent = ParentConfig(workdir=str(tmp_path))
  with pytest.raises(FileNotFoundError, match='holds no run'):
    initial.check_origin(dataclasses.replace(run, parent=parent))


def test_a_parent_without_a_checkpoint_is_refused(run, tmp_path):
  (tmp_path / 'config.gin').touch()
  parent = ParentConfig(workdir=str(tmp_path))
  with pytest.raises(ValueError, match='no checkpoint yet; train it first'):
    initial.check_origin(dataclasses.replace(run, parent=parent))


def test_a_run_has_one_origin(child):
  with pytest.raises(ValueError, match='starts from one of them'):
    child(pretrained=PretrainedConfig(path='weights/tiny'))
