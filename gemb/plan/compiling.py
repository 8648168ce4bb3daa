"""Compiles a program for a TPU slice, in a process of its own: its main part.

`gemb.plan.compiler` starts `python -m gemb.plan.compiling FILE`, with the
environment that libtpu wants where there is no TPU. FILE holds a pickled
(program, topology); what was found is printed as JSON on the last line.
"""

import dataclasses
import json
import pathlib
import pickle
import re
import sys
import tempfile
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gemb.plan import costs, memory
from gemb.plan.chips import Topology
from gemb.plan.programs import Program
from gemb.profile import hlo

# libtpu's own words for its lock, which another process holds.
_LOCKED = ('libtpu multi-process lockfile', 'TPU is already in use')
LOCKED = 75  # exit status: try again later
_TOO_LARGE = (2**21, 2**20)  # 8 TiB of float32, which no chip holds
_UNITS = {'': 1, 'K': 2**10, 'M': 2**20, 'G': 2**30, 'T': 2**40}
_OUT_OF_MEMORY = re.compile(
  r'\(([\d.]+)([KMGT]?)\) exceeds available HBM \(([\d.]+)([KMGT]?)\)'
  r'|Used ([\d.]+)([KMGT]?) of ([\d.]+)([KMGT]?) hbm'
)


def main(file: str) -> int:
  """Compiles what the file holds; prints what was found."""
  program, topology = pickle.loads(pathlib.Path(file).read_bytes())
  try:
    devices = find_devices(topology)
  except jax.errors.JaxRuntimeError as error:
    if any(words in str(error) for words in _LOCKED):
      return LOCKED
    print(json.dumps({'error': _no_topology(topology, error)}))
    return 0
  print(json.dumps(examine(program, devices)))
  return 0


def find_devices(topology: Topology) -> list[Any]:
  """Returns the chips of a topology, as libtpu describes them."""
  options = dict(topology.chip.topology_options)
  if topology.slices > 1:
    options['num_slices'] = topology.slices
  found = topologies.get_topology_desc(
    platform='tpu', topology_name=topology.name, **options
  )
  return list(found.devices)


def examine(program: Program, devices: list[Any]) -> dict[str, Any]:
  """Compiles a program; returns what there is to say about it, as JSON."""
  found: dict[str, Any] = {'capacity': capacity(devices[0])}
  layout = program.layout(devices)
  started = time.monotonic()
  lowered = program.lower(layout)
  with tempfile.TemporaryDirectory() as dump:
    options = {'xla_dump_to': dump, 'xla_dump_hlo_as_text': True}
    try:
      compiled = lowered.compile(compiler_options=options)
    except jax.errors.JaxRuntimeError as error:
      if (needed := out_of_memory(str(error))) is None:
        raise
      return found | {'out_of_memory': needed[0]}
    seconds = time.monotonic() - started
    read = hlo.parse(compiled.as_text() or '')
    notes = memory.read_notes(pathlib.Path(dump))
  counted = costs.count(read)
  shapes = parameter_shapes(program.arguments(layout)[0])
  stated: Any = compiled.memory_analysis()
  return found | {
    'seconds': seconds,
    'arguments': stated.argument_size_in_bytes,
    'outputs': stated.output_size_in_bytes - stated.alias_size_in_bytes,
    'code': stated.generated_code_size_in_bytes,
    'stated_temporary': stated.temp_size_in_bytes,
    'temporary': notes.size if notes else stated.temp_size_in_bytes,
    'parts': memory.attribute(notes, read, shapes) if notes else {},
    'flops': counted.flops,
    'stated_flops': (compiled.cost_analysis() or {}).get('flops', 0.0),
    'hbm': counted.hbm,
    'collectives': [
      dataclasses.asdict(which) | {'bytes': given}
      for which, given in counted.collectives.items()
    ],
    'unknown': sorted(counted.unknown),
  }


def parameter_shapes(state: Any) -> set[tuple[int, ...]]:
  """Returns the shapes that parameters have: whole, on a device, of a layer."""
  found = set()
  for array in jax.tree.leaves(getattr(state, 'params', ())):
    for shape in (array.shape, array.sharding.shard_shape(array.shape)):
      found |= {shape, shape[1:]} if len(shape) > 2 else {shape}
  return {shape for shape in found if len(shape) > 1}


def capacity(device: Any) -> int:
  """Returns the bytes of HBM that the compiler sees on a device.

  It says so when something does not fit: so it is given what cannot.
  """
  sharding = NamedSharding(Mesh(np.array([device]), ('x',)), PartitionSpec())
  shape = jax.ShapeDtypeStruct(_TOO_LARGE, jnp.float32, sharding=sharding)
  try:
    jax.jit(lambda x: x + 1).lower(shape).compile()
  except jax.errors.JaxRuntimeError as error:
    if needed := out_of_memory(str(error)):
      return needed[1]
    raise
  raise RuntimeError('The compiler thinks that 8 TiB fit into a chip.')


def out_of_memory(message: str) -> tuple[int, int] | None:
  """Returns the bytes that a compile needed and had, if it failed for them.

  >>> out_of_memory('... hbm. Used 17.50G of 15.75G hbm. ...')
  (18790481920, 16911433728)
  """
  found = _OUT_OF_MEMORY.search(message)
  if not found:
    return None
  numbers = [part for part in found.groups() if part is not None]
  needed, had = (
    int(float(number) * _UNITS[unit])
    for number, unit in (numbers[:2], numbers[2:])
  )
  return needed, had


def _no_topology(topology: Topology, error: Exception) -> str:
  reason = str(error).partition(':')[2].strip().splitlines()[0]
  return f'libtpu knows no slice {topology.name}: {reason}.'


if __name__ == '__main__':
  sys.exit(main(sys.argv[1]))
