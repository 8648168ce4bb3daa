"""A full disk: seen before a checkpoint is written, and told where it is met.

On a full disk a checkpoint stays without its name, so those before it are not
deleted either, and the last good one is what a run goes on from.
"""

import contextlib
import errno
import logging
import os
import pathlib
import shutil
from collections.abc import Iterator

from gemb.train import integrity

_FULL = errno.ENOSPC, errno.EDQUOT
# TensorStore raises ValueError, and tells in words what the system said.
_WORDS = tuple(os.strerror(number) for number in _FULL)


def is_full(error: BaseException | None) -> bool:
  """Returns whether an error is that a disk or a quota is full.

  Or the error that it comes from is.
  """
  while error is not None:
    if getattr(error, 'errno', None) in _FULL or any(
      words in str(error) for words in _WORDS
    ):
      return True
    error = error.__cause__ or error.__context__
  return False


def check_space(folder: pathlib.Path) -> None:
  """Raises OSError if another checkpoint like the last has no room.

  Where there is none yet, its size is not known.

  Args:
    folder: of the checkpoints.
  """
  steps = integrity.steps(folder)
  if not steps:
    return
  needed = integrity.size(folder / str(steps[-1]))
  usage = shutil.disk_usage(folder)
  # Some file systems of a network tell of no bytes at all.
  if usage.total and usage.free < needed:
    raise OSError(
      _sentence(
        folder,
        f'has {_mebibytes(usage.free)} left, and a checkpoint needs '
        f'{_mebibytes(needed)}',
      )
    )


@contextlib.contextmanager
def told(folder: pathlib.Path, what: str = 'the checkpoint') -> Iterator[None]:
  """Makes one sentence of what is raised where a disk is full.

  Args:
    folder: of the checkpoints of the run.
    what: is written in it.

  Raises:
    OSError: instead of what says that the disk is full.
  """
  try:
    yield
  except Exception as error:
    if not is_full(error):
      raise
    reason = f'is full, and {what} could not be written'
    raise OSError(_sentence(folder, reason)) from error


class _Unlogged(logging.Filter):
  """Keeps a full disk out of the log: it is raised, and told once."""

  def filter(self, record: logging.LogRecord) -> bool:
    """Returns whether a record tells of anything else."""
    error = record.exc_info[1] if record.exc_info else None
    message = record.getMessage()
    return not is_full(error) and not any(x in message for x in _WORDS)


# One for all: a logger takes the same filter once.
UNLOGGED = _Unlogged()


def _sentence(folder: pathlib.Path, reason: str) -> str:
  steps = integrity.steps(folder)
  then = (
    f'goes on from the checkpoint of step {steps[-1]}, the last good one.'
    if steps
    else 'begins again, for there is no checkpoint yet.'
  )
  return (
    f'The disk of {folder} {reason}. Free some space on it; the same command '
    f'then {then}'
  )


def _mebibytes(size: int) -> str:
  return f'{size / 2**20:,.1f} MiB'
