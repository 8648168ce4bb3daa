"""What the commands have in common: gin files, work folders, checkpoints."""

import argparse
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
  workdir: bool = False,
) -> argparse.ArgumentParser:
  """Adds a command to argparse's `to`, with an example in its help.

  Args:
    to: of a parser (`add_subparsers`).
    command: called with the options.
    name: of the command.
    text: what it does.
    example: of its arguments.
    files: whether it takes gin files.
    workdir: whether it takes the folder of a run.
  """
  parser = to.add_parser(
    name,
    help=text,
    description=text,
  )
  parser.epilog = (
    f'example: {parser.prog} {example}    '
    'Any value of the config is overridden by --gin.NAME=VALUE.'
  )
  parser.set_defaults(command=command)
  if files:
    parser.add_argument(
      '--gin_file',
      action='append',
      required=True,
      metavar='FILE',
      help='a gin file; several are read in order',
    )
  if workdir:
    parser.add_argument(
      '--workdir', required=True, metavar='DIR', help='folder of the run'
    )
  return parser


def add_step(parser: argparse.ArgumentParser) -> None:
  """Adds --step, which picks a checkpoint."""
  parser.add_argument(
    '--step',
    type=int,
    help='checkpoint; the last by default, 0 for the model as it begins',
  )


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
  """Returns the run of a work folder, and the folder."""
  from gemb import config, workdir

  found = workdir.find_workdir(options.workdir)
  run, _ = config.load([str(found.config)], options.gin)
  return run, found
