"""Being asked to stop, and the exit status with which a process ends.

A cloud sends SIGTERM before it takes a machine. Of several processes any one
may get it. JAX tells the others and finds the next call of `asked` that none of
them has made yet: there all stop together.
"""

import contextlib
import errno
import itertools
import os
import signal
import threading
from collections.abc import Iterator

EXIT_STATUS = 42  # of a run that has saved and may be started again

# Of a mounted bucket or file server that does not answer for a while.
_UNREACHABLE = (errno.EIO, errno.ESTALE, errno.ENOTCONN)
_received = threading.Event()  # by this process
_calls = itertools.count()  # of `asked`; alike, as all processes make them


class Stopped(Exception):  # noqa: N818, it is no error
  """The run was asked to stop; says after which step."""


class Failed(RuntimeError):  # noqa: N818, as Stopped
  """Another process or program has failed; this one ends with `status`."""

  def __init__(self, text: str, status: int):
    """Says how it has failed, and with which exit status."""
    super().__init__(text)
    self.status = status


def status(error: BaseException) -> int:
  """Returns the exit status of a process that ends with an error.

  The same command goes on after 42, as it was asked to stop, 75, as something
  was lost that may come back, and 130, Ctrl-C. 2 is what the user can mend, and
  1 what broke down.
  """
  match error:
    case Failed():
      return error.status
    case Stopped():
      return EXIT_STATUS
    case KeyboardInterrupt():
      return 130
  # JAX's own, without importing it: of what it computes, and of processes that
  # it has lost.
  lost = type(error).__name__ == 'JaxRuntimeError'
  lost |= isinstance(error, TimeoutError)
  lost |= isinstance(error, OSError) and error.errno in _UNREACHABLE
  if lost:
    return os.EX_TEMPFAIL
  return 2 if isinstance(error, (ValueError, OSError, RuntimeError)) else 1


@contextlib.contextmanager
def watched(*, alone: bool) -> Iterator[None]:
  """Notices SIGTERM for `asked`; outside, it ends a process at once.

  Args:
    alone: whether there is one process; JAX watches several from their meeting
      on.
  """
  _received.clear()
  if not alone or not _is_main_thread():
    yield
    return
  before = signal.signal(signal.SIGTERM, lambda *_: _received.set())
  try:
    yield
  finally:
    signal.signal(signal.SIGTERM, before)


def asked() -> bool:
  """Returns whether to stop; all processes call it equally often."""
  from jax.experimental import multihost_utils

  call = next(_calls)
  return _received.is_set() or multihost_utils.reached_preemption_sync_point(
    call
  )


def check() -> None:
  """Raises Stopped if this is where to stop; called as `asked` is."""
  if asked():
    raise Stopped('asked to stop; the same command goes on.')


def _is_main_thread() -> bool:
  # Python lets no other thread handle signals.
  return threading.current_thread() is threading.main_thread()
