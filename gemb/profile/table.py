"""Where the time of the profiled steps went, so that it adds up.

Each moment of each device goes to one row. If the device runs the train step,
that is the part of the step that its instruction belongs to, whatever the host
does meanwhile: what is hidden behind the devices costs nothing. If it does not,
the host counts: it waits for a batch, compiles, saves, evaluates; else 'host'.
Devices are averaged, and so the rows add up to the time that passed.
"""

import dataclasses
import heapq
from collections.abc import Iterable, Sequence
from typing import Any

from gemb.markdown import markdown
from gemb.profile.places import COLLECTIVES, SCOPES, UNKNOWN, Places
from gemb.profile.trace import Span, Trace

WINDOW = 'window'  # names the span of all profiled steps
COMPILATION = 'compilation'  # of a batch shape that was not seen before
SPANS = ('input', COMPILATION, 'checkpoint', 'evaluation')
HOST = 'host'
ROWS = ('input', *SCOPES, COLLECTIVES, *SPANS[1:], UNKNOWN, HOST)

# What counts more if several things go on: later ones.
_ELSEWHERE, _SPAN, _STEP = range(3)


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
  spans = [(s.start, s.end, _SPAN, s.name) for s in trace.spans if s != window]
  of_device = _events(trace, programs)
  if not any(kind == _STEP for e in of_device.values() for *_, kind, _ in e):
    raise ValueError(
      'The trace has no instruction of the train step: what the profiler of '
      'JAX writes for these devices cannot be told apart. Look at the trace '
      'itself.'
    )
  parts = dict.fromkeys(ROWS, 0.0)
  for events in of_device.values():
    for name, time in _share(window, [*spans, *events]).items():
      parts[name] += time / 1e9 / len(of_device)
  waits = dict.fromkeys(SPANS, 0.0)
  for start, end, _, name in spans:
    inside = min(end, window.end) - max(start, window.start)
    waits[name] += max(0.0, inside) / 1e9
  seconds = (window.end - window.start) / 1e9
  return Table(steps, len(of_device), seconds, parts, waits)


_Event = tuple[float, float, int, str]  # start, end, kind, row


def _events(
  trace: Trace, programs: Sequence[Places]
) -> dict[str, list[_Event]]:
  """Returns what each device ran."""
  operations = sorted(trace.operations, key=lambda o: o.start)
  modules = {places.module for places in programs}
  seen = dict.fromkeys(o.program for o in operations if o.module in modules)
  if len(seen) == len(programs):
    known = dict(zip(seen, (p.parts for p in programs), strict=True))
  else:
    # Which program it was is not said: they mostly agree in their names.
    merged = {name: part for p in programs for name, part in p.parts.items()}
    known = dict.fromkeys(seen, merged)
  found: dict[str, list[_Event]] = {}
  for o in operations:
    if o.module in modules:
      kind, row = _STEP, known[o.program].get(o.name, UNKNOWN)
    else:
      kind, row = _ELSEWHERE, UNKNOWN
    found.setdefault(o.device, []).append((o.start, o.end, kind, row))
  return found


def _share(window: Span, events: Iterable[_Event]) -> dict[str, float]:
  """Gives each moment to the event that counts most.

  Of one kind that is the one that began last: it is within the others.
  """
  shares: dict[str, float] = {}
  running: list[tuple[int, float, float, str]] = []
  now = window.start

  def pass_until(until: float) -> None:
    nonlocal now
    until = min(until, window.end)
    while now < until:
      while running and running[0][2] <= now:
        heapq.heappop(running)
      row, end = (running[0][3], running[0][2]) if running else (HOST, until)
      end = min(end, until)
      shares[row] = shares.get(row, 0.0) + end - now
      now = end

  for start, end, kind, row in sorted(events):
    pass_until(start)
    heapq.heappush(running, (-kind, -start, end, row))
  pass_until(window.end)
  return shares
