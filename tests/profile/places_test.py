"""Which part of the step an instruction belongs to."""

import jax
import jax.numpy as jnp
import pytest

from gemb.profile.places import COLLECTIVES, UNKNOWN, read_places

TEXT = """HloModule jit_train_step, is_scheduled=true

%fused (a: f32[2]) -> f32[2] {
  ROOT %scatter = f32[2]{0} reduce-scatter(%a), metadata={op_name="jit(f)/x"}
}

%body (a: f32[2]) -> f32[2] {
  %copy.1 = f32[2]{0} copy(%a)
  %ar = f32[2]{0} all-reduce(%copy.1), to_apply=%sum
  ROOT %mul = f32[2]{0} multiply(%ar), metadata={op_name="jit(f)/jvp(loss)/mul"}
}

%until (a: f32[2]) -> pred[] {
  ROOT %less = pred[] compare(%a), direction=LT
}

%sum (a: f32[]) -> f32[] {
  ROOT %add.1 = f32[] add(%a)
}

ENTRY %main (a: f32[2]) -> f32[2] {
  %copy.2 = f32[2]{0} copy(%a)
  %loop = f32[2]{0} while(%copy.2), condition=%until, body=%body, \
metadata={op_name="jit(f)/transpose(jvp(encoder))/while"}
  %both = f32[2]{0} fusion(%loop), kind=kCustom, calls=%fused
  %begin = f32[2]{0} async-start(%both), calls=%fused
  %end = f32[2]{0} async-done(%begin)
  ROOT %new = f32[2]{0} add(%end), metadata={op_name="jit(f)/optimizer/add"}
}
"""


def test_each_instruction_has_its_part():
  places = read_places(TEXT)
  assert places.module == 'jit_train_step'
  names = 'copy.2 loop copy.1 less mul ar add.1 both begin end new'
  assert {name: places.parts[name] for name in names.split()} == {
    'copy.2': UNKNOWN,
    'loop': 'encoder',
    'copy.1': 'encoder',  # XLA's own, but within the encoder's loop
    'less': 'encoder',
    'mul': 'loss',
    'ar': COLLECTIVES,
    'add.1': 'encoder',
    'both': COLLECTIVES,
    'begin': COLLECTIVES,
    'end': COLLECTIVES,
    'new': 'optimizer',
  }


def test_a_name_that_only_resembles_a_scope_is_none():
  line = '  ROOT %a = f32[] add(), metadata={op_name="jit(f)/encoder_loss/add"}'
  text = f'HloModule f\nENTRY %main () -> f32[] {{\n{line}\n}}\n'
  assert read_places(text).parts == {'a': UNKNOWN}


def test_the_scopes_of_a_gradient_are_found():
  @jax.jit
  def step(w, x):
    def loss(w):
      with jax.named_scope('encoder'):
        y = jnp.tanh(x @ w)
      with jax.named_scope('loss'):
        return jnp.mean(jax.nn.logsumexp(y @ y.T, axis=1))

    gradient = jax.grad(loss)(w)
    with jax.named_scope('optimizer'):
      return w - 0.1 * gradient

  text = step.lower(jnp.ones((8, 8)), jnp.ones((8, 8))).compile().as_text()
  assert {'encoder', 'loss', 'optimizer'} <= set(
    read_places(text).parts.values()
  )


def test_text_without_a_program_is_refused():
  with pytest.raises(ValueError, match='no ENTRY'):
    read_places('nothing')
