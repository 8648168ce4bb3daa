"""The search, on a compiler that answers by arithmetic."""

import dataclasses

import pytest

from gemb.plan import search as search_module
from gemb.plan.chips import Topology
from gemb.plan.programs import StepProgram
from gemb.plan.search import Search, Setting

SLICE = Topology(name='v5e:4x4')


def search(run, answer, topology=SLICE):
  """Returns a search, and the lines that it says."""
  said = []
  program = StepProgram(run=run)
  return Search(program, topology, answer, said.append), said


@pytest.fixture
def no_state(monkeypatch):
  """Lets the state be as nothing: to look at it takes most of the time."""
  monkeypatch.setattr(search_module, 'held_arrays', lambda *_: [])


@pytest.fixture
def memory(compiled):
  """Answers: memory is used as a formula of the run says."""

  def make(needed, hbm=lambda run: 1e9):
    def answer(program):
      use = needed(program.run)
      return dataclasses.replace(
        compiled,
        needed=use,
        fits=use <= compiled.capacity,
        hbm=float(hbm(program.run)),
        flops=1e6,
        collectives=(),
      )

    return answer

  return make


@pytest.mark.usefixtures('no_state')
def test_the_largest_batch_is_a_power_of_two_times_the_runs(tiny, memory):
  answer = memory(lambda run: run.data.batch_size * 2**26)
  found, said = search(tiny(), answer)
  best = found.largest()
  assert best.setting.batch == 256
  assert sum('does not fit' in line for line in said) >= 1


@pytest.mark.usefixtures('no_state')
def test_a_smaller_microbatch_makes_room_for_a_larger_batch(tiny, memory):
  answer = memory(lambda run: (run.data.batch_size + 7 * run.microbatch) << 26)
  found, _ = search(tiny('Run.microbatch=32'), answer)
  best = found.largest().setting
  assert (best.batch, best.microbatch) == (128, 16)


@pytest.mark.usefixtures('no_state')
def test_the_fastest_setting_reads_the_least(tiny, memory):
  def reads(run):
    return 1e12 / run.microbatch * (1 + (run.compute.remat != 'dots'))

  answer = memory(lambda run: 2**30, reads)
  found, _ = search(tiny(), answer)
  best = found.fastest()
  assert best.setting.microbatch == 32
  assert best.setting.remat == 'dots'


def test_nothing_is_compiled_twice_or_against_the_mesh(tiny, memory):
  asked = []
  plain = memory(lambda run: 2**30)

  def answer(program):
    asked.append(repr(program.run))
    return plain(program)

  found, said = search(tiny(), answer)
  found.fastest()
  assert len(set(asked)) == len(asked) > 1
  # One key head cannot be split.
  assert any('not compiled' in line and 'kv_heads' in line for line in said)


@pytest.mark.usefixtures('no_state')
def test_a_slice_that_is_too_small_is_told(tiny, memory):
  answer = memory(lambda run: 2**50)
  found, _ = search(tiny(), answer)
  with pytest.raises(ValueError, match='No setting of 32 pairs fits v5e:4x4'):
    found.largest()


def test_bindings_make_the_run_that_was_found(tiny):
  run = tiny()
  setting = dataclasses.replace(
    Setting.of(run, SLICE), batch=64, remat='layers', mesh=(4, 4, 1), tile=512
  )
  given = [
    b.removeprefix('--gin.').replace('"', '') for b in setting.bindings()
  ]
  assert tiny(*given) == setting.apply(run)
