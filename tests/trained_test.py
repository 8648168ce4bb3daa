import dataclasses
import shutil

import jax
import numpy as np
import pytest

from gemb import axes, config, trained
from gemb.axes import Layout, MeshConfig
from gemb.encode import lengths_to
from gemb.model.embedder import make_embedder
from gemb.train.state import init_params
from gemb.workdir import Workdir, find_workdir


@pytest.fixture
def run(tiny_run):
  return config.load([str(tiny_run / 'config.gin')])[0]


@pytest.fixture
def workdir(tiny_run):
  return find_workdir(tiny_run)


def assert_equal(params, other):
  jax.tree.map(
    lambda x, y: np.testing.assert_array_equal(np.asarray(x), np.asarray(y)),
    params,
    other,
  )


def differs(params, other):
  leaves = zip(jax.tree.leaves(params), jax.tree.leaves(other), strict=True)
  return any(not np.array_equal(x, y) for x, y in leaves)


def test_the_last_checkpoint_is_the_default(run, workdir):
  last, step = trained.load_encoder(run, workdir)
  assert step == 10
  named, step = trained.load_encoder(run, workdir, step=10)
  assert step == 10
  assert_equal(last.params, named.params)


def test_another_step_has_other_parameters(run, workdir):
  last, _ = trained.load_encoder(run, workdir)
  eighth, step = trained.load_encoder(run, workdir, step=8)
  assert step == 8 and differs(eighth.params, last.params)


def test_step_zero_is_the_untrained_model(run, workdir):
  untrained, step = trained.load_encoder(run, workdir, step=0)
  layout = Layout(axes.make_mesh(run.mesh), run.rules)
  initial = init_params(make_embedder(run.model), layout, run.seed)
  assert step == 0
  assert_equal(untrained.params, initial)
  assert differs(untrained.params, trained.load_encoder(run, workdir)[0].params)


def test_the_encoder_is_that_of_the_run(run, workdir):
  encoder, _ = trained.load_encoder(run, workdir)
  assert encoder.lengths == lengths_to(32)
  # A microbatch of 16 of the longest texts, shared by the devices.
  assert encoder.tokens * encoder.layout.shards('batch') == 16 * 32
  assert encoder.tokenizer.path == workdir.tokenizer
  assert encoder.encode(['a text', 'another']).shape == (2, 16)


@pytest.mark.parametrize(
  ('mesh', 'devices'),
  [(MeshConfig(data=1, fsdp=8), 8), (MeshConfig(data=1), 1)],
  ids=['fsdp', 'one device'],
)
def test_what_eight_replicas_saved_loads_on_another_mesh_bit_by_bit(
  mesh, devices, run, workdir, monkeypatch
):
  usual, _ = trained.load_encoder(run, workdir)
  found = jax.devices()[:devices]
  monkeypatch.setattr(jax, 'devices', lambda: found)
  other, _ = trained.load_encoder(dataclasses.replace(run, mesh=mesh), workdir)
  assert other.layout.mesh.devices.size == devices
  assert_equal(other.params, usual.params)
  texts = ['Der Tisch ist neu.', 'sort a list']
  np.testing.assert_allclose(
    other.encode(texts), usual.encode(texts), rtol=1e-4, atol=1e-5
  )


def test_a_folder_without_a_checkpoint_is_refused(run, tmp_path):
  with pytest.raises(
    ValueError, match='has no checkpoint yet; run `gemb train'
  ):
    trained.load_encoder(run, Workdir(tmp_path))
  assert list(tmp_path.iterdir()) == []


def test_a_step_without_a_checkpoint_is_refused(run, workdir):
  with pytest.raises(ValueError, match=r'no checkpoint of step 5; it has \['):
    trained.load_encoder(run, workdir, step=5)


@pytest.mark.parametrize('step', [None, 0])
def test_another_architecture_is_refused(run, workdir, step):
  model = dataclasses.replace(run.model, embedding_width=24)
  other = dataclasses.replace(run, model=model)
  with pytest.raises(ValueError, match='embedding_width was 16, is 24'):
    trained.load_encoder(other, workdir, step=step)


@pytest.mark.parametrize('step', [None, 0])
def test_another_tokenizer_is_refused(run, tiny_run, tmp_path, step):
  folder = shutil.copytree(tiny_run, tmp_path / 'run')
  with (folder / 'tokenizer.model').open('ab') as file:
    file.write(b'\xfa\x3f\x00')  # an unknown field: the same pieces
  with pytest.raises(ValueError, match=r'another tokenizer than .*sha256 was'):
    trained.load_encoder(run, Workdir(folder), step=step)
