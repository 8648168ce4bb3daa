"""What each device holds, without devices."""

import pytest

from gemb.plan.chips import Topology
from gemb.plan.programs import StepProgram
from gemb.plan.sharding import SMALL, Held, abstract_layout, held_arrays


def held(run, topology):
  program = StepProgram(run=run)
  layout = abstract_layout(program, Topology(name=topology))
  return {
    f'{array.part}{array.name}': array for array in held_arrays(program, layout)
  }


def test_a_parameter_and_its_moments_lie_where_the_rules_say(tiny):
  run_arrays = held(tiny('MeshConfig.fsdp=4'), 'v5e:4x4')
  table = run_arrays["parameters['encoder']['table']"]
  assert table.logical == ('vocab', 'embed')
  assert table.split == (('tensor',), ('fsdp',))
  assert (table.bytes, table.copies) == (600 * 16 * 4 // 4, 4)
  moments = [name for name in run_arrays if name.endswith("['table']")]
  assert len(moments) == 3
  assert {run_arrays[name].logical for name in moments} == {table.logical}


def test_the_batch_is_split_over_data_and_fsdp(tiny):
  arrays = held(tiny('MeshConfig.fsdp=4'), 'v5e:4x4')
  query = arrays['batch.texts.query']
  assert query.split == (('data', 'fsdp'), ())
  assert query.bytes == 32 * 32 * 4 // 16


def test_a_mesh_that_does_not_fit_the_slice_is_refused(tiny):
  with pytest.raises(ValueError, match=r'needs a multiple of 3 devices'):
    held(tiny('MeshConfig.fsdp=3'), 'v5e:2x2')


def test_a_batch_that_the_devices_do_not_divide_is_refused(tiny):
  with pytest.raises(ValueError, match=r'batch_size is 32'):
    held(tiny(), 'v5e:8x8')


def test_only_large_arrays_that_are_whole_everywhere_are_replicated():
  def is_replicated(copies, bytes_):
    return Held(
      part='parameters',
      name='a',
      shape=(bytes_,),
      dtype='int8',
      logical=(),
      split=((),),
      bytes=bytes_,
      copies=copies,
      devices=8,
    ).is_replicated

  assert is_replicated(8, SMALL)
  assert not is_replicated(4, SMALL)
  assert not is_replicated(8, SMALL - 1)
