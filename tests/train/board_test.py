import re
import struct

import pytest
from tensorboardX.proto import event_pb2
from tensorboardX.record_writer import RecordWriter

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
  first, begun, line = read_events(file)
  assert first.file_version == 'brain.Event:2'
  assert (begun.step, begun.session_log.status) == (5, 1)
  assert line.step == 5 and line.wall_time > 0
  assert [(v.tag, v.simple_value) for v in line.summary.value] == [
    ('loss', 1.5),
    ('eval/bitext/accuracy@8', 0.25),
  ]


def test_a_file_is_as_that_of_tensorboardx(tmp_path):
  Board(tmp_path, start=4).write(5, {'loss': 1.5})
  (file,) = tmp_path.iterdir()
  writer = RecordWriter(str(tmp_path / 'theirs'))
  for event in read_events(file):
    writer.write(event.SerializeToString())
  writer.close()
  assert file.read_bytes() == (tmp_path / 'theirs').read_bytes()


def test_a_file_is_closed_when_write_returns(tmp_path):
  board = Board(tmp_path, start=0)
  (file,) = tmp_path.iterdir()
  file.rename(tmp_path / 'moved')
  board.write(1, {'loss': 1.5})
  assert [event.step for event in read_events(file)] == [1]


def test_a_file_is_named_for_tensorboard_and_names_no_host(tmp_path):
  Board(tmp_path, start=0)
  (file,) = tmp_path.iterdir()
  assert re.fullmatch(r'events\.out\.tfevents\.\d+\.gemb', file.name)


def test_a_full_disk_is_told_where_the_numbers_are_written(tmp_path):
  board = Board(tmp_path, start=0)
  (file,) = tmp_path.iterdir()
  file.unlink()
  file.symlink_to('/dev/full')
  with pytest.raises(OSError, match='No space left on device'):
    board.write(1, {'loss': 1.5})
