"""A run with all that there may be, small, and its reference, once."""

import pathlib

import pytest

from gemb import config
from gemb.axes import MeshConfig
from gemb.certify import measure, small

CONFIGS = pathlib.Path(__file__).parents[2] / 'configs' / 'run'


@pytest.fixture(scope='session')
def load():
  """Returns a run of configs/run, with bindings."""

  def load_run(name, *bindings):
    return config.load([str(CONFIGS / f'{name}.gin')], bindings)[0]

  return load_run


@pytest.fixture(scope='session')
def mesh():
  """Returns a mesh of one device along each axis that is not named."""

  def make(**sizes):
    return MeshConfig(**{'data': 1, 'fsdp': 1, 'tensor': 1} | sizes)

  return make


@pytest.fixture(scope='session')
def finetuning(load):
  """Packed, with two hard negatives; computed as `gemb certify` does."""
  return measure.prepare(small.shrink(load('02_finetune')))
