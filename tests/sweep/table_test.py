import fcntl
import json
import pathlib
import shutil

import pytest

from gemb.sweep.record import Record
from gemb.sweep.sweeping import write_points
from gemb.sweep.table import as_csv, as_markdown, read_table

RATE = 'gemb.train.optimizer.OptimizerConfig.learning_rate'
SEED = 'gemb.run.Run.seed'
STEPS = 'gemb.run.Run.steps'
POINTS = [{RATE: 1e-3, STEPS: 9}, {RATE: 1e-1, STEPS: 9}, {SEED: 5, STEPS: 9}]


@pytest.fixture
def family(make_family):
  return make_family()


@pytest.fixture
def names(family):
  return list(write_points(family, POINTS, Record()))


def scores(high, low):
  return {
    f'bitext/accuracy@{p}': s for p, s in ((16, high), (8, 0.5), (4, low))
  }


@pytest.fixture
def ended(family, names, end):
  end(family, names[0], scores(0.5, 0.25), step=9)
  end(family, names[1], scores(0.75, 0.125), step=9)
  end(family, names[2], scores(0.25, 1.0), step=9)


@pytest.mark.usefixtures('ended')
def test_the_best_is_first_and_only_what_differs_is_shown(family, names):
  table = as_markdown(read_table([family.root]))
  lines = [
    [cell.strip() for cell in line.split('|')[1:-1]]
    for line in table.splitlines()
  ]
  del lines[1]
  short = [name.rpartition('/')[2] for name in names]
  metrics = [f'bitext/accuracy@{prefix}' for prefix in (16, 8, 4)]
  assert lines == [
    ['point', 'OptimizerConfig.learning_rate', 'Run.seed', *metrics],
    [short[1], '0.1', '0', '75.00', '50.00', '12.50'],
    [short[0], '0.001', '0', '50.00', '50.00', '25.00'],
    [short[2], '0.01', '5', '25.00', '50.00', '100.00'],
  ]


@pytest.mark.usefixtures('ended')
def test_the_first_metric_says_which_is_best(family, names):
  table = read_table([family.root], ['bitext/accuracy@4', 'bitext/accuracy'])
  assert table.metrics == (
    *('bitext/accuracy@4', 'bitext/accuracy@16', 'bitext/accuracy@8'),
  )
  assert table.rows[0].name == names[2].rpartition('/')[2]
  with pytest.raises(ValueError, match='mean bitext/accuracy'):
    read_table([family.root], ['bitext/acuracy'])


@pytest.mark.usefixtures('ended')
def test_a_file_of_values_has_all_digits(family, names):
  head, first, *_ = as_csv(read_table([family.root])).splitlines()
  assert head == (
    f'point,{RATE},{SEED},state,bitext/accuracy@16,bitext/accuracy@8,'
    'bitext/accuracy@4'
  )
  assert first == f'{names[1].rpartition("/")[2]},0.1,0,ended,0.75,0.5,0.125'


def test_what_has_not_ended_says_how_far_it_is(family, names, end):
  end(family, names[2], scores(0.5, 0.5), step=9)
  for name in names[:2]:
    lines = [json.dumps({'step': step, 'loss': 1.0}) for step in (1, 2)]
    (family.root / name / 'metrics.jsonl').write_text('\n'.join(lines))
  failure = family.root / names[1] / 'failed.json'
  failure.write_text(json.dumps({'reason': 'it is wrong.'}))
  states = [row.state for row in read_table([family.root]).rows]
  # Without a log it was launched, and may well be running elsewhere.
  assert states == ['ended', 'at step 2', 'failed: it is wrong.']
  (family.root / names[0] / 'log.txt').touch()
  states = [row.state for row in read_table([family.root]).rows]
  assert states[1] == 'stopped at step 2'
  (family.root / names[0] / 'metrics.jsonl').unlink()
  table = read_table([family.root])
  assert table.rows[1].state == 'waiting'
  assert '| waiting ' in as_markdown(table)
  with (family.root / names[0] / 'log.txt').open('a') as log:
    fcntl.flock(log, fcntl.LOCK_EX)
    states = [row.state for row in read_table([family.root]).rows]
  assert states[1] == 'running at step 0'


@pytest.mark.usefixtures('ended')
def test_a_point_whose_folder_was_deleted_is_left_out(family, names):
  shutil.rmtree(family.root / names[2])
  table = read_table([family.root])
  assert [row.name for row in table.rows] == [
    pathlib.PurePath(name).name for name in (names[1], names[0])
  ]
  assert table.axes == (RATE,)


def test_points_without_evaluation_have_states_and_no_scores(make_family, end):
  family = make_family(
    'EvalConfig.bitext=()',
    'EvalConfig.retrieval=()',
    "CheckpointConfig.best_metric=''",
  )
  names = list(write_points(family, POINTS[:2], Record()))
  for name in names:
    end(family, name, {}, step=9)
  table = read_table([family.root])
  assert (table.metrics, table.best_metric) == ((), '')
  lines = as_markdown(table).splitlines()
  assert lines[0].split() == [
    *('|', 'point', '|', 'OptimizerConfig.learning_rate', '|', 'state', '|')
  ]
  assert lines[2].endswith('| ended |')


@pytest.mark.usefixtures('ended')
def test_several_sweeps_are_compared(family, make_family, end):
  other = make_family('Run.microbatch=32', name='other')
  (name,) = write_points(other, [{STEPS: 9, RATE: 1e-3}], Record())
  end(other, name, scores(0.625, 0.5), step=9)
  table = read_table([family.root, other.root])
  assert [row.sweep for row in table.rows] == [
    'family',
    'other',
    *['family'] * 2,
  ]
  assert as_markdown(table).startswith('| sweep  | point ')


def test_the_metric_of_a_search_comes_first(family, end):
  record = Record(metric='bitext/accuracy@8')
  names = list(write_points(family, POINTS, record))
  assert read_table([family.root]).metrics[0] == 'bitext/accuracy@8'
  assert len(names) == 3
