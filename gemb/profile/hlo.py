"""Compiled programs as text (HLO), read into instructions.

Only what counting needs: names, shapes, operands, attributes, and how often a
loop turns. XLA's own cost analysis counts a loop's body once, whatever the
number of its turns: wrong by their number for a scanned stack of layers.
"""

import dataclasses
import functools
import math
import re

_BYTES = {
  'pred': 1,
  's4': 0.5,
  'u4': 0.5,
  's8': 1,
  'u8': 1,
  's16': 2,
  'u16': 2,
  'bf16': 2,
  'f16': 2,
  's32': 4,
  'u32': 4,
  'f32': 4,
  's64': 8,
  'u64': 8,
  'f64': 8,
  'c64': 8,
  'c128': 16,
}
_ARRAY = re.compile(r'\b([a-z]+\d*(?:e\dm\d\w*)?)\[([\d,]*)\](\{[^}]*\})?')
_COPIES = ('copy', 'bitcast', 'copy-start', 'copy-done', 'convert')
_HEAD = re.compile(r'\s*(ROOT )?%?([\w.-]+) = ')
_OPCODE = re.compile(r'\s*([a-z][\w-]*)\(')
_COMPUTATION = re.compile(r'(ENTRY )?%?([\w.-]+) \(.*\{\s*$')
_CALLED = re.compile(
  r'\b(?:calls|to_apply|body|true_computation|false_computation)=%?([\w.-]+)'
)
_BRANCHES = re.compile(r'\bbranch_computations=\{([^}]*)\}')


@dataclasses.dataclass(frozen=True)
class ArrayShape:
  """One array of an instruction's result.

  Attributes:
    dtype: as XLA calls it.
    dims: its sizes.
    on_chip: whether it lies in the chip's own memory, beside its units, and
      not in HBM.
  """

  dtype: str
  dims: tuple[int, ...]
  on_chip: bool = False

  @property
  def size(self) -> int:
    """How many elements it has."""
    return math.prod(self.dims)

  @property
  def bytes(self) -> float:
    """How many bytes they take, without padding; tokens take none."""
    # The float8 kinds have names of their own.
    known = _BYTES.get(self.dtype, 1 if self.dtype.startswith('f8') else 0)
    return float(self.size * known)


@dataclasses.dataclass(frozen=True)
class Instruction:
  """One instruction.

  Attributes:
    name: unique in the program.
    opcode: such as 'convolution'.
    shapes: the arrays of its result.
    operands: names of instructions of the same computation.
    rest: the text behind its operands.
    arguments: the text of its operands.
    is_root: whether its result is the computation's.
  """

  name: str
  opcode: str
  shapes: tuple[ArrayShape, ...]
  operands: tuple[str, ...]
  rest: str
  arguments: str
  is_root: bool

  @property
  def op_name(self) -> str:
    """The path of JAX's functions and scopes that it comes from, or ''."""
    return self.attribute(r'op_name="([^"]*)"') or ''

  @property
  def called(self) -> tuple[str, ...]:
    """The computations that it calls, conditions of loops apart."""
    found = _CALLED.findall(self.rest)
    for names in _BRANCHES.findall(self.rest):
      found += [name.strip().lstrip('%') for name in names.split(',')]
    return tuple(found)

  def attribute(self, pattern: str) -> str | None:
    """Returns the first group of a pattern in `rest`, if it is there."""
    found = re.search(pattern, self.rest)
    return found.group(1) if found else None


@dataclasses.dataclass(frozen=True)
class Computation:
  """Instructions by name, in the order in which they run."""

  name: str
  instructions: dict[str, Instruction]

  @functools.cached_property
  def root(self) -> Instruction:
    """The instruction whose result is the computation's."""
    return next(i for i in self.instructions.values() if i.is_root)

  @functools.cached_property
  def users(self) -> dict[str, list[Instruction]]:
    """The instructions that take each instruction's result."""
    found: dict[str, list[Instruction]] = {}
    for instruction in self.instructions.values():
      for name in set(instruction.operands):
        found.setdefault(name, []).append(instruction)
    return found

  def behind(self, name: str) -> Instruction:
    """Returns the instruction that an operand is a copy of."""
    found = self.instructions[name]
    while found.opcode in _COPIES and found.operands:
      found = self.instructions[found.operands[0]]
    return found

  @functools.cached_property
  def parameters(self) -> tuple[Instruction, ...]:
    """The parameters, by number."""
    found = [i for i in self.instructions.values() if i.opcode == 'parameter']
    return tuple(sorted(found, key=lambda i: int(i.arguments)))


@dataclasses.dataclass(frozen=True)
class Program:
  """Computations by name.

  Attributes:
    computations: all of them.
    entry: where the program begins.
  """

  computations: dict[str, Computation]
  entry: Computation

  def turns(self, loop: Instruction, within: Computation) -> int | None:
    """Returns how often a while loop turns; None if that is not plain to see.

    XLA states it for CPUs. For TPUs it is read off the loop itself: JAX's count
    up to a constant, by a constant.
    """
    if known := loop.attribute(r'"known_trip_count":\{"n":"(\d+)"'):
      return int(known)
    condition = self._part(loop, 'condition')
    compare = condition.root
    if compare.opcode != 'compare' or 'direction=LT' not in compare.rest:
      return None
    counter, limit = (condition.behind(name) for name in compare.operands)
    index = _element(counter)
    start = self._initial(loop, within, index)
    step = _step(self._part(loop, 'body'), index)
    end = _constant(limit)
    if end is None:
      end = self._initial(loop, within, _element(limit))
    if start is None or end is None or not step:
      return None
    return max(0, math.ceil((end - start) / step))

  def _part(self, loop: Instruction, role: str) -> Computation:
    return self.computations[loop.attribute(rf'\b{role}=%?([\w.-]+)') or '']

  def _initial(
    self, loop: Instruction, within: Computation, index: int | None
  ) -> int | None:
    """Returns the constant that a loop's carry begins with at an index."""
    carry = within.behind(loop.operands[0])
    if index is None or carry.opcode != 'tuple':
      return None
    return _constant(within.behind(carry.operands[index]))


def parse(text: str) -> Program:
  """Reads `compiled.as_text()`.

  Raises:
    ValueError: if the text has no entry computation.
  """
  computations, entry, current = {}, None, None
  for line in text.splitlines():
    if head := _COMPUTATION.match(line):
      current = Computation(head.group(2), {})
      computations[current.name] = current
      entry = current if head.group(1) else entry
    elif current is not None and (instruction := _instruction(line)):
      current.instructions[instruction.name] = instruction
  if entry is None:
    raise ValueError('The text is no compiled program: it has no ENTRY.')
  return Program(computations, entry)


def _instruction(line: str) -> Instruction | None:
  head = _HEAD.match(line)
  if not head:
    return None
  shape_end = _end_of_shape(line, head.end())
  opcode = _OPCODE.match(line, shape_end)
  if not opcode:
    return None
  end = _closing(line, opcode.end() - 1)
  arguments = line[opcode.end() : end]
  return Instruction(
    name=head.group(2),
    opcode=opcode.group(1),
    shapes=_shapes(line[head.end() : shape_end]),
    operands=tuple(re.findall(r'%([\w.-]+)', arguments)),
    rest=line[end + 1 :],
    arguments=arguments,
    is_root=bool(head.group(1)),
  )


def _end_of_shape(line: str, start: int) -> int:
  if line[start] == '(':
    return _closing(line, start) + 1
  found = line.find(' ', start)
  return len(line) if found < 0 else found


def _closing(line: str, start: int) -> int:
  """Returns where the bracket that opens at `start` is closed."""
  depth = 0
  for found in re.finditer(r'[()]', line[start:]):
    depth += 1 if found.group() == '(' else -1
    if not depth:
      return start + found.start()
  return len(line)


def _shapes(text: str) -> tuple[ArrayShape, ...]:
  return tuple(
    ArrayShape(
      dtype,
      tuple(int(n) for n in dims.split(',') if n),
      # Memory spaces: HBM is S(0) or none, the chip's own are the others; the
      # host's is S(5).
      on_chip=bool(re.search(r'S\([1-46-9]\)', layout)),
    )
    for dtype, dims, layout in _ARRAY.findall(text)
  )


def _element(instruction: Instruction) -> int | None:
  """Returns which element of a tuple an instruction takes, if it does."""
  if instruction.opcode != 'get-tuple-element':
    return None
  found = instruction.attribute(r'index=(\d+)')
  return None if found is None else int(found)


def _constant(instruction: Instruction) -> int | None:
  if instruction.opcode != 'constant':
    return None
  whole = re.fullmatch(r'-?\d+', instruction.arguments.strip())
  return int(whole.group()) if whole else None


def _step(body: Computation, index: int | None) -> int | None:
  """Returns the constant that a loop adds to its carry at an index."""
  if index is None or body.root.opcode != 'tuple':
    return None
  addition = body.behind(body.root.operands[index])
  if addition.opcode != 'add':
    return None
  parts = [body.behind(name) for name in addition.operands]
  constants = [n for part in parts if (n := _constant(part)) is not None]
  counts = any(_element(part) == index for part in parts)
  return constants[0] if counts and len(constants) == 1 else None
