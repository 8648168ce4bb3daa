"""The least time of a step, in round numbers of a v5e."""

import dataclasses

import pytest

from gemb.plan.chips import Topology
from gemb.plan.collectives import Collective
from gemb.plan.roofline import roofline

ONE = Topology(name='v5e:2x2')


def bounds(compiled, topology=ONE):
  return roofline(compiled, topology, own_flops=591 * 10**12, pairs=1000)


def test_the_slowest_of_all_bounds_the_step(compiled):
  found = bounds(compiled)
  # A neighbour is reached over one of four links.
  assert found.times == pytest.approx(
    {'compute': 1.0, 'memory': 0.5, 'interconnect': 0.25 + 4 * 0.025}
  )
  assert (found.bound, found.seconds) == ('compute', 1.0)


def test_utilisation_is_of_the_models_own_flops(compiled):
  # Three quarters of what the four chips compute in a second.
  assert bounds(compiled).mfu == pytest.approx(0.75)


def test_pairs_cost_chip_hours(compiled):
  found = bounds(compiled)
  assert found.pairs_per_second == pytest.approx(1000)
  assert found.cost(3_600_000, price=2.5) == pytest.approx(4 * 2.5)


def test_what_crosses_slices_goes_over_the_network(compiled):
  across = Collective('all-reduce', 1, between_slices=True)
  both = dataclasses.replace(compiled, collectives=((across, 31.25e9),))
  two = Topology(name='v5e:2x2', slices=2)
  assert bounds(both, two).times['network between slices'] == 10.0
  assert bounds(both, two).times['interconnect'] == 0.0
  assert not bounds(both, two).network_unknown


def test_a_network_whose_rate_nobody_states_is_told(compiled):
  across = Collective('all-reduce', 1, between_slices=True)
  both = dataclasses.replace(compiled, collectives=((across, 31.25e9),))
  assert bounds(both, Topology(name='v4:2x2x1', slices=2)).network_unknown
