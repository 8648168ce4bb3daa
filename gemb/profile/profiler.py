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
  """Traces a window, or says why not: no run ends by its profile."""

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
    self._tracing = False
    self._trace = contextlib.ExitStack()

  def steps(self, batches: Iterable[Any]) -> Iterator[Any]:
    """Yields the batches; begins and ends the trace between two of them."""
    batches = iter(batches)
    while True:
      if self._step.done + 1 == self._window.first:
        self._begin()
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
    if not self._tracing:
      return
    self._step.wait()
    seen = dataclasses.replace(self._window, last=self._step.done)
    with self._paused():
      with self._spared():
        self._trace.close()
        if seen.first <= seen.last:
          self._tell(seen)
      self.close()

  def close(self) -> None:
    """Ends the trace, and drops what it has not told."""
    self._tracing = False
    with self._spared():
      self._trace.close()
    recording.drop(self._folder)

  def _begin(self) -> None:
    self._step.wait()  # what is before is not of the window
    self._step.begin()
    with self._spared():
      self._trace.enter_context(recording.recorded(self._folder))
      self._trace.enter_context(mark(WINDOW))
      self._tracing = True

  @contextlib.contextmanager
  def _spared(self) -> Iterator[None]:
    """Says what goes wrong with the profile, and spares the run."""
    try:
      yield
    except Exception as error:
      self._say(
        f'Steps {self._window.first} to {self._window.last} have no table in '
        f'{self._folder}, which training does without; this went wrong: '
        f'{type(error).__name__}: {error}'
      )

  def _tell(self, seen: Window) -> None:
    """Keeps the trace; the first process tells what is in it."""
    name = f'steps_{seen.first}_{seen.last}'
    path = recording.collect(self._folder, name)
    if not distributed.is_first():
      return
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
  left = dataclasses.replace(window, first=max(window.first, done + 1))
  tracer = _Tracer(step, left, workdir.profile, say, paused)
  with contextlib.closing(tracer):
    try:
      yield tracer
    except stopping.Stopped:
      tracer.end()
      raise
    tracer.end()
