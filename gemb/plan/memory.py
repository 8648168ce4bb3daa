"""Whose the memory is at its fullest moment, out of the compiler's own notes.

The compiler writes where each value lies within the one block of temporary HBM,
and from when to when it is needed. At the moment when most of it is, each byte
belongs to the value that lies there, and a value to the code that made it.
"""

import collections
import dataclasses
import pathlib
import re

from gemb.plan.collectives import collective
from gemb.profile.hlo import ArrayShape, Computation, Instruction, Program

PARTS = (
  'parameters',
  'gradients',
  'optimizer',
  'activations',
  'loss',
  'collectives',
  'other',
)

_ALLOCATION = re.compile(r'allocation \d+: size (\d+), preallocated-temp')
_VALUE = re.compile(
  r' value: <\d+ ([\w.-]+)(\{[\d,]*\})?.*? @\d+> \(size=(\d+),offset=(\d+)\)'
)
_RANGE = re.compile(r'    ([\w.-]+)(\{[\d,]*\}):(\d+)-(\d+)$')


@dataclasses.dataclass(frozen=True)
class Notes:
  """The block of temporary HBM: how large, and the values in it."""

  size: int
  values: list['Value']


@dataclasses.dataclass(frozen=True)
class Value:
  """A value in temporary HBM.

  Attributes:
    name: of the instruction that it is the result of.
    index: of the result's array, such as '{1}'.
    offset: in the block, bytes.
    size: bytes.
    start: the first instruction that it is needed at, by number.
    end: the last.
  """

  name: str
  index: str
  offset: int
  size: int
  start: int
  end: int


def read_notes(folder: pathlib.Path) -> Notes | None:
  """Reads what XLA has dumped of temporary HBM; None where it leaves nothing.

  Args:
    folder: that it dumped into.
  """
  assignments = list(folder.glob('*buffer-assignment.txt'))
  ranges = list(folder.glob('*live-range.txt'))
  if not assignments or not ranges:
    return None
  # The program's own are the largest: others are of what it calls.
  assignment, live = (
    max(paths, key=lambda path: path.stat().st_size).read_text().splitlines()
    for paths in (assignments, ranges)
  )
  when = {
    (found.group(1), found.group(2)): (int(found.group(3)), int(found.group(4)))
    for line in live
    if (found := _RANGE.match(line))
  }
  block, size, values = None, 0, []
  for line in assignment:
    if line.startswith('allocation '):
      # Other memories than HBM have a color.
      block = _ALLOCATION.match(line)
      size += int(block.group(1)) if block else 0
    elif block and (found := _VALUE.match(line)):
      name, index, bytes_, offset = found.groups()
      if span := when.get((name, index or '{}')):
        value = Value(name, index or '{}', int(offset), int(bytes_), *span)
        values.append(value)
  return Notes(size, values)


def attribute(
  notes: Notes, program: Program, parameters: set[tuple[int, ...]]
) -> dict[str, int]:
  """Returns whose the bytes are at the fullest moment, by `PARTS`.

  Where the block is larger than what then is needed, the rest is 'other': gaps
  between values.

  Args:
    notes: of the compiler.
    program: that it compiled.
    parameters: shapes of parameters, whole and as a device holds them.
  """
  owners = _Owners(program, parameters)
  live = sorted(
    ((owners.part(value), value) for value in _fullest(notes.values)),
    key=lambda found: found[0] == 'other',
  )
  total = dict.fromkeys(PARTS, 0)
  taken: list[tuple[int, int]] = []
  for part, value in live:
    free = _subtract((value.offset, value.offset + value.size), taken)
    total[part] += sum(end - start for start, end in free)
    taken += free
  total['other'] += notes.size - sum(total.values())
  return total


def _fullest(values: list[Value]) -> list[Value]:
  """Returns the values that are needed when most bytes are."""
  change: collections.Counter[int] = collections.Counter()
  for value in values:
    change[value.start] += value.size
    change[value.end + 1] -= value.size
  most, peak, now = 0, 0, 0
  for moment in sorted(change):
    now += change[moment]
    if now > most:
      most, peak = now, moment
  return [v for v in values if v.start <= peak <= v.end]


def _subtract(
  span: tuple[int, int], taken: list[tuple[int, int]]
) -> list[tuple[int, int]]:
  """Returns what is left of a span of bytes."""
  left = [span]
  for start, end in taken:
    left = [
      piece
      for a, b in left
      for piece in ((a, min(b, start)), (max(a, end), b))
      if piece[0] < piece[1]
    ]
  return left


class _Owners:
  """Says whose a value is, by its shape and the path of its making."""

  def __init__(self, program: Program, parameters: set[tuple[int, ...]]):
    self._parameters = parameters
    self._where = {
      name: (instruction, computation)
      for computation in program.computations.values()
      for name, instruction in computation.instructions.items()
    }

  def part(self, value: Value) -> str:
    """Returns one of `PARTS`."""
    if value.name not in self._where:
      return 'other'
    made, within = self._where[value.name]
    index = [int(n) for n in value.index.strip('{}').split(',') if n]
    if collective(made, within):
      return 'collectives'
    paths = [made.op_name, *_paths_of_users(made, within, index)]
    shape = _array(made, index)
    if shape and shape.dims in self._parameters:
      backward = 'transpose(' in next(filter(None, paths), '')
      return 'gradients' if backward and shape.dtype == 'f32' else 'parameters'
    return part_of_paths(paths)


def part_of_paths(paths: list[str]) -> str:
  """Returns the part that a value belongs to, by paths of code.

  Args:
    paths: of what made it, and of what uses it.

  >>> part_of_paths(['jit(train_step)/jvp()/EmbedderModule/encoder/mlp'])
  'activations'
  >>> part_of_paths(['jit(train_step)/jvp()/shard_map/while/body/exp'])
  'loss'
  >>> loop = 'jit(train_step)/transpose(jvp())/while/body'
  >>> part_of_paths([loop, f'{loop}/checkpoint/EmbedderModule/while'])
  'activations'
  """
  if any('EmbedderModule' in path for path in paths):
    return 'activations'
  known = [path for path in paths if path.startswith('jit(')]
  if not known:
    return 'other'
  return 'loss' if 'jvp(' in known[0] else 'optimizer'


def _array(made: Instruction, index: list[int]) -> ArrayShape | None:
  if not index and len(made.shapes) == 1:
    return made.shapes[0]
  if len(index) == 1 and index[0] < len(made.shapes):
    return made.shapes[index[0]]
  return None


def _paths_of_users(
  made: Instruction, within: Computation, index: list[int]
) -> list[str]:
  """Returns the paths of what uses a value, if need be as part of a tuple."""
  paths = []
  for user in within.users.get(made.name, ()):
    element = user.attribute(r'index=(\d+)')
    if element and index and int(element) != index[0]:
      continue
    if user.opcode == 'tuple' or not user.op_name:
      further = within.users.get(user.name, ())
      paths += [each.op_name for each in further]
    paths.append(user.op_name)
  return paths
