"""The calls of other programs that a launcher makes, and their dry run."""

import contextlib
import dataclasses
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator

from gemb import stopping


@dataclasses.dataclass(frozen=True, kw_only=True)
class Command:
  """One call of a program.

  Attributes:
    what: it does, in a few words.
    argv: the program and its arguments; no shell reads them.
    until: a regular expression; the call is made again and again until what it
      prints has it. '': it is made once.
    unless: a regular expression; where what it prints has it, waiting is in
      vain, and the command has failed.
    every_seconds: between two calls.
    advice: what to do if it fails; a sentence.
    may_fail: whether the next command comes even then, as after the deletion
      of what may not be there.
  """

  what: str
  argv: tuple[str, ...]
  until: str = ''
  unless: str = ''
  every_seconds: float = 20.0
  advice: str = ''
  may_fail: bool = False

  def shown(self) -> str:
    """Returns what a dry run prints, which a shell would run."""
    again = (
      f'# ... again every {self.every_seconds:g} s until it prints '
      f'{self.until}\n'
    )
    call = shlex.join(self.argv)
    return f'# {self.what}\n{again * bool(self.until)}{call}\n'


def run_all(commands: Iterable[Command], *, dry_run: bool = False) -> None:
  """Runs commands one after another; a dry run prints them instead.

  What they print is seen as it comes.

  Raises:
    OSError: if a program is not installed.
    RuntimeError: if one fails; the rest is not run.
    stopping.Stopped: if one ends as a run does that was asked to stop.
  """
  for command in commands:
    if dry_run:
      print(command.shown())
    else:
      print(f'# {command.what}', flush=True)
      _run(command)


def _run(command: Command) -> None:
  while True:
    status, printed, complaint = _call(command)
    if status == stopping.EXIT_STATUS:
      raise stopping.Stopped(
        f'{command.what}: it was asked to stop, and saved.'
      )
    if status == 0 and command.unless and re.search(command.unless, printed):
      status, complaint = 1, printed
    if status and not command.may_fail:
      raise RuntimeError(_failure(command, status, complaint))
    if status or not command.until or re.search(command.until, printed):
      return
    time.sleep(command.every_seconds)


def _call(command: Command) -> tuple[int, str, str]:
  """Returns the exit status, and what was printed if that is looked for."""
  try:
    process = subprocess.Popen(
      command.argv,
      stdout=subprocess.PIPE if command.until else None,
      stderr=subprocess.PIPE,
      text=True,
      errors='replace',
    )
  except FileNotFoundError:
    raise OSError(
      f'{command.argv[0]} is not installed here, or not on the PATH, and '
      f'{shlex.join(command.argv[:4])} ... needs it; install it, or see with '
      '--dry_run what would be run.'
    ) from None
  with process, _passed_on(process):
    if command.until:
      printed, complaint = process.communicate()
    else:
      printed, complaint = '', _echo(process)
      process.wait()
  return process.returncode, printed, complaint


@contextlib.contextmanager
def _passed_on(process: subprocess.Popen) -> Iterator[None]:
  """Lets a program end in its own way when this one is asked to."""
  interrupted = []
  before = {
    # The terminal interrupts the program too.
    signal.SIGINT: signal.signal(
      signal.SIGINT, lambda *_: interrupted.append(True)
    ),
    signal.SIGTERM: signal.signal(
      signal.SIGTERM, lambda number, _: process.send_signal(number)
    ),
  }
  try:
    yield
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)
  if interrupted:
    raise KeyboardInterrupt


def _echo(process: subprocess.Popen) -> str:
  """Shows what a program complains of as it comes; returns all of it."""
  said = []
  for line in process.stderr or ():
    sys.stderr.write(line)
    sys.stderr.flush()
    said.append(line)
  return ''.join(said)


def _failure(command: Command, status: int, complaint: str) -> str:
  lines = [line.strip() for line in complaint.splitlines() if line.strip()]
  said = lines[-1] if lines else 'it does not say why'
  end = '' if said.endswith(('.', '!', '?')) else '.'
  call = shlex.join(command.argv[:4])
  advice = command.advice or 'Mend that, and launch again.'
  return (
    f'{command.what}: `{call} ...` has failed (status {status}): {said}{end} '
    f'{advice}'
  )
