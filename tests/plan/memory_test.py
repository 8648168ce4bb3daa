"""Whose memory it is, out of the compiler's notes."""

from gemb.plan import memory
from gemb.profile import hlo

PROGRAM = """
ENTRY %main (a: f32[64,8]) -> f32[64,8] {
  %a = f32[64,8]{1,0} parameter(0)
  %mlp = f32[16,8]{1,0} negate(%a), \
metadata={op_name="jit(s)/jvp()/EmbedderModule/mlp"}
  %tile = f32[32,8]{1,0} negate(%mlp), metadata={op_name="jit(s)/jvp(loss)/exp"}
  %grad = f32[64,8]{1,0} negate(%tile), \
metadata={op_name="jit(s)/transpose(jvp())/mul"}
  %bare = f32[16,8]{1,0} custom-call(), custom_call_target="AllocateBuffer"
  %sum = f32[64,8]{1,0} all-reduce(%grad), replica_groups=[1,4]<=[4]
  ROOT %new = f32[64,8]{1,0} add(%sum, %bare), metadata={op_name="jit(s)/mul"}
}
"""
ASSIGNMENT = """BufferAssignment:
allocation 0: size 2048, parameter 0, shape |f32[64,8]| at ShapeIndex {}:
 value: <0 a @0> (size=2048,offset=0): f32[64,8]{1,0}
allocation 1: size 999999, color 1, preallocated-temp:
 value: <9 new @1> (size=999999,offset=0): f32[64,8]{1,0:S(1)}
allocation 2: size 8192, preallocated-temp:
 value: <1 mlp{} @0> (size=512,offset=0): f32[16,8]{1,0}
 value: <2 tile{} @0> (size=1024,offset=512): f32[32,8]{1,0}
 value: <3 grad{} @0> (size=2048,offset=2048): f32[64,8]{1,0}
 value: <4 bare{} (phi) @0> (size=512,offset=4096): f32[16,8]{1,0}
 value: <5 sum{} @0> (size=2048,offset=6144): f32[64,8]{1,0}
"""
RANGES = """HloLiveRange (max 6):
  BufferLiveRange:
    mlp{}:1-2
    tile{}:1-4
    grad{}:3-5
    bare{}:4-6
    sum{}:4-6
  Live ranges at 4 (peak):
"""


def notes(folder):
  (folder / 'm.after_optimizations-buffer-assignment.txt').write_text(
    ASSIGNMENT
  )
  (folder / 'm.after_optimizations-live-range.txt').write_text(RANGES)
  return memory.read_notes(folder)


def test_only_temporary_hbm_is_read(tmp_path):
  found = notes(tmp_path)
  assert found.size == 8192
  assert [value.name for value in found.values] == [
    'mlp',
    'tile',
    'grad',
    'bare',
    'sum',
  ]


def test_bytes_of_the_fullest_moment_belong_to_what_made_them(tmp_path):
  found = memory.attribute(notes(tmp_path), hlo.parse(PROGRAM), {(64, 8)})
  assert found == {
    'parameters': 0,
    'gradients': 2048,
    # It has no path of its own, and is used by the update.
    'optimizer': 512,
    'activations': 0,  # no longer needed then
    'loss': 1024,
    'collectives': 2048,
    'other': 8192 - 2048 - 512 - 1024 - 2048,
  }


def test_values_that_share_a_place_are_counted_once(tmp_path):
  found = notes(tmp_path)
  twice = memory.Notes(found.size, found.values * 2)
  program = hlo.parse(PROGRAM)
  assert memory.attribute(twice, program, set()) == memory.attribute(
    found, program, set()
  )


def test_without_notes_there_is_nothing_to_tell(tmp_path):
  assert memory.read_notes(tmp_path) is None
