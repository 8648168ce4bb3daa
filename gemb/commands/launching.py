"""gemb launch: a run as a job of this machine or of others."""

import argparse
import pathlib

from gemb.commands.arguments import EXAMPLE, add_command


def add(to) -> None:
  """Adds this command."""
  command = add_command(
    to,
    launch,
    'launch',
    'Launch a run on this machine or on others, and look after it. A file of '
    'configs/launch, behind those of the run, says where; the same command '
    'goes on where the run was stopped or lost.',
    f'--gin_file={EXAMPLE} --gin_file=configs/launch/local.gin --job=jobs/mine '
    '--dry_run',
  )
  command.add_argument(
    'action',
    nargs='?',
    choices=('start', 'wait', 'status', 'logs', 'stop'),
    default='start',
    help='start, if nothing is said; the others need --job alone',
  )
  command.add_argument(
    '--gin_file',
    action='append',
    default=[],
    metavar='FILE',
    help='of the run, and one of configs/launch behind; read in order',
  )
  command.add_argument(
    '--job',
    required=True,
    type=pathlib.Path,
    metavar='DIR',
    help='folder of the job on this machine, which names it',
  )
  command.add_argument(
    '--workdir',
    metavar='DIR',
    help='folder of the run where it runs; on this machine JOB/run, if nothing '
    'is said',
  )
  command.add_argument(
    '--wait',
    action='store_true',
    help='come back when the run has ended',
  )
  command.add_argument(
    '--dry_run',
    action='store_true',
    help='print what would be written and run instead',
  )


def launch(options: argparse.Namespace) -> None:
  """Launches a job, or looks after one."""
  from gemb.launch import job

  if options.action != 'start':
    given = options.gin_file or options.gin or options.workdir or options.wait
    if given:
      raise ValueError(
        f'`gemb launch {options.action}` takes --job and --dry_run alone: what '
        'the job is, its folder tells.'
      )
    job.attend(options.action, options.job, dry_run=options.dry_run)
    return
  if not options.gin_file:
    raise ValueError(
      'No --gin_file is given; give those of a run, and behind them one of '
      'configs/launch, such as configs/launch/local.gin.'
    )
  workdir = [f'Job.workdir={options.workdir!r}'] if options.workdir else []
  job.launch(
    options.gin_file,
    [*options.gin, *workdir],
    options.job,
    dry_run=options.dry_run,
    wait=options.wait,
  )
