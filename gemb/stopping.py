"""Being asked to stop: SIGTERM, which a cloud sends before it takes a machine.

Of several processes any one may get it. JAX tells the others and finds the next
call of `asked` that none of them has made yet: there all stop together.
"""

import contextlib
import itertools
import signal
import threading
from collections.abc import Iterator

EXIT_STATUS = 42  # of a run that has saved and may be started again

_received = threading.Event()  # by this process
_calls = itertools.count()  # of `asked`; alike, as all processes make them


class Stopped(Exception):  # noqa: N818, it is no error
  """The run was asked to stop; says after which step."""


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
