import dataclasses

import pytest

from gemb import axes
from gemb.model.attention import comparison, pallas
from gemb.model.config import EncoderConfig

CONFIG = EncoderConfig(
  vocabulary=8,
  width=8,
  layers=1,
  heads=2,
  kv_heads=1,
  head_dim=64,
  mlp_width=4,
  dtype='bfloat16',
)


def compare(layout, backend='pallas'):
  with axes.use(layout):
    return comparison.compare(CONFIG, backend, layout, length=256)


def test_xla_is_not_compared_with_itself(one_device):
  assert compare(one_device, 'xla') == ('xla', {})


def test_a_kernel_differs_by_rounding(one_device):
  kernel, distances = compare(one_device)
  assert kernel == 'pallas'
  assert distances.keys() == {'local', 'global'}
  assert 0 < max(distances.values()) < 0.01


def test_a_window_off_by_one_is_seen(one_device, monkeypatch):
  sound = pallas.attend

  def attend(*qkv_and_more):
    *qkv, sight, softcap = qkv_and_more
    radius = sight.local_radius - 1
    return sound(*qkv, dataclasses.replace(sight, local_radius=radius), softcap)

  monkeypatch.setattr(pallas, 'attend', attend)
  distances = compare(one_device)[1]
  assert distances['local'] > 0.05
  assert distances['global'] < 0.01


def test_a_kernel_that_cannot_serve_is_refused(one_device):
  with axes.use(one_device), pytest.raises(ValueError, match='200 tokens'):
    comparison.compare(CONFIG, 'pallas', one_device, length=200)
