"""gemb sweep: many runs that differ in a few values, and their table."""

import argparse
import contextlib
import pathlib
from typing import Any

from gemb.commands.arguments import EXAMPLE, add_command, load_run, positive


def add(to) -> None:
  """Adds this command."""
  command = add_command(
    to,
    sweep,
    'sweep',
    'Run every point of a sweep, or search the best, each in a folder and a '
    'process of its own; the same command goes on where it stopped. `gemb '
    'sweep show` tells what has come of one sweep or of several.',
    f'--gin_file={EXAMPLE} --sweep=configs/sweep/learning_rate.yaml '
    '--workdir=runs/sweep',
  )
  command.add_argument(
    'action',
    nargs='?',
    choices=('run', 'show'),
    default='run',
    help='run, if nothing is said; show needs --workdir alone',
  )
  command.add_argument(
    '--gin_file',
    action='append',
    default=[],
    metavar='FILE',
    help='of the run that all are made from; and, behind, one of '
    'configs/launch, where they are to run on other machines',
  )
  command.add_argument(
    '--sweep',
    type=pathlib.Path,
    metavar='FILE',
    help='.yaml or .py; gemb/sweep/reading.py tells what may be in it',
  )
  command.add_argument(
    '--workdir',
    required=True,
    action='append',
    type=pathlib.Path,
    metavar='DIR',
    help='folder of the sweep; several in one table',
  )
  command.add_argument(
    '--job',
    type=pathlib.Path,
    metavar='DIR',
    help='launch all points as one job, whose folder this is, where a file of '
    'configs/launch says; `gemb launch status --job=DIR` looks after it',
  )
  _add_numbers(command)
  _add_table(command)


def _add_numbers(command: argparse.ArgumentParser) -> None:
  group = command.add_argument_group('of a run')
  group.add_argument(
    '--retries',
    type=int,
    default=1,
    help='how often a point whose process has died is started again (1)',
  )
  group.add_argument(
    '--parallel',
    type=positive,
    default=1,
    help='how many points run at once (1); they share the devices: JAX takes '
    "75 %% of a GPU's memory for each, and a TPU belongs to one process",
  )
  group.add_argument(
    '--dry_run',
    action='store_true',
    help='tell every point, or what would be launched, and start nothing',
  )


def _add_table(command: argparse.ArgumentParser) -> None:
  group = command.add_argument_group('of a table')
  group.add_argument(
    '--metric',
    action='append',
    default=[],
    metavar='NAME',
    help="such as 'bitext/accuracy', at every prefix, or "
    "'bitext/accuracy@256'; the first says which point is best; by default "
    "the search's metric, or the run's CheckpointConfig.best_metric",
  )
  group.add_argument(
    '--csv',
    type=pathlib.Path,
    metavar='FILE',
    help='write the table to this file as well',
  )
  group.add_argument(
    '--plots',
    type=pathlib.Path,
    metavar='DIR',
    help='draw the table into this folder as well',
  )


def sweep(options: argparse.Namespace) -> None:
  """Runs a sweep, or shows what has come of some."""
  if options.action == 'show':
    _check_show(options)
    _show(options)
    return
  _check_run(options)
  from gemb.sweep import reading, resolving

  asked = reading.read_sweep(options.sweep)
  if options.job:
    _launch(options, asked)
    return
  run, text = load_run(options)
  points = resolving.resolve(asked, run, text, options.metric)
  if options.dry_run:
    _tell(asked, points)
    return
  _run(options, asked, points, run, text)


def _check_show(options: argparse.Namespace) -> None:
  """Raises ValueError if there are options that a table does not take."""
  given = (
    *(options.gin_file, options.gin, options.sweep, options.job),
    *(options.retries != 1, options.parallel != 1, options.dry_run),
  )
  if any(given):
    raise ValueError(
      '`gemb sweep show` takes --workdir, --metric, --csv and --plots: what '
      'the sweep is, its folder tells.'
    )


def _check_run(options: argparse.Namespace) -> None:
  """Raises ValueError unless a sweep can be run with these options."""
  if not options.gin_file or not options.sweep:
    raise ValueError(
      'A sweep needs --gin_file, of the run that all are made from, and '
      '--sweep, a file such as configs/sweep/learning_rate.yaml.'
    )
  if len(options.workdir) > 1:
    raise ValueError(
      f'--workdir is given {len(options.workdir)} times; a sweep has one '
      'folder. `gemb sweep show` takes several.'
    )
  if options.retries < 0:
    raise ValueError(
      f'--retries is {options.retries}; it must not be negative.'
    )


def _tell(asked: Any, points: list[Any]) -> None:
  """Tells what would be run."""
  from gemb.sweep.points import describe

  for number, point in enumerate(points, 1):
    print(f'{number} of {len(points)}: {describe(point.changes)}')
  if asked.search:
    print(
      f'{asked.search.trials} trials of {asked.search.metric} over '
      f'{", ".join(asked.search.axes)}'
    )


def _run(
  options: argparse.Namespace,
  asked: Any,
  points: list[Any],
  run: Any,
  text: str,
) -> None:
  from gemb.sweep import sweeping
  from gemb.sweep.family import open_family

  pace = sweeping.Pace(
    retries=options.retries, parallel=options.parallel, say=_say
  )
  with open_family(options.workdir[0], run, text) as family:
    if asked.search:
      wrong = sweeping.run_search(family, asked.search, asked.text, pace)
    else:
      changes = [point.changes for point in points]
      wrong = sweeping.run_points(family, changes, asked.text, pace)
    try:
      _show(options)
    finally:
      # Even where the table cannot be written.
      if wrong:
        raise RuntimeError(wrong)


def _launch(options: argparse.Namespace, asked: Any) -> None:
  from gemb import config
  from gemb.sweep import launching, resolving
  from gemb.sweep.family import open_family, plan_family

  if asked.search:
    raise ValueError(
      f'{asked.file} is a search, whose points depend on one another: it runs '
      'on this machine. Leave --job and the launch file away.'
    )
  job, text = config.load(options.gin_file, options.gin, root='Job')
  _, program = config.load(
    options.gin_file, options.gin, root='Job', program_of='Run'
  )
  points = resolving.resolve(asked, job.run, program)
  given = options.workdir[0], job.run, program
  opened = (
    contextlib.nullcontext(plan_family(*given))
    if options.dry_run
    else open_family(*given)
  )
  with opened as family:
    launching.launch_points(
      *(family, points, asked.text, job, text, options.job),
      dry_run=options.dry_run,
    )


def _show(options: argparse.Namespace) -> None:
  """Prints and writes the table of some sweeps."""
  from gemb.sweep import showing

  showing.show(
    options.workdir, options.metric, csv=options.csv, plots=options.plots
  )


def _say(line: str) -> None:
  print(line, flush=True)
