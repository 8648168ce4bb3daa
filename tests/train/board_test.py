import struct

import pytest
from tensorboardX.proto import event_pb2

from gemb.train.board import Board


def read_events(path):
  """Yields what lies between the checksums of a file of events."""
  data = path.read_bytes()
  while data:
    (length,) = struct.unpack_from('<Q', data)
    yield event_pb2.Event.FromString(data[12 : 12 + length])
    data = data[16 + length :]


def test_what_is_written_is_on_disk_at_once(tmp_path):
  board = Board(tmp_path / 'tensorboard', start=4)
  board.write(5, {'loss': 1.5, 'eval/bitext/accuracy@8': 0.25})
  (file,) = (tmp_path / 'tensorboard').iterdir()
  assert file.name.startswith('events.out.tfevents.')
  first, begun, line = read_events(file)
  assert first.file_version == 'brain.Event:2'
  assert (begun.step, begun.session_log.status) == (5, 1)
  assert line.step == 5 and line.wall_time > 0
  assert [(v.tag, v.simple_value) for v in line.summary.value] == [
    ('loss', 1.5),
    ('eval/bitext/accuracy@8', 0.25),
  ]
  board.close()


def test_a_full_disk_is_told_where_the_numbers_are_written(tmp_path):
  board = Board(tmp_path, start=0)
  with open('/dev/full', 'wb', buffering=0) as full:
    file, board._file._writer = board._file._writer, full
    with pytest.raises(OSError, match='No space left on device'):
      board.write(1, {'loss': 1.5})
  board._file._writer = file
  board.close()
