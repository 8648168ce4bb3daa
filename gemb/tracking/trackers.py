"""Follows a run in tracking services, and never in its way.

Training hands over its lines and goes on: a thread sends them. Which run of the
service it is, and up to where it has the lines, is kept in the work folder; a
run that goes on hands over again all lines that it has, and those that were
sent before are dropped.
"""

import json
import pathlib
import queue
import re
import threading
from collections.abc import Callable, Mapping
from typing import Literal, Protocol, runtime_checkable

import tqdm

from gemb import files

Outcome = Literal['finished', 'stopped', 'failed']
Kind = Literal['training', 'evaluation']  # a step may have a line of each

_CLOSING_SECONDS = 30  # that the end of a run waits for a service


@runtime_checkable
class Service(Protocol):
  """A run in a tracking service.

  Attributes:
    title: of the service.
    identity: of the run in it, by which another start goes on in the same.
    logged: the last steps that the service has, by kind; None: it cannot tell.
  """

  title: str
  identity: str
  logged: Mapping[str, int] | None

  def log(self, kind: Kind, step: int, values: Mapping[str, float]) -> None:
    """Sends a line, and raises what goes wrong."""
    ...

  def close(self, outcome: Outcome) -> None:
    """Tells how the run ended."""
    ...


class Tracker:
  """Sends the lines of one run to one service."""

  def __init__(
    self, open_service: Callable[[str | None], Service], path: pathlib.Path
  ):
    """Opens the run in the service, or goes on in it.

    Args:
      open_service: called with the id that the run has in it, or None.
      path: of the file that keeps it between two starts.

    Raises:
      ValueError: if that fails.
    """
    kept = json.loads(path.read_text()) if path.is_file() else {}
    self._path = path
    self._service = open_service(kept.get('run'))
    logged = self._service.logged
    self._before = kept.get('logged', {}) if logged is None else dict(logged)
    self._logged = dict(self._before)
    self._keep()
    self._failed = False
    self._jobs: queue.SimpleQueue[Callable[[], None] | None] = (
      queue.SimpleQueue()
    )
    # A daemon: a service that does not answer cannot keep the process alive.
    self._thread = threading.Thread(target=self._work, daemon=True)
    self._thread.start()

  def log(self, step: int, values: Mapping[str, int | float]) -> None:
    """Hands over a line, unless an earlier start of the run sent it."""
    evaluated = any(name.startswith('eval/') for name in values)
    kind: Kind = 'evaluation' if evaluated else 'training'
    if step > self._before.get(kind, -1):
      self._jobs.put(lambda: self._send(kind, step, values))

  def close(self, outcome: Outcome) -> None:
    """Waits until all is sent, but not for ever."""
    self._jobs.put(lambda: self._service.close(outcome))
    self._jobs.put(None)
    self._thread.join(_CLOSING_SECONDS)
    if self._thread.is_alive():
      self._complain(f'some were not sent {_CLOSING_SECONDS} s after its end')

  def _send(
    self, kind: Kind, step: int, values: Mapping[str, int | float]
  ) -> None:
    self._service.log(kind, step, values)
    self._logged[kind] = step
    self._keep()

  def _keep(self) -> None:
    content = {'run': self._service.identity, 'logged': self._logged}
    files.write_file(self._path, json.dumps(content) + '\n')

  def _work(self) -> None:
    """Does what is handed over, one after another, to the end."""
    while job := self._jobs.get():
      try:
        job()
      except Exception as error:  # whatever it is, training goes on
        self._complain(str(error) or type(error).__name__)

  def _complain(self, reason: str) -> None:
    """Says once that something was not sent."""
    if not self._failed:
      tqdm.tqdm.write(
        f'{self._service.title} did not get all lines of this run '
        f'({without_password(reason)}); metrics.jsonl has them.'
      )
    self._failed = True


def without_password(text: str) -> str:
  """Returns a text with its addresses free of user and password.

  >>> without_password('https://me:secret@tracking.example/api is gone')
  'https://tracking.example/api is gone'
  """
  return re.sub(r'//[^/\s@]*@', '//', text)
