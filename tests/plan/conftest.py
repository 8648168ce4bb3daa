"""A tiny run to plan, and what a compiler might say of it."""

import pytest

from gemb import config
from gemb.plan.collectives import Collective
from gemb.plan.compiler import Compiled


@pytest.fixture
def tiny(tiny_gin):
  """Returns the tiny run, with these bindings."""

  def load(*bindings):
    run, _ = config.load([tiny_gin], bindings)
    return run

  return load


@pytest.fixture
def compiled():
  """Returns what a compiler said, in round numbers."""
  return Compiled(
    capacity=16 * 2**30,
    needed=12 * 2**30,
    fits=True,
    seconds=60.0,
    arguments=4 * 2**30,
    outputs=0,
    code=2**28,
    temporary=8 * 2**30 - 2**28,
    stated_temporary=8 * 2**30,
    parts={'activations': 6 * 2**30, 'loss': 2**30, 'other': 3 * 2**28},
    flops=197e12,
    stated_flops=1e12,
    hbm=819e9 / 2,
    collectives=(
      (Collective('all-gather', 4), 50e9 / 3),
      (Collective('collective-permute', 4), 5e9),
    ),
  )
