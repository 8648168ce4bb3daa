import json
import struct
import time

import pytest
from tensorboardX.proto import event_pb2

from gemb import stopping
from gemb.tracking.trackers import Tracker
from gemb.train import metrics
from gemb.train.metrics import (
  Meter,
  MetricWriter,
  is_evaluated,
  keep_lines,
  read_metrics,
)


@pytest.fixture
def clock(monkeypatch):
  """A clock that stands still until it is set."""
  now = [100.0]
  monkeypatch.setattr(time, 'monotonic', lambda: now[0])

  def wait(seconds):
    now[0] += seconds

  return wait


def step(**values):
  numbers = {'loss': 1.0, 'learning_rate': 0.1, 'pairs': 8, 'tokens': 100.0}
  return numbers | values


def test_numbers_are_averaged_over_the_steps_between_two_lines(clock):
  meter = Meter()
  meter.add(step(loss=1.0))
  meter.add(step(loss=4.0, learning_rate=0.2, pairs=4, tokens=200.0))
  clock(2.0)
  assert meter.read() == {
    'loss': 2.5,
    'learning_rate': 0.2,  # the last
    'pairs_per_second': 6.0,
    'tokens_per_second': 150.0,
  }


def test_every_line_starts_anew(clock):
  meter = Meter()
  meter.add(step(loss=100.0))
  clock(50.0)
  meter.read()
  meter.add(step(loss=3.0))
  clock(4.0)
  line = meter.read()
  assert line['loss'] == 3.0
  assert line['pairs_per_second'] == 2.0


def test_a_step_that_was_left_out_is_counted_and_has_no_loss(clock):
  meter = Meter()
  left_out = step(skipped=1.0, learning_rate=0.3)
  del left_out['loss']
  for each in (step(skipped=0.0), left_out, step(skipped=0.0, loss=4.0)):
    meter.add(each)
  clock(2.0)
  assert meter.read() == {
    'loss': 2.5,
    'learning_rate': 0.1,
    'skipped': 1.0,
    'pairs_per_second': 12.0,  # it was computed
    'tokens_per_second': 150.0,
  }
  meter.add(left_out)
  clock(1.0)
  assert 'loss' not in meter.read()


def test_time_that_is_not_training_is_left_out(clock):
  meter = Meter()
  meter.add(step())
  clock(1.0)
  with meter.paused():
    clock(1000.0)
  with pytest.raises(stopping.Stopped), meter.paused():
    clock(1000.0)
    raise stopping.Stopped
  clock(1.0)
  assert meter.read()['pairs_per_second'] == 4.0


def test_a_meter_goes_on_where_another_was(clock):
  whole, first = Meter(), Meter()
  for meter in (whole, first):
    meter.add(step(loss=1.0, pairs=2))
  clock(3.0)
  state = json.loads(json.dumps(first.state()))
  second = Meter(state)
  for meter in (whole, second):
    meter.add(step(loss=0.2, pairs=5))
  clock(1.0)
  line = whole.read()
  assert second.read() == line
  assert line['pairs_per_second'] == 1.75


@pytest.fixture
def write(tmp_path):
  """Writes losses of steps as one start of the command would."""

  def write_steps(*steps, start=0):
    with MetricWriter(tmp_path, start=start, steps=10) as writer:
      for number in steps:
        writer.write(number, {'loss': float(number)})
    return read_metrics(tmp_path)

  return write_steps


def test_lines_are_read_as_they_were_written(write):
  assert write(1, 2) == [{'step': 1, 'loss': 1.0}, {'step': 2, 'loss': 2.0}]


def test_a_line_is_on_disk_when_write_returns(tmp_path):
  with MetricWriter(tmp_path, start=0, steps=10) as writer:
    writer.write(1, {'loss': 1.0})
    assert read_metrics(tmp_path) == [{'step': 1, 'loss': 1.0}]


def test_a_file_is_closed_when_write_returns(tmp_path):
  path = tmp_path / 'metrics.jsonl'
  with MetricWriter(tmp_path, start=0, steps=10) as writer:
    writer.write(1, {'loss': 1.0})
    path.rename(tmp_path / 'moved')
    writer.write(2, {'loss': 2.0})
    assert [line['step'] for line in read_metrics(tmp_path)] == [2]


def test_a_full_disk_is_told_in_one_sentence(tmp_path):
  with MetricWriter(tmp_path, start=0, steps=10) as writer:
    (tmp_path / 'metrics.jsonl').unlink()
    (tmp_path / 'metrics.jsonl').symlink_to('/dev/full')
    with pytest.raises(
      OSError, match=r'is full, and metrics\.jsonl or TensorBoard could not be'
    ):
      writer.write(1, {'loss': 1.0})


def test_a_run_that_goes_on_repeats_the_steps_after_its_checkpoint(write):
  write(1, 2, 3, 4)
  assert [line['step'] for line in write(3, 4, 5, start=2)] == [1, 2, 3, 4, 5]


def test_a_run_that_starts_over_keeps_no_line(write):
  write(1, 2)
  assert [line['step'] for line in write(1, start=0)] == [1]


def test_a_step_is_evaluated_once_its_scores_are_written(tmp_path):
  with MetricWriter(tmp_path, start=0, steps=10) as writer:
    writer.write(4, {'loss': 1.0})
    assert not is_evaluated(tmp_path, 4)
    writer.write(4, {'eval/bitext/accuracy@16': 0.5})
  assert is_evaluated(tmp_path, 4)
  assert not is_evaluated(tmp_path, 5)


def test_a_service_is_handed_again_what_a_run_has_when_it_goes_on(
  tmp_path, write
):
  class Recorder(Tracker):
    def __init__(self):
      self.lines = []

    def log(self, step, values):
      self.lines.append((step, values))

  write(1, 2, 3)  # which the service may not have got before a kill
  service = Recorder()
  with MetricWriter(tmp_path, start=2, steps=10, trackers=[service]) as writer:
    writer.write(3, {'loss': 0.5})
  assert service.lines == [
    (1, {'loss': 1}),
    (2, {'loss': 2}),
    (3, {'loss': 0.5}),
  ]


@pytest.mark.parametrize(
  'rest',
  [b'{"step": 3, "lo', b'{"step": 3', b'{', '{"step": 3, "é'.encode()[:-1]],
)
def test_a_line_that_was_cut_off_is_dropped(tmp_path, write, rest):
  write(1, 2)
  with (tmp_path / 'metrics.jsonl').open('ab') as file:
    file.write(rest)
  assert [line['step'] for line in read_metrics(tmp_path)] == [1, 2]
  assert [line['step'] for line in write(3, start=2)] == [1, 2, 3]
  for line in (tmp_path / 'metrics.jsonl').read_text().splitlines():
    json.loads(line)


@pytest.mark.parametrize('separator', ['\x85', '\u2028', '\u2029'])
def test_only_a_newline_ends_a_line(tmp_path, separator):
  path = tmp_path / 'skipped.jsonl'
  lines = [
    {'step': step, 'examples': [f'one{separator}two']} for step in (1, 2, 3)
  ]
  path.write_text(
    ''.join(json.dumps(line, ensure_ascii=False) + '\n' for line in lines),
    encoding='utf-8',
  )
  for start in (3, 2):
    assert keep_lines(path, start) == lines[:start]


def test_a_folder_without_metrics_has_none(tmp_path):
  assert read_metrics(tmp_path) == []


def read_events(path):
  """Yields the events of a file: length, checksum, event, checksum."""
  data = path.read_bytes()
  while data:
    (length,) = struct.unpack_from('<Q', data)
    yield event_pb2.Event.FromString(data[12 : 12 + length])
    data = data[16 + length :]


def test_tensorboard_gets_the_same_and_forgets_what_is_repeated(
  tmp_path, write, monkeypatch
):
  write(1, 2, 3)
  now = time.time()
  monkeypatch.setattr(time, 'time', lambda: now + 10)  # names the next file
  write(3, start=2)
  first, second = sorted((tmp_path / 'tensorboard').iterdir())
  scalars = [
    [(e.step, v.tag, v.simple_value) for e in file for v in e.summary.value]
    for file in map(list, map(read_events, (first, second)))
  ]
  assert scalars[0] == [(n, 'loss', n) for n in (1, 2, 3)]
  assert scalars[1] == [(3, 'loss', 3)]
  # TensorBoard drops events from here on when it reads a new start.
  starts = [e.step for e in read_events(second) if e.session_log.status == 1]
  assert starts == [3]


def test_without_a_terminal_a_line_is_printed_each_time(tmp_path, capsys):
  with MetricWriter(tmp_path, start=0, steps=10) as writer:
    writer.advance(1)
    writer.advance(2, {'loss': 1.23456, 'padding': 0.5})
  assert capsys.readouterr().out == 'step 2/10: loss 1.235, padding 0.5\n'


def test_the_first_process_alone_writes(tmp_path, capsys, monkeypatch):
  for first in (True, False):
    folder = tmp_path / str(first)
    monkeypatch.setattr(
      metrics.distributed, 'is_first', lambda first=first: first
    )
    with metrics.open_writer(folder, start=0, steps=10) as writer:
      writer.say('On 8 devices.')
      writer.write(1, {'loss': 1.0})
      writer.advance(1, {'loss': 1.0})
    assert folder.is_dir() == first
    assert bool(capsys.readouterr().out) == first


def test_on_a_terminal_the_bar_shows_them(tmp_path, capsys, monkeypatch):
  tqdm = metrics.tqdm.tqdm
  monkeypatch.setattr(
    metrics.tqdm, 'tqdm', lambda **kwargs: tqdm(**kwargs | {'disable': False})
  )
  with MetricWriter(tmp_path, start=4, steps=10) as writer:
    writer.say('Going on.')
    writer.advance(10, {'loss': 1.5})
  captured = capsys.readouterr()
  assert captured.out == 'Going on.\n'
  assert '10/10' in captured.err and 'loss 1.5' in captured.err
