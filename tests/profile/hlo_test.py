"""Compiled programs as text, read into instructions."""

import jax
import jax.numpy as jnp
import pytest

from gemb.profile import hlo

LINE = (
  '  ROOT %copy-start.32 = (f32[600,16]{0,1:T(8,128)S(1)}, /*index=1*/bf16[2]'
  '{0}, u32[]{:S(2)}) copy-start(%param.2), metadata={op_name="jit(f)/mul"}'
)


def program(lines):
  return hlo.parse('ENTRY %main () -> f32[] {\n' + '\n'.join(lines) + '\n}\n')


def test_an_instruction_is_read_whole():
  read = program([LINE]).entry.root
  assert (read.name, read.opcode) == ('copy-start.32', 'copy-start')
  assert read.operands == ('param.2',)
  assert read.op_name == 'jit(f)/mul'
  assert [shape.dims for shape in read.shapes] == [(600, 16), (2,), ()]
  assert [shape.on_chip for shape in read.shapes] == [True, False, True]
  assert [shape.bytes for shape in read.shapes] == [38400.0, 4.0, 4.0]


def test_computations_know_their_parameters_and_users():
  lines = [
    '  %b = f32[2]{0} parameter(1)',
    '  %a = f32[2]{0} parameter(0)',
    '  %c = f32[2]{0} copy(%a)',
    '  ROOT %s = f32[2]{0} add(%c, %b)',
  ]
  entry = program(lines).entry
  assert [parameter.name for parameter in entry.parameters] == ['a', 'b']
  assert [user.name for user in entry.users['b']] == ['s']
  assert entry.behind('c').name == 'a'


def test_what_xla_compiles_here_is_read():
  def loop(x):
    return jax.lax.fori_loop(3, 10, lambda i, x: jnp.sin(x) + i, x)

  text = jax.jit(loop).lower(jnp.ones(4)).compile().as_text()
  read = hlo.parse(text)
  loops = [
    (instruction, computation)
    for computation in read.computations.values()
    for instruction in computation.instructions.values()
    if instruction.opcode == 'while'
  ]
  assert [read.turns(*found) for found in loops] == [7]


def test_text_without_a_program_is_refused():
  with pytest.raises(ValueError, match='no ENTRY'):
    hlo.parse('nothing')
