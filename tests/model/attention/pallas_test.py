import functools

import jax.numpy as jnp
import numpy as np
import pytest

from gemb import axes
from gemb.axes import AxisRules, Layout, MeshConfig
from gemb.model.attention import backends, pallas

LAYERS = {
  'a global layer': {'is_global': True},
  'a local layer': {},
  'a window without end': {'local_radius': 1000},
  'a causal global layer': {'is_global': True, 'causal': True},
  'a causal local layer': {'local_radius': 15, 'causal': True},
}


@pytest.fixture
def agree(make_case, with_gradients):
  """Returns a function that holds the kernel to XLA's attention."""

  def compare(fields, softcap=None, **shape):
    qkv, sight = make_case(**shape)
    sight = sight(**fields)
    wanted, got = (
      with_gradients(
        functools.partial(
          backends.attend, backend, sight=sight, softcap=softcap
        ),
        qkv,
        sight,
      )
      for backend in ('xla', 'pallas')
    )
    for x, y in zip(wanted, got, strict=True):
      np.testing.assert_allclose(x, y, atol=1e-5)

  return compare


@pytest.mark.parametrize('fields', LAYERS.values(), ids=LAYERS)
def test_results_and_gradients_are_those_of_xla(agree, fields):
  agree(fields)


def test_a_row_of_several_blocks_agrees_too(agree):
  agree({'local_radius': 40}, length=640)


def test_groups_of_heads_and_a_softcap_agree_too(agree):
  agree({}, softcap=2.0, heads=4, kv_heads=2)


@pytest.mark.parametrize('kv_heads', [1, 2])
def test_split_over_rows_and_heads_they_agree_too(agree, kv_heads):
  mesh = axes.make_mesh(MeshConfig(data=2, tensor=4))
  with axes.use(Layout(mesh, AxisRules(kv_heads=None))):
    agree({}, heads=8, kv_heads=kv_heads)


def queries(rows=4, length=256, head_dim=64):
  return jnp.zeros((rows, length, 2, head_dim))


@pytest.mark.parametrize(
  ('shape', 'why'),
  [
    ({}, None),
    ({'length': 640, 'head_dim': 256}, None),
    ({'length': 96}, 'rows have 96 tokens, which is no multiple of 128'),
    ({'head_dim': 80}, 'heads have 80 dimensions, which is not 64, 128'),
    ({'head_dim': 320}, 'heads have 320 dimensions'),
  ],
)
def test_what_it_cannot_serve_has_a_reason(shape, why):
  refusal = pallas.refusal(queries(**shape), 50.0)
  assert refusal is None if why is None else why in refusal


def test_rows_that_the_mesh_does_not_divide_have_a_reason():
  with axes.use(Layout(axes.make_mesh(MeshConfig()), AxisRules())):
    why = pallas.refusal(queries(rows=4), None)
  assert why == '4 rows do not divide into 8 shards'


def test_a_gpu_has_a_reason(monkeypatch):
  monkeypatch.setattr(axes, 'platform', lambda: 'gpu')
  assert 'for TPUs' in pallas.refusal(queries(), None)
