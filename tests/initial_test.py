import dataclasses
import json
import pathlib

import jax
import numpy as np
import pytest
import safetensors.numpy

from gemb import axes, config, initial
from gemb.axes import Layout
from gemb.model.config import EmbedderConfig
from gemb.model.embedder import make_embedder
from gemb.model.formats import hugging_face
from gemb.model.from_decoder import PretrainedConfig
from gemb.train.state import init_params

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
