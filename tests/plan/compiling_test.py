"""The compiler itself, for TPUs that are not there."""

import importlib.util

import jax
import pytest

from gemb.plan import compiling
from gemb.plan.chips import Topology
from gemb.plan.compiler import compile_program
from gemb.plan.flops import step_flops
from gemb.plan.programs import StepProgram


@pytest.mark.parametrize(
  ('message', 'bytes_'),
  [
    (
      'Ran out of memory in memory space hbm. Used 17.50G of 15.75G hbm.',
      (35 * 2**29, 63 * 2**28),
    ),
    (
      'the total memory required for HLO temporaries (512.0M) exceeds '
      'available HBM (1.00K).',
      (2**29, 2**10),
    ),
    ('INTERNAL: another reason', None),
  ],
)
def test_the_compilers_numbers_are_read_off_its_message(message, bytes_):
  assert compiling.out_of_memory(message) == bytes_


def test_parameters_are_known_whole_split_and_by_layer(tiny):
  program = StepProgram(run=tiny('MeshConfig.fsdp=4'))
  state, _ = program.arguments(program.layout(jax.devices()))
  found = compiling.parameter_shapes(state)
  # Two layers of 16 x 32, the first of which axes is split in four.
  assert {(2, 16, 32), (2, 4, 32), (16, 32), (4, 32)} <= found
  assert not any(len(shape) == 1 for shape in found)


@pytest.mark.skipif(
  importlib.util.find_spec('libtpu') is None,
  reason="libtpu is not installed: pip install -e '.[plan]'",
)
def test_a_tiny_step_is_compiled_for_four_chips(tiny, tmp_path, monkeypatch):
  monkeypatch.setenv('GEMB_DATA', str(tmp_path))
  run = tiny('EncoderConfig.global_every=1')
  found = compile_program(StepProgram(run=run), Topology(name='v5e:2x2'))
  assert found.fits
  assert 15 * 2**30 < found.capacity < 16 * 2**30
  own = sum(step_flops(run.model, run.loss, run.data, None))
  assert 1.32 * own < 4 * found.flops < 1.4 * own
  assert not found.unknown
  assert sum(found.parts.values()) == found.temporary
  assert {'all-reduce'} <= {which.kind for which, _ in found.collectives}
