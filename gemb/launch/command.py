"""The calls of other programs that a launcher makes, and their dry run."""

import contextlib
import dataclasses
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from typing import TextIO

from gemb import stopping

_MISTAKE = 2  # exit status: it has to be mended, and doing it again is in vain
_AGAIN = os.EX_TEMPFAIL  # the same launch may be given again
_CALLS = 5  # of a command that waits: so many in a row may not fail


@dataclasses.dataclass(frozen=True, kw_only=True)
class Command:
  """One call of a program.

  What it prints is seen as it comes, unless it is called again and again.

  Attributes:
    what: it does, in a few words.
    argv: the program and its arguments; no shell reads them.
    until: a regular expression; the call is made again and again until what it
      prints has it. '': it is made once.
    unless: a regular expression; where what it prints has it, the command has
      failed. Its group, if there is one, is the exit status.
    lost: a regular expression; where what it prints has it, the command has
      failed, and the same launch may be given again.
    says: a regular expression that what it prints has `times` times, once for
      each machine that was reached; else it is lost.
    times: see `says`.
    every_seconds: between two calls.
    advice: what to do if it fails; a sentence.
    again: whether the same launch may be given again if the program fails.
      Where it ends with 2 there is a mistake to be mended first.
    may_fail: whether the next command comes even then, as after the deletion
      of what may not be there.
    excuse: a command that is run if this one fails; where it succeeds, the next
      one comes even then.
    ended: returns a sentence on how that ended which was waited for. The exit
      status of the program is then that of the run.
  """

  what: str
  argv: tuple[str, ...]
  until: str = ''
  unless: str = ''
  lost: str = ''
  says: str = ''
  times: int = 1
  every_seconds: float = 20.0
  advice: str = ''
  again: bool = False
  may_fail: bool = False
  excuse: 'Command | None' = None
  ended: Callable[[], str] | None = None

  @property
  def is_read(self) -> bool:
    """Whether what it prints is looked at."""
    return bool(self.until or self.unless or self.lost or self.says)

  def shown(self) -> str:
    """Returns what a dry run prints, which a shell would run."""
    lines = [f'# {self.what}']
    if self.until:
      every = f'{self.every_seconds:g} s'
      lines.append(f'# ... again every {every} until it prints {self.until}')
    for expression in filter(None, (self.unless, self.lost)):
      lines.append(f'# ... fails if it prints {expression}')
    if self.says:
      lines.append(f'# ... has to print {self.times} x {self.says}')
    if self.excuse:
      lines.append(f'# ... may fail if this succeeds: {self.excuse.what}')
      lines.append(f'#     {shlex.join(self.excuse.argv)}')
    if self.may_fail:
      lines.append('# ... may fail')
    return '\n'.join([*lines, shlex.join(self.argv), ''])


def run_all(commands: Iterable[Command], *, dry_run: bool = False) -> None:
  """Runs commands one after another; a dry run prints them instead.

  Raises:
    OSError: if a program is not installed.
    stopping.Failed: if one fails; the rest is not run.
    stopping.Stopped: if a run that was waited for was asked to stop.
  """
  for command in commands:
    if dry_run:
      print(command.shown())
    else:
      _run(command)


def _run(command: Command) -> None:
  status, sentence = _outcome(command)
  if not status or command.may_fail:
    return
  if command.excuse and not _outcome(command.excuse)[0]:
    return
  if status == stopping.EXIT_STATUS:
    raise stopping.Stopped(sentence)
  raise stopping.Failed(sentence, status)


def _outcome(command: Command) -> tuple[int, str]:
  """Calls until it tells; returns an exit status, and what has failed."""
  print(f'# {command.what}', flush=True)
  failures = 0
  while True:
    called, printed, complaint = _call(command)
    failures = failures + 1 if called else 0
    if called:
      sys.stderr.write(complaint * bool(command.until))  # else it was seen
      if not command.until or failures == _CALLS:
        return _status_of(command, called), _failure(command, called, complaint)
    elif judged := _judge(command, printed):
      status, said = judged
      sys.stderr.write(complaint * bool(command.until and status))
      return status, _advised(command, said)
    time.sleep(command.every_seconds)


def _status_of(command: Command, called: int) -> int:
  """Returns the exit status of gemb after a program has failed."""
  if command.ended:
    return called
  return _AGAIN if command.again and called != _MISTAKE else _MISTAKE


def _judge(command: Command, printed: str) -> tuple[int, str] | None:
  """Returns the exit status that an answer means, and why; None: ask again."""
  if command.unless and (found := re.search(command.unless, printed)):
    status = found.lastindex and int(found[found.lastindex])
    return status or _MISTAKE, _line_of(found)
  if command.lost and (found := re.search(command.lost, printed)):
    return _AGAIN, _line_of(found)
  count = len(re.findall(command.says, printed)) if command.says else 0
  if command.says and count < command.times:
    return _AGAIN, f'{count} of {command.times} machines have answered.'
  return (0, '') if re.search(command.until, printed) else None


def _call(command: Command) -> tuple[int, str, str]:
  """Returns the exit status, and what was printed if that is looked at."""
  try:
    process = subprocess.Popen(
      command.argv,
      stdout=subprocess.PIPE if command.is_read else None,
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
      with futures.ThreadPoolExecutor(1) as pool:
        printed = pool.submit(_echo, process.stdout, sys.stdout)
        complaint = _echo(process.stderr, sys.stderr)
      printed = printed.result()
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


def _echo(lines: Iterable[str] | None, to: TextIO) -> str:
  """Shows what a program prints as it comes; returns all of it."""
  said = []
  for line in lines or ():
    to.write(line)
    to.flush()
    said.append(line)
  return ''.join(said)


def _failure(command: Command, status: int, complaint: str) -> str:
  """Returns a sentence on a call that has failed."""
  if command.ended:
    return command.ended()
  call = shlex.join(command.argv[:4])
  said = _last_line(complaint) or 'it does not say why.'
  return _advised(command, f'`{call} ...` has failed (status {status}): {said}')


def _advised(command: Command, said: str) -> str:
  advice = command.advice or 'Mend that, and launch again.'
  return f'{command.what}: {said} {advice}'


def _line_of(found: re.Match[str]) -> str:
  """Returns the line in which something was found, as a sentence."""
  begin = found.string.rfind('\n', 0, found.start()) + 1
  line = found.string[begin:].partition('\n')[0]
  return _ended_line(line) or 'there is no answer.'


def _last_line(text: str) -> str:
  """Returns the last line as a sentence; '': there is none."""
  return _ended_line(text.strip().rpartition('\n')[2])


def _ended_line(line: str) -> str:
  line = line.strip()
  ends = not line or line.endswith(('.', '!', '?'))
  return line if ends else f'{line}.'
