"""What the commands have in common: gin files, work folders, checkpoints."""

import argparse
import re
import textwrap
from typing import Any

EXAMPLE = 'configs/run/00_quickstart.gin'


def add_command(
  to,
  command,
  name: str,
  text: str,
  example: str,
  *,
  files: bool = False,
  workdir: str = '',
  config: bool = True,
) -> argparse.ArgumentParser:
  """Adds a command to argparse's `to`, with an example in its help.

  Args:
    to: of a parser (`add_subparsers`).
    command: called with the options.
    name: of the command.
    text: what it does; `gemb --help` shows its first clause.
    example: of its arguments.
    files: whether it needs gin files.
    workdir: what lies in the folder that it needs, if it needs one.
    config: whether it reads a config, whose values can be overridden.
  """
  parser = to.add_parser(
    name,
    help=re.split(r'[.:;]( |$)', text)[0],
    description=_fill(text),
    # Breaks no line: the example is to be copied.
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.epilog = f'example:\n  {parser.prog} {example}'
  parser.set_defaults(command=command)
  if files:
    parser.add_argument(
      '--gin_file',
      action='append',
      required=True,
      metavar='FILE',
      help='a gin file; may be repeated, and later ones win',
    )
  if workdir:
    parser.add_argument(
      '--workdir', required=True, metavar='DIR', help=f'folder of {workdir}'
    )
  if config:
    # For the help alone: argparse has no options whose names vary, so that
    # `gemb.main` collects them.
    parser.add_argument(
      '--gin.NAME=VALUE',
      dest='gin',
      action='store_const',
      const=[],
      default=[],
      help='override a value of the config, such as --gin.Run.steps=20; may '
      'be repeated; a string is quoted twice: --gin.NAME="\'text\'"',
    )
  return parser


def add_step(parser: argparse.ArgumentParser) -> None:
  """Adds --step, which picks a checkpoint."""
  parser.add_argument(
    '--step',
    type=int,
    help='checkpoint; the last by default, 0 for the model as it begins',
  )


def add_profile(parser: argparse.ArgumentParser) -> None:
  """Adds --profile, which names some steps."""
  parser.add_argument(
    '--profile',
    metavar='FIRST:LAST',
    help='tell where the time of these steps goes, both among them; a trace '
    'and a table are written to DIR/profile',
  )


def add_processes(parser: argparse.ArgumentParser) -> None:
  """Adds the flags of one of several processes, for `meet`."""
  group = parser.add_argument_group(
    'several processes',
    _fill(
      'On TPU VMs, and under SLURM and Open MPI, they find each other. '
      'Elsewhere start the same command on every machine, with the first '
      'three. All share the work folder and the data folder. Other commands '
      'run in one process.'
    ),
  )
  group.add_argument(
    '--coordinator', metavar='HOST:PORT', help='where process 0 listens'
  )
  group.add_argument(
    '--processes', type=positive, help='how many processes there are'
  )
  group.add_argument(
    '--process', type=int, help='which of them this is, from 0'
  )
  group.add_argument(
    '--start_timeout',
    type=positive,
    default=300,
    metavar='SECONDS',
    help='seconds in which all processes must have come (300)',
  )
  group.add_argument(
    '--heartbeat_timeout',
    type=positive,
    default=30,
    metavar='SECONDS',
    help='seconds of silence after which a process is taken for dead (30)',
  )


def meet(options: argparse.Namespace) -> None:
  """Meets the other processes, if there are any."""
  from gemb import distributed

  distributed.start(
    options.coordinator,
    options.processes,
    options.process,
    start_timeout=options.start_timeout,
    heartbeat_timeout=options.heartbeat_timeout,
  )


def _fill(text: str) -> str:
  """Returns a text in lines of a terminal."""
  return textwrap.fill(text, 78)


def positive(text: str) -> int:
  """Returns a number of at least 1; argparse tells of any other."""
  if not text.isdecimal() or int(text) < 1:
    raise argparse.ArgumentTypeError(f'{text!r} is not a number of at least 1')
  return int(text)


def load_run(options: argparse.Namespace) -> tuple[Any, str]:
  """Returns the run that gin files describe, and its gin program."""
  from gemb import config

  return config.load(options.gin_file, options.gin)


def find_run(options: argparse.Namespace) -> tuple[Any, Any]:
  """Returns the run of a work folder, and the folder.

  Gin files that are given besides are read after the run's own.
  """
  from gemb import config, workdir

  found = workdir.find_workdir(options.workdir)
  files = [str(found.config), *getattr(options, 'gin_file', [])]
  run, _ = config.load(files, options.gin)
  return run, found


def load_curation(options: argparse.Namespace) -> Any:
  """Returns the curation that gin files describe."""
  from gemb import config

  found, _ = config.load(options.gin_file, options.gin, root='Curation')
  return found
