"""Has a program compiled for a TPU slice, once; what was found is kept."""

import dataclasses
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import operator
import os
import pathlib
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from gemb import files
from gemb.data import locks
from gemb.data.archives import data_dir, make_folder
from gemb.plan.chips import Topology
from gemb.plan.collectives import Collective
from gemb.plan.compiling import LOCKED
from gemb.plan.programs import Program

# What libtpu asks its surroundings for where it finds no TPU.
_ENVIRONMENT = {
  'JAX_PLATFORMS': 'cpu',
  'TPU_SKIP_MDS_QUERY': '1',
  'TPU_WORKER_HOSTNAMES': 'localhost',
  'TPU_ACCELERATOR_TYPE': '',
  'TF_CPP_MIN_LOG_LEVEL': '3',
}
_PACKAGES = ('jax', 'jaxlib', 'libtpu', 'flax', 'optax')
# What decides how a step is compiled, and what is read off it.
_SOURCES = (
  'axes.py',
  'types.py',
  'packed.py',
  'data/packing.py',
  'model',
  'losses',
  'train',
  'plan/programs.py',
  'plan/compiling.py',
  'profile/hlo.py',
  'plan/costs.py',
  'plan/collectives.py',
  'plan/memory.py',
)
_WAIT = 5  # seconds between two looks at libtpu's lock

Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compiled:
  """What the compiler made of a program; bytes and FLOPs are of one device.

  Attributes:
    capacity: bytes of HBM, as the compiler sees it.
    needed: bytes of HBM in all.
    fits: whether that is at most the capacity. Where it does not, the compiler
      gives up, and nothing else is known.
    seconds: that compiling took.
    arguments: bytes of state and batch.
    outputs: bytes of results that take no argument's place.
    code: bytes of the program itself.
    temporary: bytes of all else.
    stated_temporary: the same as XLA's memory_analysis has it, which on TPUs
      counts the chip's own memory too.
    parts: whose the temporary bytes are when most are needed.
    flops: of matrix products, every turn of a loop counted.
    stated_flops: as XLA's cost analysis has them, loops counted once.
    hbm: bytes read and written.
    collectives: what is exchanged, and the bytes that a device has for it.
    unknown: what could not be counted.
  """

  capacity: int
  needed: int
  fits: bool
  seconds: float = 0.0
  arguments: int = 0
  outputs: int = 0
  code: int = 0
  temporary: int = 0
  stated_temporary: int = 0
  parts: dict[str, int] = dataclasses.field(default_factory=dict)
  flops: float = 0.0
  stated_flops: float = 0.0
  hbm: float = 0.0
  collectives: tuple[tuple[Collective, float], ...] = ()
  unknown: tuple[str, ...] = ()


def compile_program(
  program: Program, topology: Topology, *, say: Say = print
) -> Compiled:
  """Returns what the compiler makes of a program, now or before.

  Args:
    program: what to compile.
    topology: for which chips.
    say: told of what takes long.

  Raises:
    ValueError: if libtpu is not there, knows no such slice, or if the program
      does not fit the mesh.
    RuntimeError: if the compiler fails for another reason than memory.
  """
  check_libtpu()
  folder = make_folder(data_dir() / 'plans')
  file = folder / f'{_key(program, topology)}.json'
  if not file.is_file():
    # One compile at a time, in the order in which they were asked for.
    with locks.hold(folder / '.lock', wait=False) as free:
      if free:
        _compile_into(file, program, topology, say)
    if not free:
      say('Another `gemb plan` is compiling; waiting for it.')
      with locks.hold(folder / '.lock'):
        _compile_into(file, program, topology, say)
  return from_json(json.loads(file.read_text(encoding='utf-8')))


def check_libtpu() -> None:
  """Raises ValueError unless libtpu is installed."""
  if importlib.util.find_spec('libtpu') is None:
    raise ValueError(
      'Compiling for a TPU needs libtpu, which is not installed: pip install '
      "-e '.[plan]'. It needs no TPU."
    )


def _compile_into(
  file: pathlib.Path, program: Program, topology: Topology, say: Say
) -> None:
  """Writes the answer, unless the process that was waited for has done so."""
  if file.is_file():
    return
  found = _in_child(program, topology, say)
  content = {'program': program.key(), 'topology': str(topology), **found}
  files.write_file(file, json.dumps(content, indent=1))


def from_json(found: dict[str, Any]) -> Compiled:
  """Returns what `gemb.plan.compiling` found."""
  capacity = found['capacity']
  if 'out_of_memory' in found:
    return Compiled(
      capacity=capacity, needed=found['out_of_memory'], fits=False
    )
  sizes = ('arguments', 'outputs', 'code', 'temporary')
  needed = sum(found[name] for name in sizes)
  names = {field.name for field in dataclasses.fields(Compiled)}
  kept = {name: value for name, value in found.items() if name in names}
  return Compiled(
    **kept
    | {
      'needed': needed,
      'fits': needed <= capacity,
      'collectives': tuple(
        (Collective(kind, devices, between), given)
        for kind, devices, between, given in map(
          operator.itemgetter('kind', 'devices', 'between_slices', 'bytes'),
          found['collectives'],
        )
      ),
      'unknown': tuple(found['unknown']),
    }
  )


def _in_child(program: Program, topology: Topology, say: Say) -> dict[str, Any]:
  """Compiles in another process; waits for libtpu's lock if need be."""
  with tempfile.TemporaryDirectory() as folder:
    request = pathlib.Path(folder) / 'request'
    request.write_bytes(pickle.dumps((program, topology)))
    waiting = False
    while True:
      status, output, errors = _run(request, say)
      if status != LOCKED:
        break
      if not waiting:
        say('Another process holds libtpu (/tmp/libtpu_lockfile); waiting.')
      waiting = True
      time.sleep(_WAIT)
  lines = output.splitlines()
  if os.environ.get('GEMB_DEBUG'):
    print(errors, file=sys.stderr)
  if status or not lines:
    raise RuntimeError(f'The compiler failed: {_last_line(errors)}')
  found = json.loads(lines[-1])
  if 'error' in found:
    raise ValueError(found['error'])
  return found


def _run(request: pathlib.Path, say: Say) -> tuple[int, str, str]:
  """Runs the child; tells every now and then that it is at work."""
  environment = os.environ | _ENVIRONMENT
  # It sets up simulated devices, or shares a cache with other platforms.
  environment.pop('XLA_FLAGS', None)
  environment.pop('JAX_COMPILATION_CACHE_DIR', None)
  process = subprocess.Popen(
    [sys.executable, '-m', 'gemb.plan.compiling', str(request)],
    env=environment,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  started = time.monotonic()
  try:
    with _Progress(say) as progress:
      while True:
        try:
          output, errors = process.communicate(timeout=1)
          return process.returncode, output, errors
        except subprocess.TimeoutExpired:
          progress(time.monotonic() - started)
  finally:
    process.kill()
    process.wait()


class _Progress:
  """One line on a terminal, which counts seconds; a line a minute elsewhere."""

  def __init__(self, say: Say):
    self._say = say
    self._terminal = sys.stderr.isatty()
    self._said = 0

  def __enter__(self) -> Callable[[float], None]:
    return self._tell

  def __exit__(self, *_) -> None:
    if self._terminal:
      print('\r\x1b[K', end='', file=sys.stderr, flush=True)

  def _tell(self, seconds: float) -> None:
    line = f'Compiling: {seconds:.0f} s'
    if self._terminal:
      print(f'\r{line}', end='', file=sys.stderr, flush=True)
    elif seconds // 60 > self._said:
      self._said = int(seconds // 60)
      self._say(line)


def _last_line(text: str) -> str:
  lines = [line.strip() for line in text.splitlines() if line.strip()]
  notes = ('For simplicity, JAX', '-----')
  lines = [line for line in lines if not line.startswith(notes)]
  return lines[-1] if lines else 'it gave no reason.'


def _key(program: Program, topology: Topology) -> str:
  """Returns what the answer depends on, as a file's name."""
  versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
  content = [program.key(), str(topology), versions, _sources()]
  text = json.dumps(content, sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()[:32]


@functools.cache
def _sources() -> str:
  """Returns a hash of the code that decides what is compiled."""
  root = pathlib.Path(__file__).parents[1]
  found = hashlib.sha256()
  for name in _SOURCES:
    path = root / name
    for file in sorted(path.rglob('*.py')) if path.is_dir() else [path]:
      found.update(file.relative_to(root).as_posix().encode())
      found.update(file.read_bytes())
  return found.hexdigest()
