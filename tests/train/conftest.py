"""A tiny embedder and meshes to train it on."""

import jax
import pytest

from gemb import axes
from gemb.model.config import EmbedderConfig, EncoderConfig
from gemb.model.embedder import make_embedder

MESHES = {
  'one device': (1, {'data': 1}),
  'data': (8, {'data': 8}),
  'fsdp': (8, {'fsdp': 8, 'data': 1}),
  'all': (8, {'data': 2, 'fsdp': 2, 'tensor': 2}),
}


@pytest.fixture(scope='session')
def embedder():
  return make_embedder(
    EmbedderConfig(
      encoder=EncoderConfig(
        vocabulary=32,
        width=16,
        layers=2,
        heads=4,
        kv_heads=2,
        head_dim=4,
        mlp_width=16,
        local_radius=2,
        global_every=2,
        dtype='float32',
      ),
      embedding_width=8,
    )
  )


@pytest.fixture(scope='session')
def layout():
  """Returns the layout on one of the meshes above."""

  def make(name):
    devices, sizes = MESHES[name]
    mesh = axes.make_mesh(axes.MeshConfig(**sizes), jax.devices()[:devices])
    return axes.Layout(mesh, axes.AxisRules())

  return make
