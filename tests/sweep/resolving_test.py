import pathlib

import pytest

from gemb import config
from gemb.sweep.draws import choice, log_uniform
from gemb.sweep.reading import Sweep
from gemb.sweep.resolving import resolve
from gemb.sweep.search import Search

RATE = 'gemb.train.optimizer.OptimizerConfig.learning_rate'


@pytest.fixture
def resolve_all(tiny_gin):
  run, program = config.load([tiny_gin])

  def resolve_points(*points, search=None):
    sweep = Sweep(file='x.yaml', text='', points=points, search=search)
    return resolve(sweep, run, program)

  return resolve_points


def test_names_become_whole(resolve_all):
  points = [{'OptimizerConfig.learning_rate': rate} for rate in (0.1, 0.2)]
  assert resolve_all(*points) == [{RATE: 0.1}, {RATE: 0.2}]


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


def test_one_point_by_two_names_is_refused(resolve_all):
  with pytest.raises(ValueError, match='points 1 and 2 are the same'):
    resolve_all(GOOD, {'gemb.run.Run.steps': 4})


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


def test_the_examples_resolve_on_the_quickstart(monkeypatch):
  from gemb.sweep.reading import read_sweep

  run, program = config.load(['configs/run/00_quickstart.gin'])
  folder = pathlib.Path(__file__).parents[2] / 'configs' / 'sweep'
  for path in folder.iterdir():
    resolve(read_sweep(path), run, program)
