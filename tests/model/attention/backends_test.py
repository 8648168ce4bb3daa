import jax.numpy as jnp
import pytest

from gemb import axes
from gemb.model.attention import backends


def queries(length, dtype='bfloat16'):
  return jnp.zeros((2, length, 2, 64), dtype)


@pytest.mark.parametrize(
  ('platform', 'length', 'chosen'),
  [
    ('cpu', 1024, 'xla'),
    ('tpu', 1024, 'pallas'),
    ('tpu', 512, 'xla'),
    ('tpu', 1025, 'xla'),
    ('gpu', 16, 'cudnn'),
    ('gpu', 15, 'xla'),
  ],
)
def test_auto_takes_the_kernel_of_the_platform_where_it_can(
  monkeypatch, platform, length, chosen
):
  monkeypatch.setattr(axes, 'platform', lambda: platform)
  assert backends.choose('auto', queries(length)) == chosen


def test_auto_takes_xla_for_a_softcap_on_a_gpu(monkeypatch):
  monkeypatch.setattr(axes, 'platform', lambda: 'gpu')
  assert backends.choose('auto', queries(16), 50.0) == 'xla'


def test_a_backend_named_is_taken(monkeypatch):
  assert backends.choose('xla', queries(7)) == 'xla'
  assert backends.choose('pallas', queries(128)) == 'pallas'


def test_a_backend_named_that_cannot_serve_is_refused():
  with pytest.raises(
    ValueError,
    match=r"ComputeConfig\.attention='pallas' cannot serve queries of shape "
    r'\(2, 96, 2, 64\): rows have 96 tokens.* Set it to .auto.',
  ):
    backends.choose('pallas', queries(96))
