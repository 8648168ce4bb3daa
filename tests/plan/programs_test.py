"""What is compiled is the run's own step."""

import jax
import jax.numpy as jnp
import pytest

from gemb.losses.config import LossConfig
from gemb.plan import costs, flops
from gemb.plan.programs import LossProgram, StepProgram
from gemb.profile import hlo


def counted(program):
  compiled = program.lower(program.layout(jax.devices())).compile()
  return 8 * costs.count(hlo.parse(compiled.as_text())).flops


def test_a_step_computes_the_models_flops_and_one_more_forward_pass(tiny):
  # Whole rows of attention are computed, so let all be seen.
  run = tiny('EncoderConfig.global_every=1')
  own, _ = flops.step_flops(run.model, run.loss, run.data, None)
  found = counted(StepProgram(run=run))
  # Some of the smallest products are no dots once they are compiled.
  assert 1.32 * own <= found <= 1.4 * own


def test_a_loss_computes_its_cosines_once_more_in_the_backward_pass():
  loss = LossConfig(prefixes=(64, 128), temperature=0.05, tile=16)
  program = LossProgram(loss=loss, pairs=256, width=128, hard_negatives=1)
  own = 3 * flops.loss_flops(loss, 256, 1)
  assert 1.32 * own <= counted(program) <= 1.4 * own


def test_the_batch_has_the_largest_shape(tiny):
  program = StepProgram(run=tiny('DataConfig.shapes=((8, 8), (16, 32))'))
  _, batch = program.arguments(program.layout(jax.devices()))
  assert batch.texts.query.shape == (32, 16)
  assert batch.texts.negatives.shape == (32, 1, 32)
  assert batch.teacher is None


@pytest.mark.parametrize(
  # A shard has 4 examples of 3 texts, of which a row takes one, or four.
  ('tokens', 'rows'),
  [(None, 8 * 12), (16, 8 * 4)],
)
def test_packed_texts_have_rows_for_the_longest_or_so_many_tokens(
  tiny, tokens, rows
):
  run = tiny(
    'DataConfig.packing=@PackingConfig()',
    'PackingConfig.row_length=64',
    'DataConfig.shapes=((40, 40),)',
  )
  program = StepProgram(run=run, tokens=tokens)
  _, batch = program.arguments(program.layout(jax.devices()))
  assert batch.texts.tokens.shape == (rows, 64)
  assert batch.texts.place.dtype == jnp.int32


def test_a_key_changes_with_what_is_compiled_and_with_nothing_else(tiny):
  key = StepProgram(run=tiny()).key()
  assert StepProgram(run=tiny('Run.log_every_steps=3')).key() == key
  assert StepProgram(run=tiny('Run.microbatch=32')).key() != key
  assert StepProgram(run=tiny(), tokens=3).key() != key
  guarded = 'Run.guard=@GuardConfig()', "GuardConfig.not_finite='skip'"
  assert StepProgram(run=tiny(*guarded)).key() != key
  assert StepProgram(run=tiny(*guarded[:1])).key() == key


def test_a_step_that_may_be_left_out_is_lowered_with_what_it_remembers(tiny):
  run = tiny('Run.guard=@GuardConfig()', "GuardConfig.spike='skip'")
  program = StepProgram(run=run)
  lowered = program.lower(program.layout(jax.devices()))
  metrics = lowered.out_info[1]
  assert metrics['skipped'].shape == metrics['seen'].usual.shape == ()
