r"""Keeps a gemb command going: where a process of it dies, all start again.

    python -m gemb.launch.supervise --processes=4 --devices=2 -- \
      train --gin_file=run.gin --workdir=runs/try

runs `gemb train` in four processes of two simulated CPU devices; without flags
in one, as it is. A run goes on from its last checkpoint, so this is all that
survival needs. SIGTERM and Ctrl-C are passed on, once; a second one kills.
What is left behind when the supervisor itself is killed, the kernel kills.

The standard library alone: it starts at once, and outlives what it runs.
"""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from gemb import stopping
from gemb.launch import record

# It has ended; broken down; the user can mend it; Ctrl-C. No other is final.
FINAL = (0, 1, 2, 130)
IN_VAIN = 5  # starts in a row without a new checkpoint; then it gives up

_PAUSE = 1.0  # seconds after the first of them; each next is twice as long
_GRACE = 5.0  # seconds that the others have to end when one has died
_POLL = 0.05  # seconds between two looks at the processes
_SAVED = frozenset((0, stopping.EXIT_STATUS))  # and ended by itself
_CONSEQUENCES = (75, -signal.SIGABRT)  # JAX's, of another process's death
# Becomes the program that follows, which the kernel (Linux) then kills when its
# parent dies: PR_SET_PDEATHSIG of <linux/prctl.h>. Done between fork and exec,
# it would run Python in the fork of a process that may have threads.
_DIE_WITH_PARENT = """
import ctypes, os, signal, sys
parent, *argv = sys.argv[1:]
if sys.platform == 'linux':
  ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(parent):  # it was too quick
  os._exit(1)
os.execv(argv[0], argv)
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Supervised:
  """What is kept going.

  Attributes:
    command: the arguments of gemb.
    program: what takes them.
    processes: of this machine, that run it together.
    devices: simulated CPU devices of each; None: what JAX finds.
    restarts: at most; None: no limit.
    folder: where it is written down how it goes (`gemb.launch.record`).
  """

  command: tuple[str, ...]
  program: tuple[str, ...] = (sys.executable, '-m', 'gemb.main')
  processes: int = 1
  devices: int | None = None
  restarts: int | None = None
  folder: pathlib.Path | None = None


def supervise(what: Supervised) -> int:
  """Runs a command until it ends for good; returns its exit status.

  That is 42 (`gemb.stopping`) if this process was asked to stop, 130 after
  Ctrl-C, and 137 if a second signal has killed the command, unless that has
  meanwhile ended in a way of its own.

  Raises:
    ValueError: if another supervisor works for the folder.
  """
  with record.kept(what.folder, os.getpid()) as write, _signals() as received:
    status, cause = _keep_going(what, write, received)
    _say(f'{cause}.')
    status = 128 - status if status < 0 else status  # as a shell has it
    write(status=status, cause=cause)
  return status


def _keep_going(
  what: Supervised, write: Callable[..., None], received: Sequence[int]
) -> tuple[int, str]:
  """Starts the command time and again; returns the last end, and its cause."""
  start = in_vain = 0
  while True:
    start += 1
    saved = last_checkpoint(what.command)
    write(starts=start)
    _say(f'start {start} of `gemb {what.command[0]}`, {_from(saved)}.')
    status, cause = _run(what, received)
    in_vain = 0 if last_checkpoint(what.command) > saved else in_vain + 1
    if status in FINAL or len(received) > 1:
      return status, cause
    if received:
      return _asked_to_stop(received)
    if what.restarts is not None and start > what.restarts:
      return status, f'{cause}; that was the last of {start} starts'
    if in_vain == IN_VAIN:
      return status, (
        f'{cause}; the last {IN_VAIN} starts have brought no new checkpoint. '
        'Look at what they said, or save more often '
        '(CheckpointConfig.every_steps)'
      )
    pause = _PAUSE * 2 ** (in_vain - 1) if in_vain else 0.0
    _say(f'{cause}; starting again' + f' in {pause:g} s' * bool(pause) + '.')
    _sleep(pause, received)
    if received:
      return _asked_to_stop(received)


def _asked_to_stop(received: Sequence[int]) -> tuple[int, str]:
  """Returns the exit status after a signal, and the cause."""
  status = 130 if received[0] == signal.SIGINT else stopping.EXIT_STATUS
  return status, f'asked to stop by {signal.Signals(received[0]).name}'


def _run(what: Supervised, received: Sequence[int]) -> tuple[int, str]:
  """Runs the command once; returns its exit status and why it ended."""
  processes = _start(what)
  ended: dict[int, int] = {}  # number -> status, in the order of their ends
  deadline = float('inf')
  passed_on = False
  while len(ended) < len(processes) and len(received) < 2:
    time.sleep(_POLL)
    ended |= _newly_ended(processes, ended)
    if received and not passed_on:
      _signal(processes, received[0])
      passed_on = True
    if deadline == float('inf') and not _SAVED.issuperset(ended.values()):
      deadline = time.monotonic() + _GRACE
    if time.monotonic() > deadline:
      break
  _signal(processes, signal.SIGKILL)
  for process in processes:
    process.wait()
  if len(received) > 1 and len(ended) < len(processes):
    return -signal.SIGKILL, 'killed by a second signal'
  return _cause(ended, len(processes))


def _start(what: Supervised) -> list[subprocess.Popen]:
  """Starts the processes; each leads a group, to which its children belong."""
  environment = dict(os.environ)
  if what.devices is not None:
    count = f'--xla_force_host_platform_device_count={what.devices}'
    flags = f'{environment.get("XLA_FLAGS", "")} {count}'.strip()
    environment |= {'JAX_PLATFORMS': 'cpu', 'XLA_FLAGS': flags}
  meeting = [f'--coordinator=127.0.0.1:{_free_port()}']
  meeting += [f'--processes={what.processes}']
  return [
    subprocess.Popen(
      [
        *(sys.executable, '-c', _DIE_WITH_PARENT, str(os.getpid())),
        *what.program,
        *what.command,
        *([*meeting, f'--process={i}'] if what.processes > 1 else []),
      ],
      env=environment,
      stdin=subprocess.DEVNULL,
      process_group=0,
    )
    for i in range(what.processes)
  ]


def _free_port() -> int:
  with socket.socket() as found:
    found.bind(('127.0.0.1', 0))
    return found.getsockname()[1]


def _newly_ended(
  processes: Sequence[subprocess.Popen], ended: Mapping[int, int]
) -> dict[int, int]:
  """Returns {number: status} of those that have ended since."""
  found = {
    number: process.returncode
    for number, process in enumerate(processes)
    if number not in ended and process.poll() is not None
  }
  for number in found.keys() - {n for n in found if found[n] in _SAVED}:
    # What it has left behind would be in the way of its successor.
    _signal_group(processes[number], signal.SIGKILL)
  return found


def _signal(processes: Sequence[subprocess.Popen], number: int) -> None:
  """Sends a signal to all that run, and to their children."""
  for process in processes:
    if process.poll() is None:
      _signal_group(process, number)


def _signal_group(process: subprocess.Popen, number: int) -> None:
  with contextlib.suppress(ProcessLookupError):
    os.killpg(process.pid, number)


def _cause(ended: Mapping[int, int], count: int) -> tuple[int, str]:
  """Returns the exit status of all together, and why they ended."""
  failed = [number for number in ended if ended[number] not in _SAVED]
  if failed:
    number = min(failed, key=lambda each: ended[each] in _CONSEQUENCES)
    status = ended[number]
    who = 'it' if count == 1 else f'process {number} of {count}'
    name = signal.Signals(-status).name if status < 0 else ''
    how = f'was ended by {name}' if name else f'ended with status {status}'
    return status, f'{who} {how}'
  if any(ended.values()):
    return stopping.EXIT_STATUS, 'it was asked to stop, and has saved'
  return 0, 'it has ended'


def last_checkpoint(command: Sequence[str]) -> int:
  """Returns the step of the last checkpoint of `gemb train`; 0: there is none.

  Args:
    command: its arguments, with the work folder.
  """
  parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
  parser.add_argument('--workdir')
  workdir = parser.parse_known_args(command)[0].workdir
  folder = pathlib.Path(workdir or '') / 'checkpoints'
  if not workdir or not folder.is_dir():
    return 0
  steps = [int(each.name) for each in folder.iterdir() if each.name.isdecimal()]
  return max(steps, default=0)


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
  """Yields a list to which SIGTERM and SIGINT are added as they come."""
  received: list[int] = []
  before = {
    number: signal.signal(number, lambda found, _: received.append(found))
    for number in (signal.SIGTERM, signal.SIGINT)
  }
  try:
    yield received
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)


def _sleep(seconds: float, received: Sequence[int]) -> None:
  """Sleeps so long, or until a signal comes."""
  until = time.monotonic() + seconds
  while time.monotonic() < until and not received:
    time.sleep(_POLL)


def _from(step: int) -> str:
  return f'from the checkpoint of step {step}' if step else 'from its beginning'


def _say(text: str) -> None:
  print(f'supervise: {text}', flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
  """Reads the command line; returns the exit status."""
  parser = argparse.ArgumentParser(
    prog='python -m gemb.launch.supervise',
    description='Keep a gemb command going: when it dies, it starts again.',
  )
  parser.add_argument(
    '--processes', type=int, default=1, help='that run it together (1)'
  )
  parser.add_argument('--devices', type=int, help='simulated, of each process')
  parser.add_argument('--restarts', type=int, help='at most')
  parser.add_argument(
    '--folder', type=pathlib.Path, help='folder to keep its state in'
  )
  parser.add_argument('command', nargs='+', help='after --: of gemb')
  options = vars(parser.parse_args(arguments))
  options['command'] = tuple(options['command'])
  try:
    return supervise(Supervised(**options))
  except (ValueError, OSError) as error:
    print(f'gemb: {error}', file=sys.stderr)
    return 2


if __name__ == '__main__':
  sys.exit(main())
