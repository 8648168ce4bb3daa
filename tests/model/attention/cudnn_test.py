import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb import axes
from gemb.model.attention import cudnn, xla

LAYERS = {
  'a global layer': {'is_global': True},
  'a local layer': {'local_radius': 5},
  'a causal local layer': {'local_radius': 5, 'causal': True},
}


@pytest.mark.parametrize('fields', LAYERS.values(), ids=LAYERS)
def test_the_same_call_by_xla_equals_the_definition(
  make_case, with_gradients, fields
):
  qkv, sight = make_case(length=48, heads=4, kv_heads=2, head_dim=8)
  sight = sight(**fields)
  attend = functools.partial(cudnn.attend, sight=sight, implementation='xla')
  wanted = functools.partial(xla.attend, mask_BLL=sight.mask())
  for x, y in zip(
    with_gradients(wanted, qkv, sight),
    with_gradients(attend, qkv, sight),
    strict=True,
  ):
    np.testing.assert_allclose(x, y, atol=1e-5)


def test_every_token_sees_one(make_case, monkeypatch):
  (q, k, v), sight = make_case(length=48)
  seen = []

  def attention(q, k, v, *, mask, **options):
    seen.append((mask, options))
    return q

  monkeypatch.setattr(jax.nn, 'dot_product_attention', attention)
  cudnn.attend(q, k, v, sight())
  ((mask, options),) = seen
  assert mask.shape == (4, 1, 48, 48)
  assert mask.any(axis=-1).all()
  assert options == {'scale': 1.0, 'implementation': 'cudnn'}


def queries(length=64, head_dim=64, dtype='bfloat16'):
  return jnp.zeros((2, length, 2, head_dim), dtype)


@pytest.mark.parametrize(
  ('shape', 'softcap', 'why'),
  [
    ({}, None, None),
    ({}, 50.0, r'it has no softcap, and EncoderConfig.attention_softcap=50.0'),
    ({'dtype': 'float32'}, None, "for EncoderConfig.dtype='bfloat16', not flo"),
    ({'head_dim': 12}, None, 'heads have 12 dimensions, and it takes 8, 16, '),
    ({'head_dim': 136}, None, 'heads have 136 dimensions'),
    ({'length': 63}, None, 'rows have 63 tokens, an odd number'),
  ],
)
def test_what_it_cannot_serve_has_a_reason(monkeypatch, shape, softcap, why):
  monkeypatch.setattr(axes, 'platform', lambda: 'gpu')
  refusal = cudnn.refusal(queries(**shape), softcap)
  assert refusal is None if why is None else why in refusal


def test_another_platform_has_a_reason():
  assert cudnn.refusal(queries(), None) == (
    'the kernel is for NVIDIA GPUs, and this is a cpu'
  )
