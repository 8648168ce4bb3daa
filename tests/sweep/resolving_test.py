import pathlib

import pytest

from gemb import config
from gemb.sweep.draws import choice, log_uniform
from gemb.sweep.reading import Sweep
from gemb.sweep.resolving import resolve, whole_names
from gemb.sweep.search import Search

RATE = 'gemb.train.optimizer.OptimizerConfig.learning_rate'


@pytest.fixture
def resolve_all(tiny_gin):
  run, program = config.load([tiny_gin])

  def resolve_points(*points, search=None, metrics=()):
    sweep = Sweep(file='x.yaml', text='', points=points, search=search)
    return resolve(sweep, run, program, metrics)

  return resolve_points


def test_names_become_whole(resolve_all):
  points = [{'OptimizerConfig.learning_rate': rate} for rate in (0.1, 0.2)]
  found = resolve_all(*points)
  assert [point.changes for point in found] == [{RATE: 0.1}, {RATE: 0.2}]
  assert [point.run.optimizer.learning_rate for point in found] == [0.1, 0.2]
  assert 'OptimizerConfig.learning_rate = 0.2\n' in found[1].program


def test_equal_points_have_one_form(tiny_gin):
  run, _ = config.load([tiny_gin])
  rates = {'b': 1, 'a': 2}
  one = whole_names({'Run.steps': 4, 'DataConfig.rates': rates}, run)
  rates = {'a': 2.0, 'b': 1.0}
  two = whole_names({'DataConfig.rates': rates, 'run.Run.steps': 4}, run)
  assert repr(one) == repr(two)


GOOD = {'Run.steps': 4}


@pytest.mark.parametrize(
  ('point', 'said'),
  [
    ({'Run.setps': 5}, '(Run.setps=5): Run has no parameter setps; did you'),
    ({'Run.steps': 2.5}, '(Run.steps=2.5): gemb.run.Run.steps = 2.5 has type'),
    ({'Run.steps': 0}, '(Run.steps=0): Run: Run.steps is 0; it must be at'),
    (
      {'Run.steps': 5, 'run.Run.steps': 6},
      'gemb.run.Run.steps is given twice, once as run.Run.steps; keep one.',
    ),
    ({'Run.steps': object}, 'which gin cannot write'),
  ],
)
def test_the_first_point_that_is_none_is_told(resolve_all, point, said):
  with pytest.raises(ValueError) as raised:
    resolve_all(GOOD, point)
  assert str(raised.value).startswith('x.yaml: point 2 of 2 (')
  assert said in str(raised.value)


@pytest.mark.parametrize(
  ('one', 'two'),
  [
    (GOOD, GOOD),
    (GOOD, {'gemb.run.Run.steps': 4}),
    ({'LossConfig.temperature': 1}, {'LossConfig.temperature': 1.0}),
    ({'Run.seed': 0}, {'Run.steps': 10}),  # as all is in the run
  ],
)
def test_points_that_are_the_same_run_are_refused(resolve_all, one, two):
  with pytest.raises(ValueError, match=r'points 1 and 2 are the same run, .*='):
    resolve_all(one, two)


@pytest.fixture
def scoped(tiny_gin, tmp_path):
  """A run whose optimizer is built in a scope."""
  text = pathlib.Path(tiny_gin).read_text()
  found = '@optimizer.OptimizerConfig()'
  path = tmp_path / 'scoped.gin'
  path.write_text(text.replace(found, found.replace('@', '@own/')))
  return config.load([str(path)])


def test_a_value_that_a_scope_hides_is_refused_with_its_name(scoped):
  def resolve_rates(name):
    points = ({name: 0.5}, {name: 0.6})
    return resolve(Sweep(file='x.yaml', text='', points=points), *scoped)

  name = 'OptimizerConfig.learning_rate'
  with pytest.raises(ValueError, match=f'point 1 .*; write own/{name}'):
    resolve_rates(name)
  found = resolve_rates(f'own/{name}')
  assert [point.run.optimizer.learning_rate for point in found] == [0.5, 0.6]


def test_a_point_whose_best_metric_is_gone_is_told(resolve_all):
  prefixes = [{'LossConfig.prefixes': prefixes} for prefixes in ((16,), (8,))]
  with pytest.raises(ValueError, match=r'point 2 of 2 .*best_metric is'):
    resolve_all(*prefixes)


def test_a_metric_that_cannot_be_shown_is_told(resolve_all):
  with pytest.raises(ValueError, match='mean bitext/accuracy'):
    resolve_all(GOOD, metrics=['bitext/acuracy'])


def search(metric='bitext/accuracy@16', **axes):
  return Search(metric=metric, trials=1, axes=axes)


def test_all_ends_of_a_search_are_resolved(resolve_all):
  rate = {'OptimizerConfig.learning_rate': log_uniform(1e-4, 1e-2)}
  assert resolve_all(search=search(**rate)) == []
  steps = {'Run.steps': choice([4, 5, 0])}
  with pytest.raises(ValueError, match=r'point 4 of 4 .*Run\.steps is 0'):
    resolve_all(search=search(**rate, **steps))


def test_the_metric_of_a_search_must_be_there(resolve_all):
  with pytest.raises(ValueError, match=r'mean bitext/accuracy@16'):
    resolve_all(search=search('bitext/acuracy@16', **{'Run.seed': choice([1])}))


def test_the_metric_of_a_search_must_be_there_at_every_end(tiny_gin):
  run, program = config.load([tiny_gin], ["CheckpointConfig.best_metric=''"])
  axes = {'LossConfig.prefixes': choice([(16,), (8,)])}
  asked = Sweep(file='x.yaml', text='', search=search(**axes))
  with pytest.raises(
    ValueError, match=r'with LossConfig.prefixes=\(8,\) gives'
  ):
    resolve(asked, run, program)


def test_the_examples_resolve_on_the_quickstart(monkeypatch):
  from gemb.sweep.reading import read_sweep

  run, program = config.load(['configs/run/00_quickstart.gin'])
  folder = pathlib.Path(__file__).parents[2] / 'configs' / 'sweep'
  for path in folder.iterdir():
    resolve(read_sweep(path), run, program)
