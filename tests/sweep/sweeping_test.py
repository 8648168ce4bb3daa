import dataclasses

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
  assert run_points(family, POINTS, 'text', quickly) == ''
  assert [line.rpartition(': ')[2].split(' in ')[0] for line in said] == [
    'has ended before.',
    *['begins.', 'ended'] * 2,
  ]
  assert said[1].startswith('2 of 3, ')
  assert 'OptimizerConfig.learning_rate=0.01: begins.' in said[1]
  said.clear()
  more = [*POINTS, {RATE: 1.0}]
  assert run_points(family, more, 'text', quickly) == ''
  assert said[3].startswith('4 of 4, ') and said[3].endswith('begins.')
  record = read_record(family.root)
  assert (list(record.points.values()), record.given) == (more, 'text')
  run_points(family, POINTS[1:], 'fewer', quickly)
  record = read_record(family.root)
  assert (list(record.points.values()), record.given) == (POINTS[1:], 'fewer')


@pytest.mark.usefixtures('quick')
def test_a_point_that_fails_is_told(make_family, pace):
  points = [{RATE: 1e-3, SEED: 13}, {RATE: 1e-3}]
  family, (quickly, said) = make_family(), pace
  name = family.name_of(points[0])
  assert run_points(family, points, '', quickly) == (
    f'1 of 2 points have failed: {name} (it is the 13th.). Their folders have '
    'log.txt; the same command tries them again.'
  )
  assert said[1].endswith('Run.seed=13: failed: it is the 13th.')


def found(family):
  study = Study(SEARCH, family.root / JOURNAL)._study
  trials = study.get_trials()
  return [(t.number, t.params, t.value, t.state.name) for t in trials]


@pytest.mark.usefixtures('quick')
def test_a_search_that_was_killed_finds_the_same(make_family, pace):
  family, (quickly, said) = make_family(), pace
  assert run_search(family, SEARCH, 'text', quickly) == ''
  assert len(said) == 6
  whole = found(family)
  assert [trial[3] for trial in whole] == ['COMPLETE'] * 3
  other = make_family(name='other')
  for word in ('begins', 'ended in'):
    with pytest.raises(Killed):
      run_search(other, SEARCH, 'text', killed_at(word, 2))
  assert run_search(other, SEARCH, 'text', quickly) == ''
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
  wrong = run_search(family, search, '', quickly)
  assert wrong.startswith('None of the 2 trials has a score.')
  assert run_search(family, search, '', quickly) == wrong
  assert Study(search, family.root / JOURNAL).states() == {'FAIL': 2}
  assert len(said) == 4


@pytest.mark.usefixtures('quick')
def test_a_search_goes_by_the_trials_that_have_a_score(make_family, pace):
  axes = {
    'OptimizerConfig.learning_rate': log_uniform(1e-4, 1e-1),
    'Run.seed': choice([13, 0]),
  }
  search = Search(metric='bitext/accuracy@16', trials=4, axes=axes, seed=1)
  family, (quickly, said) = make_family(), pace
  assert run_search(family, search, '', quickly) == ''
  states = Study(search, family.root / JOURNAL).states()
  assert states['FAIL'] and states['COMPLETE']
  assert said[-1] == (
    f'{states["FAIL"]} of 4 trials have failed; what has failed is not tried '
    'again, but more `trials` are.'
  )


def test_a_trial_with_something_to_be_mended_is_not_told(
  make_family, pace, monkeypatch, quick
):
  family, (quickly, said) = make_family(), pace
  full = 'echo "gemb: the disk is full; free some space."; exit 2'
  with monkeypatch.context() as patched:
    patched.setattr(sweeping, 'train_command', lambda *_: ['sh', '-c', full])
    with pytest.raises(RuntimeError) as raised:
      run_search(family, SEARCH, '', quickly)
  assert str(raised.value).startswith('trial 1: OptimizerConfig.learning_rate=')
  assert ': the disk is full; free some space. The search' in str(raised.value)
  assert Study(SEARCH, family.root / JOURNAL).states() == {'RUNNING': 1}
  said.clear()
  assert run_search(family, SEARCH, '', quickly) == ''
  assert [trial[3] for trial in found(family)] == ['COMPLETE'] * 3
  assert said[0].startswith('trial 1: ') and said[0].endswith('begins.')


@pytest.mark.usefixtures('quick')
def test_trials_of_one_point_run_once_at_a_time(make_family, pace):
  axes = {'OptimizerConfig.learning_rate': choice([1e-2])}
  search = Search(metric='bitext/accuracy@16', trials=3, axes=axes)
  family, (quickly, said) = make_family(), pace
  quickly = dataclasses.replace(quickly, parallel=2)
  assert run_search(family, search, '', quickly) == ''
  assert [line.rpartition(': ')[2].split(' in ')[0] for line in said] == [
    *('begins.', 'is running already.', 'is running already.', 'ended')
  ]
  study = Study(search, family.root / JOURNAL)._study
  assert [trial.value for trial in study.get_trials()] == [1.0] * 3


def test_a_trial_that_cannot_be_is_told_and_left_out(make_family, pace):
  # Eight steps of warm-up are too many for four steps.
  axes = {
    'Run.steps': choice([4]),
    'OptimizerConfig.warmup_steps': choice([8]),
  }
  search = Search(metric='bitext/accuracy@16', trials=1, axes=axes)
  family, (quickly, said) = make_family(), pace
  assert run_search(family, search, '', quickly).startswith('None of the 1 ')
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
