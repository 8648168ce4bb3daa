"""What devices send each other in a compiled program."""

import dataclasses
import math
import re

from gemb.profile.hlo import Computation, Instruction

_KINDS = (
  'all-gather',
  'all-reduce',
  'reduce-scatter',
  'all-to-all',
  'ragged-all-to-all',
  'collective-permute',
  'collective-broadcast',
)
# A program runs on one slice, and hands what is for others to its host.
_TO_SLICES = re.compile(r'_xla_megascale_transfer_type="(\w+)"')


@dataclasses.dataclass(frozen=True)
class Collective:
  """One kind of exchange in groups of one size.

  Attributes:
    kind: such as 'all-gather'.
    devices: in a group; 1 where it is a device of each slice.
    between_slices: whether it goes from slice to slice.
  """

  kind: str
  devices: int
  between_slices: bool = False

  def sent(self, given: float, slices: int = 1) -> float:
    """Returns what each device of a group sends, of so many bytes that it has.

    Over a ring of n, which sends the least: (n - 1) / n of what is scattered,
    twice as much of what is reduced for all, n - 1 times what is gathered.
    """
    n = slices if self.between_slices else self.devices
    if self.kind == 'collective-permute':
      return given
    if self.kind == 'all-gather':
      return given * (n - 1)
    share = given * (n - 1) / n
    return 2 * share if self.kind == 'all-reduce' else share


def collective(
  i: Instruction, within: Computation
) -> tuple[Collective, float] | None:
  """Returns an instruction's exchange, and the bytes that a device has for it.

  None where the instruction is none.
  """
  kind = i.opcode.removesuffix('-start')
  if kind in _KINDS:
    members = re.findall(r'\{\d+,\d+\}', i.rest)
    permutes = kind == 'collective-permute'
    which = Collective(kind, len(members) if permutes else group_size(i.rest))
    operands = i.operands
  elif kind == 'send' and (found := _TO_SLICES.search(i.rest)):
    which = Collective(found.group(1).lower().replace('_', '-'), 1, True)
    operands = i.operands[:1]  # the other is a token
  else:
    return None
  sources = [within.instructions[name] for name in operands]
  return which, float(sum(s.bytes for source in sources for s in source.shapes))


def group_size(text: str) -> int:
  """Returns how many devices each of an instruction's replica groups has.

  >>> group_size('replica_groups={{0,2,4},{1,3,5}}')
  3
  >>> group_size('replica_groups=[2,4]<=[4,2]T(1,0)')
  4
  >>> group_size("replica_groups=mesh['a'=2,'b'=8,'c'=4] {'a','c'}")
  8
  """
  if explicit := re.search(r'replica_groups=\{\{([\d,]+)\}', text):
    return explicit.group(1).count(',') + 1
  if iota := re.search(r'replica_groups=\[\d+,(\d+)\]<=', text):
    return int(iota.group(1))
  if mesh := re.search(r'replica_groups=mesh\[([^\]]*)\] \{([^}]*)\}', text):
    axes = re.findall(r"'([^']+)'=(\d+)", mesh.group(1))
    named = re.findall(r"'([^']+)'", mesh.group(2))
    return math.prod(int(size) for name, size in axes if name in named)
  return 1
