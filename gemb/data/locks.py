"""Locks between processes, also of several machines that share a folder."""

import contextlib
import fcntl
import os
from collections.abc import Iterator


@contextlib.contextmanager
def hold(path: str | os.PathLike, *, wait: bool = True) -> Iterator[bool]:
  """Holds a lock that the kernel gives back when this process dies.

  Between machines it holds where their file system knows flock.

  Args:
    path: a file of the lock's own, in a folder that is there.
    wait: for whoever holds it; else False is yielded where somebody does.

  Yields:
    Whether it is held.

  Raises:
    FileNotFoundError: if the folder is not there.
  """
  with open(path, 'a') as file:
    try:
      fcntl.flock(
        file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB
      )
    except BlockingIOError:
      yield False
      return
    yield True


@contextlib.contextmanager
def claim(folder: str | os.PathLike, used: str) -> Iterator[None]:
  """Keeps others out of a work folder, until this process dies.

  Args:
    folder: which is there; all who use it in this way claim it.
    used: what it is being, such as 'trained'.

  Raises:
    ValueError: if another process has claimed it.
  """
  with hold(os.path.join(folder, '.lock'), wait=False) as held:
    if not held:
      raise ValueError(
        f'{folder} is being {used} by another process; wait for it, stop it, '
        'or choose another --workdir.'
      )
    yield
