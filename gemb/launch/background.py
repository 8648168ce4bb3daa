"""A supervisor in the background, known by its folder.

    python -m gemb.launch.background start --folder=DIR -- --restarts=9 -- train
    python -m gemb.launch.background {wait,status,stop} --folder=DIR

What it prints is in DIR/log.txt, and in log_before.txt what the one before it
has printed. The standard library alone.
"""

import argparse
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from gemb import stopping
from gemb.launch import record

_POLL = 0.2  # seconds
_KILLED = 128 + signal.SIGKILL  # status of one that could not write its own


def log(folder: pathlib.Path) -> pathlib.Path:
  """Returns the file of what the supervisor and its run have printed."""
  return folder / 'log.txt'


def start(folder: pathlib.Path, supervised: Sequence[str]) -> None:
  """Starts a supervisor that outlives this process.

  Args:
    folder: of its record and log.
    supervised: arguments of gemb.launch.supervise.

  Raises:
    ValueError: if one works for this folder.
    RuntimeError: if it ends before it has begun.
  """
  check_free(folder)
  folder.mkdir(parents=True, exist_ok=True)
  if log(folder).is_file():
    log(folder).replace(folder / 'log_before.txt')
  supervise = sys.executable, '-m', 'gemb.launch.supervise'
  with log(folder).open('w') as output:
    process = subprocess.Popen(
      [*supervise, f'--folder={folder}', *supervised],
      stdin=subprocess.DEVNULL,
      stdout=output,
      stderr=subprocess.STDOUT,
      start_new_session=True,
    )
  while (found := record.read(folder)) is None or found.process != process.pid:
    if process.poll() is not None:
      raise RuntimeError(
        f'The supervisor has ended at once; {log(folder)} has what it said.'
      )
    time.sleep(_POLL / 10)
  print(f'Process {process.pid} supervises it; it prints to {log(folder)}.')


def check_free(folder: pathlib.Path) -> None:
  """Raises ValueError if a supervisor works for the folder."""
  if record.is_running(folder):
    raise ValueError(
      f'The job of {folder} runs already; look with `gemb launch status '
      f'--job={folder}`, or stop it first.'
    )


def wait(folder: pathlib.Path) -> int:
  """Prints the log as it grows until the end; returns the exit status.

  A signal stops the supervised run, and its end is waited for; another Ctrl-C
  kills it.

  Raises:
    ValueError: if none was started.
  """
  if not log(folder).is_file():
    raise ValueError(f'Nothing was started in {folder}.')

  asked = False

  def pass_on(number: int, _) -> None:
    # The supervisor has a session of its own, which Ctrl-C does not reach.
    # SIGTERM to a process group comes here again, from `gemb launch`.
    nonlocal asked
    if number == signal.SIGINT or not asked:
      _terminate(folder)
    asked = True

  for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, pass_on)
  with log(folder).open(encoding='utf-8', errors='replace') as lines:
    runs = True
    while runs:
      runs = record.is_running(folder)
      sys.stdout.write(lines.read())
      sys.stdout.flush()
      if runs:
        time.sleep(_POLL)
  found = record.read(folder)
  return _KILLED if found is None or found.status is None else found.status


def stop(folder: pathlib.Path) -> None:
  """Asks the supervisor to stop, and waits until it has."""
  if not record.is_running(folder):
    print('It does not run.')
    return
  _terminate(folder)
  while record.is_running(folder):
    time.sleep(_POLL)
  print(describe(folder))


def describe(folder: pathlib.Path, workdir: pathlib.Path | None = None) -> str:
  """Returns a sentence on how it goes.

  Args:
    folder: of the supervisor.
    workdir: of its run.
  """
  found = record.read(folder)
  if found is None:
    return 'It has not been started.'
  step = last_step(workdir) if workdir else None
  at = '' if step is None else f', last seen at step {step}'
  starts = f'start {found.starts}{at}'
  if record.is_running(folder):
    return f'It runs: process {found.process}, {starts}.'
  if found.status is None:
    return f'Its supervisor was killed: {starts}. Launch it again to go on.'
  if found.status == 0:
    return f'It has ended well: {starts}.'
  again = ' Launch it again to go on.' * (found.status == stopping.EXIT_STATUS)
  return (
    f'It has stopped with status {found.status} ({found.cause}): {starts}.'
    f'{again}'
  )


def last_step(workdir: pathlib.Path) -> int | None:
  """Returns the last step that a run has written numbers of, if any."""
  path = workdir / 'metrics.jsonl'
  lines = path.read_text().splitlines() if path.is_file() else []
  for line in reversed(lines):
    try:
      return json.loads(line)['step']
    except json.JSONDecodeError:
      continue  # it is being written
  return None


def _terminate(folder: pathlib.Path) -> None:
  found = record.read(folder)
  # While the folder is locked, its record is of the process that has the lock.
  if found is not None and record.is_running(folder):
    with contextlib.suppress(ProcessLookupError):  # it has just ended
      os.kill(found.process, signal.SIGTERM)


def main(arguments: Sequence[str] | None = None) -> int:
  """Reads the command line; returns the exit status."""
  parser = argparse.ArgumentParser(
    prog='python -m gemb.launch.background',
    description='Start a supervisor that goes on in the background, and more.',
  )
  parser.add_argument('action', choices=('start', 'wait', 'status', 'stop'))
  parser.add_argument(
    '--folder',
    type=pathlib.Path,
    required=True,
    help='of the supervisor, with its record and log',
  )
  parser.add_argument('--workdir', type=pathlib.Path, help='for the status')
  parser.epilog = 'After -- come the arguments of gemb.launch.supervise.'
  given = list(sys.argv[1:] if arguments is None else arguments)
  end = given.index('--') if '--' in given else len(given)
  options = parser.parse_args(given[:end])
  try:
    match options.action:
      case 'start':
        start(options.folder, given[end + 1 :])
      case 'wait':
        return wait(options.folder)
      case 'status':
        print(describe(options.folder, options.workdir))
      case 'stop':
        stop(options.folder)
  except (ValueError, OSError, RuntimeError) as error:
    print(f'gemb: {error}', file=sys.stderr)
    return 2
  return 0


if __name__ == '__main__':
  sys.exit(main())
