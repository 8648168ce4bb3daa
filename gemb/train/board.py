"""TensorBoard's files, closed when `write` returns.

tensorboardX's own writer hands events to a thread, and a thread that a full
disk has ended is waited for without end; what was handed over in the last two
minutes is lost where a run is killed. And it keeps its file open, which a
mounted bucket stores as it is closed.
"""

import os
import pathlib
import struct
import time
from collections.abc import Mapping
from typing import Any

from tensorboardX.proto import event_pb2, summary_pb2
from tensorboardX.record_writer import masked_crc32c

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
    # TensorBoard reads files of such names, in the order of the names; others
    # put their host's in the place of gemb.
    name = f'events.out.tfevents.{int(time.time())}.gemb'
    self._path = folder / name
    begun = _events.SessionLog(status=_events.SessionLog.START)
    self._append(
      _events.Event(file_version='brain.Event:2'),
      _events.Event(step=start + 1, session_log=begun),
    )

  def write(self, step: int, values: Mapping[str, int | float]) -> None:
    """Writes the numbers of a step."""
    found = [
      _summaries.Summary.Value(tag=name, simple_value=value)
      for name, value in values.items()
    ]
    summary = _summaries.Summary(value=found)
    self._append(_events.Event(step=step, summary=summary))

  def _append(self, *events: Any) -> None:
    with self._path.open('ab') as file:
      for event in events:
        event.wall_time = time.time()
        file.write(_record(event.SerializeToString()))


def _record(data: bytes) -> bytes:
  """Returns it as a TFRecord: its length, itself, and a checksum of each."""
  length = struct.pack('<Q', len(data))
  return b''.join(
    part + struct.pack('<I', masked_crc32c(part)) for part in (length, data)
  )
