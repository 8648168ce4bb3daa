"""Where the time of the profiled steps went, so that it adds up.

Each moment of each device goes to one row. If the device runs the train step,
that is the part of the step that its instruction belongs to, whatever the host
does meanwhile: what is hidden behind the devices costs nothing. If it does not,
the host counts: it waits for a batch, compiles, saves, evaluates; else 'host'.
Of the streams of one device, collectives count where no other one computes.
Devices are averaged, and so the rows add up to the time that passed.
"""

import dataclasses
import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gemb.markdown import markdown
from gemb.profile.places import COLLECTIVES, SCOPES, UNKNOWN, Places
from gemb.profile.trace import Trace

WINDOW = 'window'  # names the span of all profiled steps
COMPILATION = 'compilation'  # of a batch shape that was not seen before
SPANS = ('input', COMPILATION, 'checkpoint', 'evaluation')
HOST = 'host'
ROWS = ('input', *SCOPES, COLLECTIVES, *SPANS[1:], UNKNOWN, HOST)

# What counts more if several things go on: later ones.
_HOST, _ELSEWHERE, _SPAN, _COLLECTIVE, _STEP = range(5)


@dataclasses.dataclass(frozen=True)
class Table:
  """Where the time went.

  Attributes:
    steps: how many were profiled.
    devices: how many have run something: those of this process.
    seconds: that passed.
    parts: of them, those of each of ROWS.
    waits: of them, those that the host spent in each of SPANS, hidden or not.
  """

  steps: int
  devices: int
  seconds: float
  parts: dict[str, float]
  waits: dict[str, float]

  def summary(self) -> dict[str, Any]:
    """Returns it as JSON holds it: milliseconds a step, and percent."""
    return {
      'steps': self.steps,
      'devices': self.devices,
      'milliseconds_a_step': self._milliseconds(self.seconds),
      'rows': {
        name: {
          'milliseconds': self._milliseconds(seconds),
          'percent': self._percent(seconds),
        }
        for name, seconds in self.parts.items()
      },
      'waits': {n: self._milliseconds(s) for n, s in self.waits.items()},
    }

  def markdown(self) -> str:
    """Returns it for people."""
    lines = [['part', 'ms a step', 'percent', 'host, in all']]
    for name, seconds in (*self.parts.items(), ('all', self.seconds)):
      wait = self.waits.get(name)
      lines.append(
        [
          name,
          f'{self._milliseconds(seconds):.2f}',
          f'{self._percent(seconds):.1f}',
          '' if wait is None else f'{self._milliseconds(wait):.2f}',
        ]
      )
    return markdown(lines)

  def _milliseconds(self, seconds: float) -> float:
    return seconds * 1000 / self.steps

  def _percent(self, seconds: float) -> float:
    return seconds * 100 / self.seconds


def make_table(trace: Trace, programs: Sequence[Places], steps: int) -> Table:
  """Shares the time of a trace out.

  Args:
    trace: with a span WINDOW.
    programs: the compiled train step for each shape of batch, in the order in
      which they first ran.
    steps: how many were profiled.

  Raises:
    ValueError: if the trace has no such span, or none of the train step's
      instructions: what the profiler of JAX says of these devices cannot be
      read here.
  """
  window = next((s for s in trace.spans if s.name == WINDOW), None)
  if window is None:
    raise ValueError('The trace does not say when its steps began and ended.')
  modules = {places.module for places in programs}
  if not any(o.module in modules for o in trace.operations):
    raise ValueError(
      'The trace has no instruction of the train step: what the profiler of '
      'JAX writes for these devices cannot be told apart. Look at the trace '
      'itself.'
    )

  def seconds(start: float, end: float) -> float:
    inside = min(end, window.end) - max(start, window.start)
    return max(0.0, inside) / 1e9

  spans = [(s.start, s.end, _SPAN, s.name) for s in trace.spans if s != window]
  host = window.start, window.end, _HOST, HOST
  of_device = _events(trace, programs)
  parts = dict.fromkeys(ROWS, 0.0)
  for events in of_device.values():
    for start, end, _, row in _shared([host, *spans, *events]):
      parts[row] += seconds(start, end) / len(of_device)
  waits = dict.fromkeys(SPANS, 0.0)
  for start, end, _, row in spans:
    waits[row] += seconds(start, end)
  passed = seconds(window.start, window.end)
  return Table(steps, len(of_device), passed, parts, waits)


_Event = tuple[float, float, int, str]  # start, end, kind, row


def _events(
  trace: Trace, programs: Sequence[Places]
) -> dict[str, list[_Event]]:
  """Returns what each device ran; of one of its streams, one at a time."""
  operations = sorted(trace.operations, key=lambda o: o.start)
  modules = {places.module for places in programs}
  seen = dict.fromkeys(o.program for o in operations if o.module in modules)
  if len(seen) == len(programs):
    known = dict(zip(seen, (p.parts for p in programs), strict=True))
  else:
    # Which program it was is not said: they mostly agree in their names.
    merged = {name: part for p in programs for name, part in p.parts.items()}
    known = dict.fromkeys(seen, merged)
  streams: dict[tuple[str, str], list[_Event]] = {}
  for o in operations:
    if o.module in modules:
      kind, row = _STEP, known[o.program].get(o.name, UNKNOWN)
    else:
      kind, row = _ELSEWHERE, UNKNOWN
    stream = streams.setdefault((o.device, o.line), [])
    stream.append((o.start, o.end, kind, row))
  found: dict[str, list[_Event]] = {}
  for (device, _), events in streams.items():
    found.setdefault(device, []).extend(
      (start, end, _COLLECTIVE if row == COLLECTIVES else kind, row)
      for start, end, kind, row in _shared(events)
    )
  return found


def _shared(events: Iterable[_Event]) -> Iterator[_Event]:
  """Cuts events, so that each moment has but the one that counts most.

  Of one kind that is the one that began last: it is within the others.
  """
  running: list[tuple[int, float, float, str]] = []
  now = -math.inf
  for begun in (*sorted(events), (math.inf, math.inf, _HOST, HOST)):
    while running and now < begun[0]:
      kind, _, end, row = running[0]
      if end <= now:
        heapq.heappop(running)
        continue
      until = min(end, begun[0])
      yield now, until, -kind, row
      now = until
    now, end, kind, row = begun
    heapq.heappush(running, (-kind, -now, end, row))
