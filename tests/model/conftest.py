import json
import pathlib

import jax
import numpy as np
import pytest
from jax.sharding import Mesh

from gemb import axes
from gemb.axes import AxisRules, Layout, MeshConfig
from gemb.model import from_decoder
from gemb.model.config import EmbedderConfig, EncoderConfig
from gemb.model.embedder import make_embedder
from gemb.model.formats import hugging_face
from gemb.train.state import abstract_params

GOLDEN = pathlib.Path(__file__).parents[1] / 'golden' / 'gemma'


@pytest.fixture(scope='session')
def golden_gemmas():
  """Returns the folder of the reference's tiny models and checkpoints."""
  return GOLDEN


@pytest.fixture(scope='session')
def one_device():
  """Returns the layout of a single device."""
  mesh = axes.make_mesh(MeshConfig(), jax.devices()[:1])
  return Layout(mesh, AxisRules())


@pytest.fixture(scope='session')
def eight_devices() -> Layout:
  """Returns a layout that splits parameters over fsdp and tensor."""
  mesh: Mesh = axes.make_mesh(MeshConfig(data=2, fsdp=2, tensor=2))
  return Layout(mesh, AxisRules(kv_heads=None))


@pytest.fixture(scope='session')
def read_config():
  """Returns a function: a folder with config.json -> EncoderConfig."""

  def read(folder):
    content = json.loads((folder / 'config.json').read_text())
    return EncoderConfig(**hugging_face.facts(content), dtype='float32')

  return read


@pytest.fixture(scope='session')
def load():
  """Returns a function: (path, config, layout) -> embedder and parameters."""

  def load_checkpoint(path, config, layout, *, width=24, **options):
    embedder = make_embedder(
      EmbedderConfig(encoder=config, embedding_width=width)
    )
    like = abstract_params(embedder, layout)
    checkpoint = from_decoder.open_checkpoint(path, config)
    params = from_decoder.load_params(checkpoint, embedder, like, **options)
    return embedder, params

  return load_checkpoint


@pytest.fixture(scope='session')
def same():
  """Returns a function that compares two trees of parameters, bit by bit."""

  def compare(got, wanted):
    assert jax.tree.structure(got) == jax.tree.structure(wanted)
    for (path, x), y in zip(
      jax.tree.leaves_with_path(got), jax.tree.leaves(wanted), strict=True
    ):
      name = jax.tree_util.keystr(path)
      np.testing.assert_array_equal(x, y, err_msg=name)

  return compare
