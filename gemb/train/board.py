"""TensorBoard's files, each line of numbers on disk when `write` returns.

tensorboardX's own writer hands events to a thread, and a thread that a full
disk has ended is waited for without end; what was handed over in the last two
minutes is lost where a run is killed.
"""

import os
import pathlib
import socket
import time
from collections.abc import Mapping
from typing import Any

from tensorboardX.proto import event_pb2, summary_pb2
from tensorboardX.record_writer import RecordWriter

_events: Any = event_pb2  # protobuf makes their classes as they are imported
_summaries: Any = summary_pb2


class Board:
  """Writes one file of events."""

  def __init__(self, folder: str | os.PathLike, *, start: int):
    """Begins a file, which takes the place of what others have after `start`.

    Args:
      folder: of TensorBoard.
      start: updates done already.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # TensorBoard reads files of such names, in the order of the names.
    name = f'events.out.tfevents.{int(time.time())}.{socket.gethostname()}'
    self._file = RecordWriter(str(folder / name))
    self._write(_events.Event(file_version='brain.Event:2'))
    begun = _events.SessionLog(status=_events.SessionLog.START)
    self._write(_events.Event(step=start + 1, session_log=begun))
    self._file.flush()

  def write(self, step: int, values: Mapping[str, int | float]) -> None:
    """Writes the numbers of a step."""
    found = [
      _summaries.Summary.Value(tag=name, simple_value=value)
      for name, value in values.items()
    ]
    summary = _summaries.Summary(value=found)
    self._write(_events.Event(step=step, summary=summary))
    self._file.flush()

  def close(self) -> None:
    """Closes the file."""
    self._file.close()

  def _write(self, event: Any) -> None:
    event.wall_time = time.time()
    self._file.write(event.SerializeToString())
