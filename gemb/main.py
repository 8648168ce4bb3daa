"""The command line: what there is to say, and how mistakes are told."""

import argparse
import errno
import os
import sys
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


def main(arguments: Sequence[str] | None = None) -> int:
  """Runs one command; returns the exit status.

  What the user can mend is one sentence on standard error and status 2 (1 for
  a run that broke down); GEMB_DEBUG=1 shows where it came from. The same
  command goes on after status 42 (`gemb.stopping`), and after 75: a device or
  another process has failed, or did not come.
  """
  options = _parser().parse_args(arguments)
  # Before TensorFlow or JAX are imported: they greet on standard error.
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '0')
  try:
    options.command(options)
  except (ValueError, OSError, RuntimeError, FloatingPointError) as error:
    if os.environ.get('GEMB_DEBUG'):
      raise
    print(f'gemb: {_sentence(error)}', file=sys.stderr)
    return _status(error)
  except stopping.Stopped as stopped:
    print(f'gemb: {stopped}', file=sys.stderr)
    return stopping.EXIT_STATUS
  except KeyboardInterrupt:
    print('gemb: stopped; the same command goes on.', file=sys.stderr)
    return 130
  return 0


def _sentence(error: Exception) -> str:
  if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
    return (
      f'the disk is full ({error.filename or error.strerror}); free some '
      'space, and the same command goes on.'
    )
  return str(error)


def _status(error: Exception) -> int:
  """Returns the exit status that tells a supervisor whether to go on."""
  if isinstance(error, FloatingPointError):
    return 1
  # JAX's own, without importing it: of what it computes, and of processes that
  # it has lost.
  lost = type(error).__name__ == 'JaxRuntimeError'
  return 75 if lost or isinstance(error, TimeoutError) else 2


class _Parser(argparse.ArgumentParser):
  """Collects every --gin.NAME=VALUE, as T5X spells them, in `gin`."""

  def parse_args(self, args=None, namespace=None):
    args = list(sys.argv[1:] if args is None else args)
    bindings = [a.removeprefix('--gin.') for a in args if _is_binding(a)]
    rest = [a for a in args if not _is_binding(a)]
    found = super().parse_args(rest, namespace)
    found.gin = bindings
    return found


def _is_binding(argument: str) -> bool:
  return argument.startswith('--gin.')


def _parser() -> argparse.ArgumentParser:
  parser = _Parser(
    prog='gemb',
    description='Train text embedding models, and use them.',
    epilog=f'example: gemb train --gin_file={EXAMPLE} --workdir=runs/try',
  )
  to = parser.add_subparsers(required=True, metavar='COMMAND')
  for group in _GROUPS:
    group.add(to)
  return parser


if __name__ == '__main__':
  sys.exit(main())
