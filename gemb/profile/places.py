"""Which part of the step each instruction of a compiled program belongs to."""

import dataclasses
import re

from gemb.profile import hlo
from gemb.profile.hlo import Instruction, Program

# JAX's scopes of gemb/train/step.py. A gradient's is 'transpose(jvp(encoder))'.
SCOPES = ('encoder', 'loss', 'optimizer')
COLLECTIVES = 'collectives'
UNKNOWN = 'not told apart'

_SCOPE = re.compile(rf'(?<![\w.])({"|".join(SCOPES)})(?![\w.])')
_COLLECTIVE = re.compile(
  'all-reduce|all-gather|reduce-scatter|collective-permute|all-to-all|'
  'ragged-all-to-all|collective-broadcast'
)
# They run as one, so that what is in them is what they are.
_WRAPPERS = ('fusion', 'async-start')


@dataclasses.dataclass(frozen=True)
class Places:
  """The parts of one compiled program.

  Attributes:
    module: what XLA calls the program, such as 'jit_train_step'.
    parts: of each instruction, by its name: a scope, COLLECTIVES or UNKNOWN.
  """

  module: str
  parts: dict[str, str]


def read_places(text: str) -> Places:
  """Reads `compiled.as_text()`.

  What XLA adds on its own, such as a copy, has no scope: in a loop or a branch
  it counts with that, elsewhere it is UNKNOWN.

  Raises:
    ValueError: if the text is no compiled program.
  """
  program = hlo.parse(text)
  found = re.match(r'HloModule ([\w.-]+)', text)
  parts: dict[str, str] = {}

  def visit(name: str, outer: str) -> None:
    for instruction in program.computations[name].instructions.values():
      part = _part(instruction, program, parts) or outer
      parts[instruction.name] = part
      inner = outer if part == COLLECTIVES else part
      condition = instruction.attribute(r'\bcondition=%?([\w.-]+)')
      for called in (*instruction.called, condition):
        if called:
          visit(called, inner)

  visit(program.entry.name, UNKNOWN)
  return Places(found.group(1) if found else '', parts)


def _part(
  instruction: Instruction, program: Program, known: dict[str, str]
) -> str | None:
  """Returns the part that an instruction itself tells, if it does."""
  if _is_collective(instruction, program):
    return COLLECTIVES
  if instruction.opcode in ('async-update', 'async-done'):
    return known.get(instruction.operands[0])
  scope = _SCOPE.search(instruction.op_name)
  return scope.group(1) if scope else None


def _is_collective(instruction: Instruction, program: Program) -> bool:
  if instruction.opcode in _WRAPPERS:
    return any(
      _is_collective(inner, program)
      for name in instruction.called
      for inner in program.computations[name].instructions.values()
    )
  return bool(_COLLECTIVE.match(instruction.opcode))
