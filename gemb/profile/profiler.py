"""Profiling some steps of a run, from within its loop."""

import contextlib
import dataclasses
import json
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from gemb import distributed, files, stopping
from gemb.profile import recording
from gemb.profile.places import read_places
from gemb.profile.table import WINDOW, make_table
from gemb.profile.trace import mark, read_trace
from gemb.profile.watched import Watched
from gemb.profile.window import Window
from gemb.workdir import Workdir

Say = Callable[[str], None]


class Profiler:
  """Does nothing: no steps are profiled.

  Attributes:
    train_step: as the loop is to call it.
  """

  def __init__(self, train_step: Callable):
    """Takes the jitted train step."""
    self.train_step = train_step

  def steps(self, batches: Iterable[Any]) -> Iterable[Any]:
    """Returns the batches; all that is done until the next is a step's."""
    return batches

  def span(self, name: str) -> contextlib.AbstractContextManager:
    """Marks what the host does: 'checkpoint' or 'evaluation'."""
    del name
    return contextlib.nullcontext()


class _Tracer(Profiler):
  """Traces a window."""

  def __init__(
    self,
    step: Watched,
    window: Window,
    folder: pathlib.Path,
    say: Say,
    paused: Callable[[], contextlib.AbstractContextManager],
  ):
    """Begins nothing yet; the arguments are those of `open_profiler`."""
    super().__init__(step)
    self._step = step
    self._window, self._folder = window, folder
    self._say, self._paused = say, paused
    self._first: int | None = None  # of the steps that are being traced
    self._trace = contextlib.ExitStack()

  def steps(self, batches: Iterable[Any]) -> Iterator[Any]:
    """Yields the batches; begins and ends the trace between two of them."""
    batches = iter(batches)
    while True:
      following = self._step.done + 1
      within = self._window.first <= following <= self._window.last
      if within and self._first is None:
        self._begin(following)
      with self.span('input'):
        batch = next(batches, None)
      if batch is None:
        return
      yield batch
      if self._step.done == self._window.last:
        self.end()

  def span(self, name: str) -> contextlib.AbstractContextManager:
    """Marks what the host does; outside of the window that costs nothing."""
    return mark(name)

  def end(self) -> None:
    """Ends the trace, if there is one, and tells where the time went."""
    if self._first is None:
      return
    first, last = self._first, self._step.done
    self._step.wait()
    with self._paused():
      self.close()
      if last < first:
        return
      path = recording.collect(self._folder, f'steps_{first}_{last}')
      if distributed.is_first():
        self._tell(path, Window(first=first, last=last))

  def close(self) -> None:
    """Ends the trace, whatever has happened."""
    self._first = None
    self._trace.close()

  def _begin(self, step: int) -> None:
    self._step.wait()  # what is before is not of the window
    self._step.begin()
    self._first = step
    self._trace.enter_context(recording.recorded(self._folder))
    self._trace.enter_context(mark(WINDOW))

  def _tell(self, path: pathlib.Path, seen: Window) -> None:
    """Writes the table down, and prints it."""
    places = [read_places(text) for text in self._step.texts()]
    steps = seen.last - seen.first + 1
    table = make_table(read_trace(path), places, steps)
    content = dataclasses.asdict(seen) | table.summary()
    files.write_file(
      self._folder / 'table.json', json.dumps(content, indent=2) + '\n'
    )
    text = (
      f'Where the time of steps {seen.first} to {seen.last} went, the mean of '
      f'{table.devices} devices:\n\n{table.markdown()}'
    )
    files.write_file(self._folder / 'table.md', text)
    self._say(f'{text}\nThe trace is {path}')


@contextlib.contextmanager
def open_profiler(
  train_step: Callable,
  window: Window | None,
  workdir: Workdir,
  done: int,
  say: Say,
  paused: Callable[[], contextlib.AbstractContextManager],
) -> Iterator[Profiler]:
  """Yields the profiler of a run.

  All processes of a run profile the same steps. Each writes a trace; the first
  writes and prints the table, of its own devices.

  Args:
    train_step: jitted.
    window: the steps; None profiles nothing.
    workdir: where trace and table are written.
    done: steps that are done already. Of the window, those that are left are
      profiled.
    say: prints to the user.
    paused: stops the clock of the run, while the table is made.
  """
  if window and done >= window.last:
    say(
      f'Steps {window.first} to {window.last} of --profile are done already, '
      'and not profiled.'
    )
  if not window or done >= window.last:
    yield Profiler(train_step)
    return
  step = Watched(train_step, done)
  tracer = _Tracer(step, window, workdir.profile, say, paused)
  with contextlib.closing(tracer):
    try:
      yield tracer
    except stopping.Stopped:
      tracer.end()
      raise
    tracer.end()
