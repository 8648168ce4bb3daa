"""Runs in processes of their own: one that dies takes no other along.

A process writes to the log of its run and holds a lock on it while it lives,
even where the sweep that started it was killed.
"""

import collections
import contextlib
import dataclasses
import fcntl
import json
import pathlib
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from gemb import files, stopping
from gemb.data import locks

_LOOK_SECONDS = 0.1  # between two looks at whether a process has ended
_BEGINS = '$ '  # a line of the log, in which an attempt begins
# The same again would end the same: its loss was not finite, or it is wrong.
_FOR_GOOD = (1, 2)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
  """A run that is to be made.

  Attributes:
    folder: of it, which is there.
    command: that makes it, or goes on with it.
    about: anything that who asked for it wants to find again.
  """

  folder: pathlib.Path
  command: Sequence[str]
  about: Any = None

  @property
  def log(self) -> pathlib.Path:
    """What its processes have said, all attempts after one another."""
    return self.folder / 'log.txt'

  @property
  def failure(self) -> pathlib.Path:
    """Why it has failed, if it has."""
    return self.folder / 'failed.json'


def run_tasks(
  tasks: Iterator[Task],
  ended: Callable[[Task, str], None],
  *,
  retries: int,
  parallel: int,
  say: Callable[[str], None],
) -> None:
  """Runs tasks; returns when all have ended.

  SIGTERM and Ctrl-C are passed on to all that run, and waited for.

  Args:
    tasks: the next one is asked for when there is room for it.
    ended: told of each, with the reason if it has failed for good, else ''.
    retries: of one that has failed.
    parallel: at once, at most.
    say: told of retries and waiting.

  Raises:
    stopping.Stopped: if this process, or one of those, was asked to stop.
  """
  running: dict[subprocess.Popen, Task] = {}
  attempts: collections.Counter[pathlib.Path] = collections.Counter()
  more = True
  with _asked_to_stop(), _ended_together(running):
    while more or running:
      while more and len(running) < parallel:
        task = next(tasks, None)
        more = task is not None
        if task:
          running[_start(task, say)] = task
      for process in [p for p in running if p.poll() is not None]:
        task = running.pop(process)
        attempts[task.folder] += 1
        reason = _reason(task, process.returncode)
        if _goes_on(process.returncode, attempts[task.folder], retries):
          say(f'{task.folder.name}: {reason}; once more.')
          running[_start(task, say)] = task
          continue
        if reason:
          _write_failure(task, process.returncode, reason)
        ended(task, reason)
      time.sleep(_LOOK_SECONDS)


def is_running(task: Task) -> bool:
  """Returns whether a process of a task lives, whoever has started it."""
  if not task.log.is_file():
    return False
  with locks.hold(task.log, wait=False) as held:
    return not held


def read_failure(task: Task) -> str:
  """Returns why a task has failed; '' if it has not."""
  if not task.failure.is_file():
    return ''
  return json.loads(task.failure.read_text(encoding='utf-8'))['reason']


def _start(task: Task, say: Callable[[str], None]) -> subprocess.Popen:
  with task.log.open('ab') as log:
    _claim(log, task, say)
    task.failure.unlink(missing_ok=True)
    command = ' '.join(task.command).replace('\n', ' ')
    log.write(f'{_BEGINS}{command}\n'.encode())
    log.flush()
    return subprocess.Popen(
      task.command,
      stdin=subprocess.DEVNULL,
      stdout=log,  # and with it the lock
      stderr=subprocess.STDOUT,
      # Ctrl-C would end it before it has saved; SIGTERM has it save.
      start_new_session=True,
    )


def _claim(log: IO[bytes], task: Task, say: Callable[[str], None]) -> None:
  """Waits for a process that outlives the sweep which started it."""
  try:
    fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    say(f'{task.folder.name}: a process of an earlier sweep is at it; waiting.')
    fcntl.flock(log, fcntl.LOCK_EX)


def _goes_on(status: int, attempts: int, retries: int) -> bool:
  """Returns whether a run is started again."""
  if status in (stopping.EXIT_STATUS, 130):
    raise stopping.Stopped(
      'a run was asked to stop, and has saved; the same command goes on.'
    )
  return status != 0 and status not in _FOR_GOOD and attempts <= retries


def _reason(task: Task, status: int) -> str:
  """Returns why a process has ended, in words; '' if it has done its work."""
  if status == 0:
    return ''
  if status < 0:
    return f'ended by {signal.Signals(-status).name}'
  lines = task.log.read_text(encoding='utf-8', errors='replace').splitlines()
  lines = [line for line in lines if line.strip()]
  last = lines[-1] if not lines[-1].startswith(_BEGINS) else ''
  return last.removeprefix('gemb: ') or f'status {status}'


def _write_failure(task: Task, status: int, reason: str) -> None:
  content = {'status': status, 'reason': reason}
  files.write_file(task.failure, json.dumps(content, indent=1) + '\n')


@contextlib.contextmanager
def _asked_to_stop() -> Iterator[None]:
  """Has SIGTERM raise stopping.Stopped."""

  def stop(*_: Any) -> None:
    raise stopping.Stopped(
      'asked to stop; all runs have saved, and the same command goes on.'
    )

  if threading.current_thread() is not threading.main_thread():
    yield  # Python lets no other thread handle signals
    return
  before = signal.signal(signal.SIGTERM, stop)
  try:
    yield
  finally:
    signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _ended_together(running: dict[subprocess.Popen, Task]) -> Iterator[None]:
  """Has the processes that still run save and end, if something is raised."""
  try:
    yield
  finally:
    for process in running:
      process.terminate()
    for process in running:
      process.wait()
