import pytest

from gemb.sweep import sweeping
from gemb.sweep.draws import choice, log_uniform
from gemb.sweep.record import read_record
from gemb.sweep.search import Search, Study
from gemb.sweep.sweeping import JOURNAL, Pace, run_points, run_search

RATE = 'gemb.train.optimizer.OptimizerConfig.learning_rate'
SEED = 'gemb.run.Run.seed'
POINTS = [{RATE: rate} for rate in (1e-3, 1e-2, 1e-1)]
SEARCH = Search(
  metric='bitext/accuracy@16',
  trials=3,
  startup=2,
  axes={
    'OptimizerConfig.learning_rate': log_uniform(1e-4, 1e-1),
    'OptimizerConfig.weight_decay': choice([0.0, 0.5]),
  },
)


class Killed(BaseException):
  """As kill -9: nobody handles it."""


@pytest.fixture
def pace():
  """Returns a pace, and what was said of it."""
  said = []
  return Pace(say=said.append), said


def killed_at(word, times):
  """Returns a pace that dies when a word is said so often."""
  left = [times]

  def say(line):
    left[0] -= word in line
    if not left[0]:
      raise Killed

  return Pace(say=say)


@pytest.mark.usefixtures('quick')
def test_points_that_have_ended_are_not_run_again(make_family, pace):
  family, (quickly, said) = make_family(), pace
  with pytest.raises(Killed):
    run_points(family, POINTS, 'text', killed_at('begins', 2))
  assert run_points(family, POINTS, 'text', quickly) == []
  assert [line.rpartition(': ')[2].split(' in ')[0] for line in said] == [
    'has ended before.',
    *['begins.', 'ended'] * 2,
  ]
  assert said[1].startswith('2 of 3, ')
  assert 'OptimizerConfig.learning_rate=0.01: begins.' in said[1]
  said.clear()
  more = [*POINTS, {RATE: 1.0}]
  assert run_points(family, more, 'text', quickly) == []
  assert said[3].startswith('4 of 4, ') and said[3].endswith('begins.')
  record = read_record(family.root)
  assert (list(record.points.values()), record.given) == (more, 'text')


@pytest.mark.usefixtures('quick')
def test_a_point_that_fails_is_told(make_family, pace):
  points = [{RATE: 1e-3, SEED: 13}, {RATE: 1e-3}]
  family, (quickly, said) = make_family(), pace
  (failed,) = run_points(family, points, '', quickly)
  assert failed == f'{family.name_of(points[0])} (it is the 13th.)'
  assert said[1].endswith('Run.seed=13: failed: it is the 13th.')


def found(family):
  study = Study(SEARCH, family.root / JOURNAL)._study
  trials = study.get_trials()
  return [(t.number, t.params, t.value, t.state.name) for t in trials]


@pytest.mark.usefixtures('quick')
def test_a_search_that_was_killed_finds_the_same(make_family, pace):
  family, (quickly, said) = make_family(), pace
  assert run_search(family, SEARCH, 'text', quickly) == []
  assert len(said) == 6
  whole = found(family)
  assert [trial[3] for trial in whole] == ['COMPLETE'] * 3
  other = make_family(name='other')
  for word in ('begins', 'ended in'):
    with pytest.raises(Killed):
      run_search(other, SEARCH, 'text', killed_at(word, 2))
  assert run_search(other, SEARCH, 'text', quickly) == []
  assert found(other) == whole
  record = read_record(other.root)
  assert (len(record.points), record.metric) == (3, 'bitext/accuracy@16')


@pytest.mark.usefixtures('quick')
def test_a_trial_that_fails_is_told_once(make_family, pace):
  axes = {
    'OptimizerConfig.learning_rate': log_uniform(1e-4, 1e-1),
    'Run.seed': choice([13]),
  }
  search = Search(metric='bitext/accuracy@16', trials=2, axes=axes)
  family, (quickly, said) = make_family(), pace
  assert len(run_search(family, search, '', quickly)) == 2
  assert run_search(family, search, '', quickly) == []
  study = Study(search, family.root / JOURNAL)._study
  assert [trial.state.name for trial in study.get_trials()] == ['FAIL'] * 2
  assert len(said) == 4


def test_a_trial_that_cannot_be_is_told_and_left_out(make_family, pace):
  # Eight steps of warm-up are too many for four steps.
  axes = {
    'Run.steps': choice([4]),
    'OptimizerConfig.warmup_steps': choice([8]),
  }
  search = Search(metric='bitext/accuracy@16', trials=1, axes=axes)
  family, (quickly, said) = make_family(), pace
  assert run_search(family, search, '', quickly) == []
  (line,) = said
  assert line.startswith('trial 1: Run.steps=4, ') and 'cannot be: ' in line


def test_the_command_of_a_point_is_that_of_a_user(make_family):
  family = make_family()
  family.begin('points/one', POINTS[0])
  command = sweeping.train_command(family, 'points/one')
  assert command[1:] == [
    *('-m', 'gemb.main', 'train'),
    f'--gin_file={family.root}/base.gin',
    f'--gin_file={family.root}/points/one/point.gin',
    f'--workdir={family.root}/points/one',
  ]
