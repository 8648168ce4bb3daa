"""How the time of a trace is shared out."""

import pytest

from gemb.profile.places import COLLECTIVES, UNKNOWN, Places
from gemb.profile.table import HOST, ROWS, make_table
from gemb.profile.trace import Operation, Span, Trace

STEP = Places(
  'jit_train_step',
  {'loop': 'encoder', 'dot': 'encoder', 'exp': 'loss', 'sum': COLLECTIVES},
)
MS = 1e6  # nanoseconds


def ran(
  name, start, end, device='0', module='jit_train_step', program='1', line=''
):
  return Operation(device, line, module, program, name, start * MS, end * MS)


def host(name, start, end):
  return Span(name, start * MS, end * MS)


def shared(spans, operations, programs=(STEP,), steps=1):
  """Returns the milliseconds of each row that has any, and the table."""
  window = host('window', 0, 100)
  table = make_table(Trace([window, *spans], operations), programs, steps)
  assert tuple(table.parts) == ROWS
  assert sum(table.parts.values()) == pytest.approx(table.seconds)
  parts = {n: round(1000 * s, 6) for n, s in table.parts.items() if s}
  return parts, table


def test_a_moment_goes_to_the_innermost_instruction():
  parts, _ = shared([], [ran('loop', 10, 90), ran('sum', 20, 30)])
  assert parts == {'encoder': 70, COLLECTIVES: 10, HOST: 20}


def test_a_collective_that_another_stream_hides_costs_nothing():
  beside = [ran('sum', 10, 90, line='2'), ran('dot', 0, 60, line='1')]
  parts, _ = shared([], beside)
  assert parts == {'encoder': 60, COLLECTIVES: 30, HOST: 10}
  within = [ran('sum', 10, 90, line='1'), ran('loop', 0, 100, line='1')]
  parts, table = shared([host('input', 0, 100)], within)
  assert parts == {'encoder': 20, COLLECTIVES: 80}
  assert table.devices == 1


def test_what_hides_behind_the_devices_costs_nothing():
  spans = [host('input', 0, 40), host('checkpoint', 95, 100)]
  parts, table = shared(spans, [ran('dot', 10, 50), ran('exp', 50, 60)])
  wanted = {'input': 10, 'encoder': 40, 'loss': 10, 'checkpoint': 5, HOST: 35}
  assert parts == wanted
  assert table.waits == pytest.approx(
    {'input': 0.04, 'compilation': 0, 'checkpoint': 0.005, 'evaluation': 0}
  )


def test_other_programs_count_with_what_the_host_does():
  spans = [host('evaluation', 20, 60)]
  other = [
    ran('dot', 30, 50, module='jit_encode'),
    ran('dot', 70, 80, module=''),
  ]
  parts, _ = shared(spans, [ran('exp', 0, 10), *other])
  assert parts == {'loss': 10, 'evaluation': 40, UNKNOWN: 10, HOST: 40}


def test_devices_are_averaged():
  operations = [ran('dot', 0, 100), ran('sum', 50, 100, device='1')]
  parts, table = shared([], operations)
  assert parts == {'encoder': 50, COLLECTIVES: 25, HOST: 25}
  assert table.devices == 2


def test_what_lies_outside_of_the_window_is_left_out():
  spans = [host('input', -20, 10)]
  parts, table = shared(spans, [ran('dot', -5, 5), ran('exp', 95, 120)])
  assert parts == {'encoder': 5, 'input': 5, 'loss': 5, HOST: 85}
  assert table.waits['input'] == pytest.approx(0.01)


def test_batches_of_other_shapes_run_other_programs():
  other = Places('jit_train_step', {'dot': 'loss'})
  operations = [ran('dot', 0, 10), ran('dot', 20, 50, program='2')]
  parts, _ = shared([], operations, [STEP, other])
  assert parts == {'encoder': 10, 'loss': 30, HOST: 60}


def test_programs_that_are_not_told_apart_are_one():
  other = Places('jit_train_step', {'new': 'optimizer'})
  operations = [
    ran('exp', 0, 10, program=None),
    ran('new', 10, 30, program=None),
  ]
  parts, _ = shared([], operations, [STEP, other])
  assert parts == {'loss': 10, 'optimizer': 20, HOST: 70}


def test_an_instruction_that_is_not_known_is_not_told_apart():
  parts, _ = shared([], [ran('strange', 0, 10)])
  assert parts == {UNKNOWN: 10, HOST: 90}


def test_numbers_are_those_of_a_step():
  _, table = shared([host('input', 0, 20)], [ran('dot', 40, 80)], steps=2)
  summary = table.summary()
  assert summary['milliseconds_a_step'] == pytest.approx(50)
  assert summary['rows']['encoder'] == pytest.approx(
    {'milliseconds': 20, 'percent': 40}
  )
  assert summary['waits']['input'] == pytest.approx(10)
  lines = table.markdown().splitlines()
  assert len({len(line) for line in lines}) == 1
  assert lines[2:4] == [
    '| input          |     10.00 |    20.0 |        10.00 |',
    '| encoder        |     20.00 |    40.0 |              |',
  ]
  assert lines[-1] == '| all            |     50.00 |   100.0 |              |'


def test_a_trace_that_cannot_be_read_is_refused():
  with pytest.raises(ValueError, match='does not say when its steps began'):
    make_table(Trace([], []), [STEP], 1)
  with pytest.raises(ValueError, match='no instruction of the train step'):
    shared([], [ran('dot', 0, 10, module='jit_encode')])
