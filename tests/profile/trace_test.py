"""What is read out of a profile."""

import jax

from gemb.profile.trace import Operation, Span, make_trace

NAMES = """
  stat_metadata { key: 1 value { id: 1 name: "hlo_op" } }
  stat_metadata { key: 2 value { id: 2 name: "hlo_module" } }
  stat_metadata { key: 3 value { id: 3 name: "program_id" } }
  stat_metadata { key: 4 value { id: 4 name: "device_ordinal" } }
  stat_metadata { key: 5 value { id: 5 name: "_p" } }
  stat_metadata { key: 6 value { id: 6 name: "_c" } }
"""

CPU = f"""
planes {{
  name: "/host:CPU" {NAMES}
  event_metadata {{ key: 1 value {{ id: 1 name: "gemb.input" }} }}
  event_metadata {{ key: 2 value {{ id: 2 name: "dot.1" }} }}
  event_metadata {{ key: 3 value {{ id: 3 name: "Rendezvous" }} }}
  event_metadata {{ key: 4 value {{ id: 4 name: "end: dot.1" }} }}
  lines {{
    name: "python" timestamp_ns: 100
    events {{ metadata_id: 1 offset_ps: 5000 duration_ps: 7000 }}
  }}
  lines {{
    name: "worker" timestamp_ns: 100
    events {{
      metadata_id: 2 offset_ps: 20000 duration_ps: 10000
      stats {{ metadata_id: 1 str_value: "dot.1" }}
      stats {{ metadata_id: 2 str_value: "jit_f" }}
      stats {{ metadata_id: 3 int64_value: 8 }}
      stats {{ metadata_id: 4 int64_value: 3 }}
      stats {{ metadata_id: 5 uint64_value: 77 }}
    }}
    events {{ metadata_id: 3 offset_ps: 20000 duration_ps: 2000 }}
  }}
  lines {{
    name: "another worker" timestamp_ns: 100
    events {{
      metadata_id: 4 offset_ps: 45000 duration_ps: 1000
      stats {{ metadata_id: 6 uint64_value: 77 }}
    }}
  }}
}}
"""

GPU = f"""
planes {{
  name: "/device:GPU:1" {NAMES}
  event_metadata {{ key: 1 value {{ id: 1 name: "gemm_fusion" }} }}
  lines {{
    name: "Stream #13(Compute)"
    events {{
      metadata_id: 1 offset_ps: 20000 duration_ps: 10000
      stats {{ metadata_id: 1 str_value: "fusion.7" }}
      stats {{ metadata_id: 2 str_value: "jit_f" }}
    }}
  }}
}}
"""

TPU = """
planes {
  name: "/device:TPU:0"
  event_metadata { key: 1 value { id: 1 name: "jit_f(12)" } }
  event_metadata { key: 2 value { id: 2 name: "%copy.1 = f32[2] copy(%a)" } }
  lines {
    name: "XLA Modules"
    events { metadata_id: 1 offset_ps: 10000 duration_ps: 50000 }
  }
  lines {
    name: "XLA Ops"
    events { metadata_id: 2 offset_ps: 20000 duration_ps: 10000 }
  }
}
"""


def read(text):
  return make_trace(jax.profiler.ProfileData.from_text_proto(text))


def test_a_cpu_says_in_each_event_what_it_ran_and_where_that_ends():
  trace = read(CPU)
  assert trace.spans == [Span('input', 105.0, 112.0)]
  assert trace.operations == [
    Operation('3', '', 'jit_f', '8', 'dot.1', 120.0, 145.0)
  ]


def test_the_devices_of_a_gpu_are_its_planes_and_its_streams_their_lines():
  (operation,) = read(GPU).operations
  assert operation == Operation(
    device='/device:GPU:1',
    line='Stream #13(Compute)',
    module='jit_f',
    program=None,
    name='fusion.7',
    start=20.0,
    end=30.0,
  )


def test_a_tpu_has_a_line_for_the_programs():
  assert read(TPU).operations == [
    Operation('/device:TPU:0', 'XLA Ops', 'jit_f', '12', 'copy.1', 20.0, 30.0)
  ]
