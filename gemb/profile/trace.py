"""What the profiler of JAX has written, read into spans of time.

Its planes are a machine's processors, their lines its threads or streams, and
the events of a line nest. CPUs and GPUs say in each event which instruction of
which program it ran; TPUs have a line for the programs and one for the
instructions. All times are of one clock, in nanoseconds.
"""

import bisect
import contextlib
import dataclasses
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

import jax

_MARK = 'gemb.'  # begins the names of our own spans
_HOST = '/host:'  # begins the names of planes that CPUs share
_END = 'end: '  # of an instruction that has gone on in other threads

_NAME = re.compile(r'%?([\w.-]+)')


@dataclasses.dataclass(frozen=True)
class Span:
  """Something that the host did.

  Attributes:
    name: what.
    start: when it began.
    end: when it ended.
  """

  name: str
  start: float
  end: float


@dataclasses.dataclass(frozen=True)
class Operation:
  """An instruction that a device ran.

  Attributes:
    device: which one.
    line: which of its streams; what a stream runs nests. A CPU has none.
    module: the program's name.
    program: which of those that are named so; None if it is not said.
    name: the instruction's.
    start: when it began.
    end: when it ended.
  """

  device: str
  line: str
  module: str
  program: str | None
  name: str
  start: float
  end: float


@dataclasses.dataclass(frozen=True)
class Trace:
  """What happened.

  Attributes:
    spans: of the host, those alone that are marked.
    operations: of all devices of this process.
  """

  spans: list[Span]
  operations: list[Operation]


def mark(name: str) -> contextlib.AbstractContextManager:
  """Makes what the host does a span of the trace, if there is one."""
  return jax.profiler.TraceAnnotation(_MARK + name)


def read_trace(path: str | os.PathLike) -> Trace:
  """Reads a file HOST.xplane.pb."""
  return make_trace(jax.profiler.ProfileData.from_file(os.fspath(path)))


def make_trace(profile: jax.profiler.ProfileData) -> Trace:
  """Picks out of a profile what counts here."""
  trace = Trace([], [])
  for plane in profile.planes:
    lines = {line.name: line for line in plane.lines}
    if 'XLA Ops' in lines and 'XLA Modules' in lines:
      trace.operations.extend(
        _tpu_operations(plane.name, lines['XLA Modules'], lines['XLA Ops'])
      )
    else:
      events = [event for line in plane.lines for event in line.events]
      trace.spans.extend(_spans(events))
      trace.operations.extend(_operations(plane))
  return trace


def _spans(events: Iterable[Any]) -> Iterator[Span]:
  for event in events:
    if event.name.startswith(_MARK):
      name = event.name.removeprefix(_MARK)
      yield Span(name, event.start_ns, _end(event))


def _operations(plane: Any) -> Iterator[Operation]:
  """Yields what CPUs and GPUs ran.

  An instruction of a CPU that goes on in other threads has an event where it
  ends, which names it by a number.
  """
  events = [(line.name, event) for line in plane.lines for event in line.events]
  ends = {
    dict(event.stats).get('_c'): event.start_ns
    for _, event in events
    if event.name.startswith(_END)
  }
  for line, event in events:
    stats = dict(event.stats) if event.duration_ns else {}
    if 'hlo_op' in stats:
      program = stats.get('program_id')
      yield Operation(
        device=str(stats.get('device_ordinal', plane.name)),
        # The threads of a CPU run parts of one instruction.
        line='' if plane.name.startswith(_HOST) else line,
        module=str(stats.get('hlo_module', '')),
        program=None if program is None else str(program),
        name=str(stats['hlo_op']),
        start=event.start_ns,
        end=max(_end(event), ends.get(stats.get('_p', ''), 0)),
      )


def _tpu_operations(device: str, modules: Any, ops: Any) -> Iterator[Operation]:
  """Yields what a TPU ran; its modules are named such as 'jit_f(123)'."""
  runs = sorted(modules.events, key=lambda event: event.start_ns)
  starts = [run.start_ns for run in runs]
  for event in ops.events:
    at = bisect.bisect_right(starts, event.start_ns) - 1
    name = _NAME.match(event.name)
    if at < 0 or not name:
      continue
    module, _, program = runs[at].name.partition('(')
    yield Operation(
      device=device,
      line=ops.name,
      module=module,
      program=program.rstrip(')') or None,
      name=name.group(1),
      start=event.start_ns,
      end=_end(event),
    )


def _end(event: Any) -> float:
  return event.start_ns + event.duration_ns
