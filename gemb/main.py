"""The command line: what there is to say, and how mistakes are told."""

import argparse
import errno
import itertools
import os
import sys
import traceback
from collections.abc import Sequence

from gemb import stopping
from gemb.commands import (
  certifying,
  data,
  judging,
  launching,
  mining,
  mixing,
  planning,
  scoring,
  souping,
  sweeping,
  synthesizing,
  teaching,
  training,
  using,
)
from gemb.commands.arguments import EXAMPLE

# In the order of `gemb --help`.
_GROUPS = (
  training,
  sweeping,
  launching,
  data,
  mining,
  scoring,
  synthesizing,
  teaching,
  mixing,
  souping,
  certifying,
  planning,
  judging,
  using,
)

# What says in one sentence what is wrong.
_TOLD = (
  ValueError,
  OSError,
  RuntimeError,
  FloatingPointError,
  stopping.Stopped,
  KeyboardInterrupt,
)


def main(arguments: Sequence[str] | None = None) -> int:
  """Runs one command; returns the exit status.

  What the user can mend is one sentence on standard error and status 2 (1 for
  a run that broke down); GEMB_DEBUG=1 shows where it came from. The same
  command goes on after status 42 (`gemb.stopping`), and after 75: a device, a
  mounted folder or another process has failed, or did not come.
  """
  options = make_parser().parse_args(arguments)
  # Before TensorFlow or JAX are imported: they greet on standard error.
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '0')
  status = _run(options)
  if distributed := sys.modules.get('gemb.distributed'):  # it imports JAX
    distributed.leave(status)
  return status


def _run(options: argparse.Namespace) -> int:
  """Runs a command, and tells why it has failed; returns the exit status."""
  try:
    options.command(options)
  except (Exception, KeyboardInterrupt) as error:
    if isinstance(error, _TOLD) and not os.environ.get('GEMB_DEBUG'):
      print(f'gemb: {_sentence(error)}', file=sys.stderr)
    else:
      traceback.print_exc()
    return stopping.status(error)
  return 0


def _sentence(error: BaseException) -> str:
  if isinstance(error, KeyboardInterrupt):
    return 'stopped; the same command goes on.'
  if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
    return (
      f'the disk is full ({error.filename or error.strerror}); free some '
      'space, and the same command goes on.'
    )
  return str(error)


class _Parser(argparse.ArgumentParser):
  """Collects every --gin.NAME=VALUE, as T5X spells them, in `gin`."""

  def parse_args(self, args=None, namespace=None):
    args = list(sys.argv[1:] if args is None else args)
    given = [arg for arg in args if _is_binding(arg)]
    for arg, behind in itertools.pairwise([*args, '--']):
      if _is_binding(arg) and '=' not in arg:
        value = 'VALUE' if behind.startswith('--') else behind
        self.error(f'{arg} has no value; write {arg}={value}')
    rest = [arg for arg in args if not _is_binding(arg)]
    found = super().parse_args(rest, namespace)
    if given and 'gin' not in found:
      self.error(f'this command reads no config; leave out {given[0]}')
    found.gin = [arg.removeprefix('--gin.') for arg in given]
    return found


def _is_binding(argument: str) -> bool:
  return argument.startswith('--gin.')


def make_parser() -> argparse.ArgumentParser:
  """Returns the parser of every command."""
  parser = _Parser(
    prog='gemb',
    description='Train text embedding models, and use them.',
    epilog=f'example:\n  gemb train --gin_file={EXAMPLE} --workdir=runs/mine',
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  to = parser.add_subparsers(required=True, metavar='COMMAND')
  for group in _GROUPS:
    group.add(to)
  return parser


if __name__ == '__main__':
  sys.exit(main())
