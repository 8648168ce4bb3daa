"""The least time that a step can take, and what it then costs.

A roofline: a chip computes, reads its memory and sends at the rates that its
maker publishes, all at once, and the slowest of these bounds the step. No
program reaches it. A message to a neighbour travels over one of a chip's links,
all else over all of them; what crosses slices, over the data centre's network.
"""

import dataclasses

from gemb.plan.chips import Topology
from gemb.plan.compiler import Compiled


@dataclasses.dataclass(frozen=True, kw_only=True)
class Roofline:
  """Bounds of a step.

  Attributes:
    times: seconds by what takes them.
    own_flops: of the model and its loss, on all chips.
    flops: of the compiled program, on all chips.
    pairs: that a step has.
    peak: FLOP/s of all chips together.
    chips: how many.
    network_unknown: whether bytes cross slices at a rate that nobody states.
  """

  times: dict[str, float]
  own_flops: int
  flops: float
  pairs: int
  peak: float
  chips: int
  network_unknown: bool = False

  @property
  def seconds(self) -> float:
    """The least time of a step."""
    return max(self.times.values())

  @property
  def bound(self) -> str:
    """What takes it."""
    return max(self.times, key=self.times.__getitem__)

  @property
  def mfu(self) -> float:
    """Model FLOPs utilisation (arXiv:2204.02311, appendix B) at the bound.

    The model's own FLOPs over what the chips could do in that time.
    """
    return self.own_flops / (self.seconds * self.peak)

  @property
  def pairs_per_second(self) -> float:
    """How many pairs the chips train on in a second, at most."""
    return self.pairs / self.seconds

  def cost(self, pairs: int, price: float) -> float:
    """Returns what so many pairs cost at least, at a price a chip-hour."""
    return pairs / self.pairs_per_second / 3600 * self.chips * price


def roofline(
  compiled: Compiled, topology: Topology, *, own_flops: int, pairs: int
) -> Roofline:
  """Returns the bounds of a compiled step.

  Args:
    compiled: the step.
    topology: that it runs on.
    own_flops: of the model, forward and backward, on all chips.
    pairs: that a step has.
  """
  chip, n = topology.chip, topology.chips
  inside = between = 0.0
  for which, given in compiled.collectives:
    sent = which.sent(given, topology.slices)
    if which.between_slices:
      between += sent
    elif which.kind == 'collective-permute':
      inside += sent * chip.links / chip.interconnect
    else:
      inside += sent / chip.interconnect
  times = {
    'compute': compiled.flops / chip.flops,
    'memory': compiled.hbm / chip.bandwidth,
    'interconnect': inside,
  }
  if between and chip.network:
    times['network between slices'] = between / chip.network
  return Roofline(
    times=times,
    own_flops=own_flops,
    flops=compiled.flops * n,
    pairs=pairs,
    peak=chip.flops * n,
    chips=n,
    network_unknown=bool(between) and chip.network is None,
  )
