"""Runs in processes of their own: one that dies takes no other along.

A process writes to the log of its run and holds a lock on it while it lives,
even where the sweep that started it was killed.
"""

import contextlib
import dataclasses
import fcntl
import json
import pathlib
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import IO, Any

from gemb import files, stopping
from gemb.data import locks

_LOOK_SECONDS = 0.1  # between two looks at whether a process has ended
_BEGINS = '$ '  # a line of the log, in which an attempt begins
_SAYS = 'gemb: '  # begins the sentence in which a process tells why it ended
TO_MEND = 2  # status of one that the user has to mend something for


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
  ended: Callable[[Task, int, str], None],
  *,
  retries: int,
  parallel: int,
  say: Callable[[str], None],
) -> None:
  """Runs tasks; returns when all have ended.

  SIGTERM and Ctrl-C are passed on to all that run, and waited for.

  Args:
    tasks: the next one is asked for when there is room for it.
    ended: told of each, with the status of its process and the reason if it
      has failed for good, else ''.
    retries: of one that has died.
    parallel: at once, at most.
    say: told of retries and waiting.

  Raises:
    stopping.Stopped: if this process, or one of those, was asked to stop.
  """
  running: dict[subprocess.Popen, tuple[Task, int]] = {}  # and which attempt
  more = True
  with _asked_to_stop(), _ended_together(running):
    while more or running:
      while more and len(running) < parallel:
        task = next(tasks, None)
        more = task is not None
        if task:
          running[_start(task, say)] = task, 1
      for process in [p for p in running if p.poll() is not None]:
        task, attempt = running.pop(process)
        status = process.returncode
        said = _last_attempt(task)
        reason = _reason(said, status)
        if _has_died(said, status) and attempt <= retries:
          say(f'{task.folder.name}: {reason}; once more.')
          running[_start(task, say)] = task, attempt + 1
          continue
        if reason:
          _write_failure(task, status, reason)
        ended(task, status, reason)
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


def _last_attempt(task: Task) -> list[str]:
  """Returns the lines that a task's last process has said."""
  lines = task.log.read_text(encoding='utf-8', errors='replace').splitlines()
  begun = [i for i, line in enumerate(lines) if line.startswith(_BEGINS)]
  return [line for line in lines[begun[-1] + 1 :] if line.strip()]


def _has_died(said: Sequence[str], status: int) -> bool:
  """Returns whether a process might do better if it were started again.

  Not where the same would end the same: the user has to mend something, or it
  has told that its loss is not finite. Python ends with the same status where
  something was raised that nobody foresaw.

  Raises:
    stopping.Stopped: if the process was asked to stop.
  """
  if status in (stopping.EXIT_STATUS, 130):
    raise stopping.Stopped(
      'a run was asked to stop, and has saved; the same command goes on.'
    )
  told = status == 1 and any(line.startswith(_SAYS) for line in said)
  return status not in (0, TO_MEND) and not told


def _reason(said: Sequence[str], status: int) -> str:
  """Returns why a process has ended, in words; '' if it has done its work."""
  if status == 0:
    return ''
  if status < 0:
    return f'ended by {signal.Signals(-status).name}'
  told = [line for line in said if line.startswith(_SAYS)] or said
  return told[-1].removeprefix(_SAYS) if told else f'status {status}'


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
def _ended_together(running: Collection[subprocess.Popen]) -> Iterator[None]:
  """Has the processes that still run save and end, if something is raised."""
  try:
    yield
  finally:
    for process in running:
      process.terminate()
    for process in running:
      process.wait()
