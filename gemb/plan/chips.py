"""TPU chips and slices: what the makers publish, and how slices are named.

Peak rates, memory and interconnect are those of Google Cloud's documentation,
https://cloud.google.com/tpu/docs/v4, .../v5e, .../v5p and .../v6e, which states
the interconnect per chip with both directions together (v5e 400 GB/s, v5p
1,200, v6e 800), or one of them (1,600, 4,800 and 3,200 Gbit/s): here it is one.
For v4 these pages give none; its six links of 50 GB/s are those of TPU v4
(arXiv:2304.01433), table 4. Between slices, a chip's share of a pod's data
centre network: v5e 6.4 Tbit/s and v6e 25.6 Tbit/s for 256 chips, v5p 50 Gbit/s
a chip.
"""

import dataclasses
import difflib
import math
import re
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chip:
  """What one chip does in a second, and holds.

  Attributes:
    flops: peak FLOP/s of matrix products in bfloat16.
    memory: nominal bytes of HBM; the compiler sees somewhat less.
    bandwidth: of HBM, bytes a second.
    interconnect: bytes a second to all neighbours together.
    links: to neighbours; each has its share of `interconnect`.
    network: bytes a second to other slices; None: not published.
    axes: of the torus.
    topology_options: of jax.experimental.topologies, so that a chip is one
      device as it is on a TPU VM.
  """

  flops: float
  memory: int
  bandwidth: float
  interconnect: float
  links: int
  network: float | None
  axes: int
  topology_options: dict[str, Any] = dataclasses.field(default_factory=dict)


CHIPS = {
  'v4': Chip(
    flops=275e12,
    memory=32 * 2**30,
    bandwidth=1200e9,
    interconnect=300e9,
    links=6,
    network=None,
    axes=3,
    topology_options={'chip_config_name': 'megacore'},
  ),
  'v5e': Chip(
    flops=197e12,
    memory=16 * 2**30,
    bandwidth=819e9,
    interconnect=200e9,
    links=4,
    network=3.125e9,
    axes=2,
  ),
  'v5p': Chip(
    flops=459e12,
    memory=95 * 2**30,
    bandwidth=2765e9,
    interconnect=600e9,
    links=6,
    network=6.25e9,
    axes=3,
  ),
  'v6e': Chip(
    flops=918e12,
    memory=32 * 2**30,
    bandwidth=1640e9,
    interconnect=400e9,
    links=4,
    network=12.5e9,
    axes=2,
  ),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Topology:
  """One slice, or several of the same shape.

  Attributes:
    name: of a slice, such as 'v5e:16x16'.
    slices: how many of them.
  """

  name: str
  slices: int = 1

  def __post_init__(self):
    kind, _, shape = self.name.partition(':')
    if kind not in CHIPS:
      near = difflib.get_close_matches(kind, CHIPS, n=2, cutoff=0)
      raise ValueError(
        f'--topology={self.name} begins with {kind!r}, which is no chip that '
        f'is known here; the nearest are {" and ".join(near)}, as in '
        f'{near[0]}:{_example(near[0])}.'
      )
    sides = re.fullmatch(r'[1-9]\d*(x[1-9]\d*)*', shape)
    if not sides or shape.count('x') + 1 != CHIPS[kind].axes:
      raise ValueError(
        f'--topology={self.name} must give {CHIPS[kind].axes} sides of a slice '
        f'of {kind}, as in {kind}:{_example(kind)}.'
      )
    if self.slices < 1:
      raise ValueError(f'--slices is {self.slices}; it must be at least 1.')

  @property
  def chip(self) -> Chip:
    """What each of the chips is."""
    return CHIPS[self.name.partition(':')[0]]

  @property
  def chips_a_slice(self) -> int:
    """How many chips a slice has."""
    return math.prod(map(int, self.name.partition(':')[2].split('x')))

  @property
  def chips(self) -> int:
    """How many chips there are in all."""
    return self.slices * self.chips_a_slice

  def __str__(self) -> str:
    """Returns it as people say it."""
    return self.name if self.slices == 1 else f'{self.slices} x {self.name}'


def _example(kind: str) -> str:
  return '16x16' if CHIPS[kind].axes == 2 else '4x4x4'
