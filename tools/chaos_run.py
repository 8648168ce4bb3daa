"""One training of tools/chaos: started, hit, started again, compared."""

import dataclasses
import os
import pathlib
import re
import shutil
import threading
import time

import chaos_compare
import chaos_processes
from chaos_draw import CACHE, LOG_EVERY, ONE, STEPS, SUPERVISOR, Draw
from chaos_folder import Folder
from chaos_processes import Process
from chaos_supervised import Stuck, Supervised

from gemb import stopping

POLL = 0.002  # seconds; a save takes about 50 times as long
DEATH = 20  # seconds that processes may outlive their supervisor
LATE = 12  # last steps, in which a signal may come too late to stop a run


@dataclasses.dataclass(kw_only=True)
class Outcome:
  """What became of a run.

  Attributes:
    draw: what was to happen to it.
    found: the phase that it was in when it was hit; None: it was not.
    at: the last step of which there was a line then.
    again: the step it went on from; None: it never did.
    waited: seconds from the signal to the first new line of metrics.
    seconds: of the run, in all.
    faults: what is wrong with its end, in words; none: nothing.
  """

  draw: Draw
  found: str | None = None
  at: int = 0
  again: int | None = None
  waited: float | None = None
  seconds: float = 0.0
  faults: list[str] = dataclasses.field(default_factory=list)

  @property
  def hit(self) -> bool:
    """Whether the signal came in the phase that it was meant for."""
    return self.found == self.draw.phase

  @property
  def ignored(self) -> bool:
    """Whether the signal came in time, and the run went on as if it had not."""
    in_time = self.found is not None and self.at <= STEPS - LATE
    return in_time and self.again is None

  @property
  def lost(self) -> int | None:
    """Steps of which there were lines, and that were computed again."""
    return None if self.again is None else max(0, self.at - self.again)


def unbroken_folder(base: pathlib.Path, layout: str) -> Folder:
  """Returns the folder of a layout's unbroken run."""
  return Folder(base / 'unbroken' / layout / 'run', base / 'data')


def train_unbroken(
  base: pathlib.Path, layout: str, stop: threading.Event
) -> Folder:
  """Trains without any harm; returns the folder.

  Raises:
    RuntimeError: if that fails.
  """
  name = f'unbroken/{layout}'
  run = Supervised(base, name, layout, data='data', stop=stop)
  try:
    run.start()
    while (status := run.ended()) is None:
      time.sleep(0.1)
  finally:
    run.kill()
  if status:
    raise RuntimeError(
      f'The unbroken run has ended with status {status}; {run.log} says why.'
    )
  return run.folder


def train_broken(
  draw: Draw, base: pathlib.Path, unbroken: Folder, stop: threading.Event
) -> Outcome:
  """Trains, hits, and waits for the end; faults are told, and not raised.

  Args:
    draw: what is to happen.
    base: the folder of all runs.
    unbroken: a run of the same layout.
    stop: set when all are to end.
  """
  began = time.monotonic()
  name = f'broken/{draw.number}'
  data = f'{name}/data' if draw.phase == CACHE else 'data'
  run = Supervised(base, name, draw.layout, data=data, stop=stop)
  outcome = Outcome(draw=draw)
  try:
    run.start()
    if _wait_for_phase(run, draw):
      _hit(run, outcome)
    _follow(run)
    if outcome.ignored:
      outcome.faults.append('the signal has not stopped it')
    outcome.faults += chaos_compare.faults(run.folder, unbroken)
  except (Stuck, OSError, ValueError) as error:
    outcome.faults.append(f'{error}; {run.log} has what it said')
  finally:
    run.kill()
  outcome.seconds = time.monotonic() - began
  if not outcome.faults:
    shutil.rmtree(base / name)
  return outcome


def _wait_for_phase(run: Supervised, draw: Draw) -> bool:
  """Waits for the phase after the step; returns False if it never comes."""
  while run.ended() is None:
    there = run.folder.step() + LOG_EVERY > draw.step
    if there and run.folder.phase() == draw.phase:
      return True
    time.sleep(POLL)
  return False


def _hit(run: Supervised, outcome: Outcome) -> None:
  """Sends the signal; waits for the first new line of metrics, or the end."""
  draw = outcome.draw
  everyone = run.processes()
  time.sleep(draw.delay)
  said = run.log.stat().st_size
  before = _file_number(run.folder.metrics)
  outcome.found, outcome.at = run.folder.phase(), run.folder.step()
  sent = time.monotonic()
  if draw.target == SUPERVISOR:
    os.killpg(everyone[0].id, draw.signal_number)
    _restart(run, outcome, everyone)
  elif not chaos_processes.send(_targets(draw, everyone), draw.signal_number):
    raise Stuck('the process that was to be hit was not there')
  # Opening metrics.jsonl, a run replaces it by those lines that it keeps.
  while run.ended() is None and _file_number(run.folder.metrics) == before:
    time.sleep(POLL)
  kept = len(run.folder.lines())
  while run.ended() is None and len(run.folder.lines()) <= kept:
    time.sleep(POLL)
  if run.ended() is None or len(run.folder.lines()) > kept:
    outcome.waited = time.monotonic() - sent
  outcome.again = _restart_step(run.said(said))


def _targets(draw: Draw, everyone: list[Process]) -> list[Process]:
  """Returns whom the signal is for."""
  own = everyone[1:]  # all but the supervisor
  if draw.target != ONE:
    return own
  if draw.phase == CACHE:
    return [each for each in own if each.caches]
  return [each for each in own if each.trains and each.number == draw.process]


def _restart(
  run: Supervised, outcome: Outcome, everyone: list[Process]
) -> None:
  """Starts the supervisor again once it has ended, as a cluster does.

  Raises:
    Stuck: if it ends as it should not, or leaves processes behind.
  """
  wanted = {'KILL': -9, 'TERM': stopping.EXIT_STATUS}[outcome.draw.signal]
  while (status := run.ended()) is None:
    time.sleep(POLL)
  if status == 0:  # it was at its end, or `Outcome.ignored` tells
    return
  if status != wanted:
    raise Stuck(f'the supervisor has ended with status {status}, not {wanted}')
  # `gemb cache` may end its work: others wait for its lock.
  trainers = [each for each in everyone if not each.caches]
  if left := chaos_processes.wait_until_gone(trainers, DEATH):
    names = [' '.join(process.arguments) for process in left]
    raise Stuck(f'processes have outlived their supervisor: {names}')
  run.start()


def _follow(run: Supervised) -> None:
  """Waits for the end.

  Raises:
    Stuck: if it is none that a run should have.
  """
  while (status := run.ended()) is None:
    time.sleep(10 * POLL)
  if status:
    raise Stuck(f'the supervisor has ended with status {status}, not 0')


def _restart_step(said: str) -> int | None:
  """Returns the step from which a run has said that it goes on."""
  if found := re.search(r'Going on from the checkpoint of step (\d+)', said):
    return int(found[1])
  return 0 if re.search(r'[\d,]+ parameters on \d+ devices', said) else None


def _file_number(path: pathlib.Path) -> int | None:
  """Returns what tells a file from another of its name."""
  try:
    return path.stat().st_ino
  except FileNotFoundError:
    return None
