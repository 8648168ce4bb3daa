"""What a compiled program computes and moves, every turn of its loops counted.

FLOPs are those of matrix products (dots; on TPUs they are convolutions) and
what Pallas kernels say of themselves; elementwise work is not. Bytes of HBM
are those that instructions read and write: of a slice no more than the slice,
and nothing of what stays within the chip. Of a choice between branches, the
costlier is counted.
"""

import dataclasses
import functools
import re

import numpy as np

from gemb.plan.collectives import Collective, collective
from gemb.profile.hlo import ArrayShape, Computation, Instruction, Program

# They move nothing, or what they call does.
_FREE = frozenset(
  {
    'after-all',
    'async-update',
    'bitcast',
    'call',
    'conditional',
    'constant',
    'domain',
    'get-tuple-element',
    'iota',
    'opt-barrier',
    'parameter',
    'partition-id',
    'replica-id',
    'tuple',
    'while',
  }
)
_PALLAS = 'tpu_custom_call'


@dataclasses.dataclass
class Costs:
  """Costs of a program on one device; they add up.

  Attributes:
    flops: of matrix products.
    hbm: bytes read and written.
    collectives: by kind and group, the bytes that a device has for it.
    unknown: instructions whose cost, or loops whose turns, are not known.
  """

  flops: float = 0.0
  hbm: float = 0.0
  collectives: dict[Collective, float] = dataclasses.field(default_factory=dict)
  unknown: set[str] = dataclasses.field(default_factory=set)

  def add(self, other: 'Costs', times: int = 1) -> None:
    """Adds another's costs, so many times."""
    self.flops += times * other.flops
    self.hbm += times * other.hbm
    for which, given in other.collectives.items():
      self.send(which, times * given)
    self.unknown |= other.unknown

  def send(self, which: Collective, given: float) -> None:
    """Adds the bytes that a device has for an exchange."""
    self.collectives[which] = self.collectives.get(which, 0.0) + given


def count(program: Program) -> Costs:
  """Returns the costs of running a program once, on one device."""
  return _Counter(program).computation(program.entry.name)


class _Counter:
  """Counts each computation once, however often it is called."""

  def __init__(self, program: Program):
    self._program = program
    self.computation = functools.cache(self._computation)

  def _computation(self, name: str) -> Costs:
    computation = self._program.computations[name]
    total = Costs()
    for instruction in computation.instructions.values():
      total.add(self._instruction(instruction, computation))
    return total

  def _instruction(self, i: Instruction, within: Computation) -> Costs:
    if i.opcode == 'while':
      return self._loop(i, within)
    if i.opcode == 'conditional':
      costs = [self.computation(name) for name in i.called]
      return max(costs, key=lambda c: (c.flops, c.hbm), default=Costs())
    total = Costs()
    if i.opcode in ('fusion', 'call', 'async-start'):
      for name in i.called:
        total.add(self.computation(name))
    if i.opcode in ('fusion', 'async-start'):
      total.hbm = 0.0  # what is within a fusion never leaves the chip
    # The end of what is done in the background moves nothing more.
    if i.opcode not in _FREE and not i.opcode.endswith('-done'):
      total.hbm += self._traffic(i, within)
    if i.opcode == 'dot':
      total.flops += dot_flops(i, within)
    if i.opcode == 'convolution':
      total.flops += convolution_flops(i, within)
    if i.opcode == 'custom-call' and _PALLAS in i.rest:
      self._pallas(i, total)
    if found := collective(i, within):
      total.send(*found)
    return total

  def _loop(self, i: Instruction, within: Computation) -> Costs:
    total = Costs()
    turns = self._program.turns(i, within)
    for name in i.called:
      total.add(self.computation(name), 1 if turns is None else turns)
    if turns is None:
      total.unknown.add(f'the turns of the loop {i.name}, counted once')
    return total

  def _pallas(self, i: Instruction, total: Costs) -> None:
    stated = i.attribute(r'"cost_estimate":\{[^}]*"flops":"?(\d+)')
    if stated is None:
      total.unknown.add(f'the FLOPs of the kernel {i.op_name or i.name}')
    total.flops += float(stated or 0)

  def _traffic(self, i: Instruction, within: Computation) -> float:
    """Returns the bytes of HBM that an instruction reads and writes."""
    operands = [within.instructions[name] for name in i.operands]
    if i.opcode in ('dynamic-slice', 'slice', 'gather'):
      return 2 * _in_hbm(i.shapes) if _in_hbm(operands[0].shapes) else 0.0
    if i.opcode in ('dynamic-update-slice', 'scatter'):
      return 2 * _in_hbm(operands[-1 if i.opcode == 'scatter' else 1].shapes)
    if i.opcode == 'fusion' and len(i.called) == 1:
      return self._fusion_traffic(i, operands)
    if i.opcode.endswith('-start'):  # source and target, in either order
      return _in_hbm(i.shapes)
    if i.opcode == 'custom-call' and not i.operands:
      return 0.0
    return _in_hbm(i.shapes) + sum(_in_hbm(o.shapes) for o in operands)

  def _fusion_traffic(
    self, i: Instruction, operands: list[Instruction]
  ) -> float:
    inner = self._program.computations[i.called[0]]
    read = sum(
      min(_in_hbm(operand.shapes), self._read(parameter, inner))
      for operand, parameter in zip(operands, inner.parameters, strict=False)
      if _in_hbm(operand.shapes)
    )
    root = inner.behind(inner.root.name)
    results = root.operands if root.opcode == 'tuple' else (root.name,)
    written = sum(
      min(_in_hbm((shape,)), self._written(inner.behind(name), inner))
      for shape, name in zip(i.shapes, results, strict=False)
    )
    return read + written

  def _read(self, value: Instruction, inner: Computation) -> float:
    """Returns the bytes that a fusion reads of one of its values, at most."""
    used = 0.0
    for user in inner.users.get(value.name, ()):
      if user.opcode in ('dynamic-slice', 'slice', 'gather'):
        used += sum(shape.bytes for shape in user.shapes)
      elif user.opcode in ('dynamic-update-slice', 'scatter'):
        # What is updated in place is not read.
        if user.operands[0] != value.name:
          return float('inf')
      elif user.opcode == 'fusion':
        called = self._program.computations[user.called[0]]
        for name, parameter in zip(
          user.operands, called.parameters, strict=False
        ):
          used += self._read(parameter, called) if name == value.name else 0.0
      elif user.opcode in ('bitcast', 'copy', 'convert', 'reshape'):
        used += self._read(user, inner)
      elif user.opcode != 'tuple' or not user.is_root:
        return float('inf')
    return used

  def _written(self, result: Instruction, inner: Computation) -> float:
    """Returns the bytes that a fusion writes of a result, at most."""
    if result.opcode in ('dynamic-update-slice', 'scatter'):
      # In place: the rest of the array is neither read nor written.
      last = 1 if result.opcode == 'dynamic-update-slice' else -1
      update = inner.instructions[result.operands[last]]
      return float(sum(shape.bytes for shape in update.shapes))
    if result.opcode == 'fusion' and len(result.shapes) == 1:
      called = self._program.computations[result.called[0]]
      return self._written(called.behind(called.root.name), called)
    return float('inf')


def _in_hbm(shapes: tuple[ArrayShape, ...]) -> float:
  """Returns the bytes of what lies in HBM; scalars never do for long."""
  large = [shape for shape in shapes if shape.dims and not shape.on_chip]
  return float(sum(shape.bytes for shape in large))


def dot_flops(i: Instruction, within: Computation) -> float:
  """Returns the FLOPs of a dot: two for each product."""
  left = within.instructions[i.operands[0]].shapes[0]
  contracted = i.attribute(r'lhs_contracting_dims=\{([\d,]*)\}') or ''
  inner = [left.dims[int(n)] for n in contracted.split(',') if n]
  return 2.0 * i.shapes[0].size * float(np.prod(inner))


def convolution_flops(i: Instruction, within: Computation) -> float:
  """Returns the FLOPs of a convolution, as XLA's cost analysis counts them.

  A TPU writes its matrix products as convolutions, batch dimensions as windows
  of which most positions hold nothing but padding: those count for nothing.
  """
  labels = i.attribute(r'dim_labels=(\S+?)(?:,|$)') or ''
  left_labels, right_labels, out_labels = re.split('_|->', labels)
  left, right = (within.instructions[name].shapes[0] for name in i.operands)
  out = i.shapes[0]
  groups = int(i.attribute(r'batch_group_count=(\d+)') or 1)
  products = (
    right.dims[right_labels.index('i')]
    * right.dims[right_labels.index('o')]
    * left.dims[left_labels.index('b')]
    / groups
  )
  for axis, name in enumerate(sorted(set(labels) & set('0123456789'))):
    products *= _valid_positions(
      _window(i, axis),
      left.dims[left_labels.index(name)],
      right.dims[right_labels.index(name)],
      out.dims[out_labels.index(name)],
    )
  return 2.0 * products


def _window(i: Instruction, axis: int) -> tuple[int, int, int, int]:
  """Returns stride, padding before, and dilations of base and kernel."""
  text = i.attribute(r'window=\{([^}]*)\}') or ''
  found = dict(part.split('=') for part in text.split() if '=' in part)

  def number(name: str, default: str) -> str:
    return found[name].split('x')[axis] if name in found else default

  return (
    int(number('stride', '1')),
    int(number('pad', '0_0').split('_')[0]),
    int(number('lhs_dilate', '1')),
    int(number('rhs_dilate', '1')),
  )


@functools.lru_cache(maxsize=4096)
def _valid_positions(
  window: tuple[int, int, int, int], base: int, kernel: int, out: int
) -> int:
  """Returns how many (output, kernel) positions meet an element of the base."""
  stride, before, base_dilation, kernel_dilation = window
  positions = (
    np.arange(out)[:, None] * stride
    + np.arange(kernel)[None] * kernel_dilation
    - before
  )
  inside = (positions >= 0) & (positions < (base - 1) * base_dilation + 1)
  return int((inside & (positions % base_dilation == 0)).sum())
