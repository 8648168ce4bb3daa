import pathlib

import pytest

from gemb.sweep.draws import choice, integers, log_uniform
from gemb.sweep.points import random
from gemb.sweep.reading import read_sweep
from gemb.sweep.search import Search

CONFIGS = pathlib.Path(__file__).parents[2] / 'configs' / 'sweep'


@pytest.fixture
def read(tmp_path, monkeypatch):
  """Reads a text as the file of a sweep."""
  monkeypatch.chdir(tmp_path)

  def read_text(text, name='x.yaml'):
    path = pathlib.Path(name)
    path.write_text(text)
    return read_sweep(path)

  return read_text


def test_yaml_combines_as_the_functions_do(read):
  sweep = read("""
cross:
- grid: {A.x: [1, 2]}
- chain:
  - zip: {A.y: [3, 4], A.z: [[5], word]}
  - points: [{A.y: 0}]
""")
  assert sweep.points == (
    {'A.x': 1, 'A.y': 3, 'A.z': (5,)},
    {'A.x': 1, 'A.y': 4, 'A.z': 'word'},
    {'A.x': 1, 'A.y': 0},
    {'A.x': 2, 'A.y': 3, 'A.z': (5,)},
    {'A.x': 2, 'A.y': 4, 'A.z': 'word'},
    {'A.x': 2, 'A.y': 0},
  )
  assert sweep.search is None


def test_random_points_are_those_of_the_function(read):
  sweep = read("""
random:
  count: 3
  seed: 5
  axes:
    A.x: {log_uniform: [1.0e-4, 1.0e-2]}
    A.y: {integers: [1, 4]}
    A.z: {choice: [a, b]}
""")
  axes = {
    'A.x': log_uniform(1e-4, 1e-2),
    'A.y': integers(1, 4),
    'A.z': choice(['a', 'b']),
  }
  assert list(sweep.points) == random(axes, count=3, seed=5)


def test_a_search_is_read(read):
  sweep = read("""
search:
  metric: bitext/accuracy@256
  trials: 8
  axes: {A.y: {integers: [1, 4]}}
""")
  assert sweep.search == Search(
    metric='bitext/accuracy@256', trials=8, axes={'A.y': integers(1, 4)}
  )
  assert sweep.points == ()


def test_python_defines_a_sweep(read):
  sweep = read(
    'from gemb.sweep.points import cross, grid, zip_\n'
    "SWEEP = cross(grid({'A.x': [1e-4]}), zip_({'A.y': [1], 'A.z': [2]}))\n",
    'x.py',
  )
  assert sweep.points == ({'A.x': 1e-4, 'A.y': 1, 'A.z': 2},)


def test_the_examples_can_be_read():
  assert len(read_sweep(CONFIGS / 'learning_rate.yaml').points) == 12
  search = read_sweep(CONFIGS / 'search.yaml').search
  assert search is not None and search.trials == 8


@pytest.mark.parametrize(
  ('text', 'said'),
  [
    ('gird: {A.x: [1]}', ':1: there is no gird; did you mean grid?'),
    ('grid: {A.x: [1]}\nzip: {A.x: [1]}', ':1: got grid, zip side by side'),
    ('{}', ':1: got nothing side by side, wanted one'),
    ('grid:\n  A.x: 1', ":2: got '1', wanted a list"),
    ('grid:\n  A.x:', ':2: got nothing, wanted a list'),
    ('grid:\n  A.x: []', ':2: A.x has no value; give at least one.'),
    ('zip:\n  A.x: [1]\n  A.y: [1, 2]', ':2: zip has axes of several lengths'),
    ('grid:\n  A.x:\n  - 1e-4', ':3: 1e-4 is a text in YAML and no number'),
    ('chain: []', ':1: got an empty list; give one part at least.'),
    (
      'cross:\n- grid: {A.x: [1]}\n- grid: {A.x: [2]}',
      ':2: cross has A.x in two of its parts; keep it in one.',
    ),
    (
      'chain:\n- grid: {A.x: [1]}\n- grid:\n    A.x: []',
      ':4: A.x has no value',
    ),
    ('random: {count: 2}', ':1: axes is missing; give it here.'),
    ('random: {cuont: 2}', ':1: there is no cuont; did you mean count?'),
    (
      'random: {count: 0.5, axes: {A.x: {choice: [1]}}}',
      ':1: count is 0.5; wanted is an integer.',
    ),
    (
      'random: {count: 1, axes: {A.x: {normal: [0, 1]}}}',
      ':1: there is no normal; known here: choice, integers, log_uniform',
    ),
    (
      'random: {count: 1, axes: {A.x: {uniform: [0, 1, 2]}}}',
      ':1: uniform is [0, 1, 2]; wanted are two numbers, [LOW, HIGH].',
    ),
    (
      'random: {count: 1, axes: {A.x: {log_uniform: [0, 1]}}}',
      ':1: a logarithmic axis begins at 0.0',
    ),
    (
      'random: {count: 1, axes: {A.x: {uniform: [0.0, .inf]}}}',
      ':1: an axis goes from 0.0 to inf; both must be finite.',
    ),
    (
      'search: {metric: 1, trials: 1, axes: {A.x: {choice: [1]}}}',
      ':1: metric is 1; wanted is a name.',
    ),
    ('chain: [{search: {}}]', ':1: there is no search; known here: chain'),
  ],
)
def test_what_is_wrong_is_told_with_its_line(read, text, said):
  with pytest.raises(ValueError) as raised:
    read(text)
  assert f'x.yaml{said}' in str(raised.value)


@pytest.mark.parametrize(
  ('text', 'said'),
  [
    ('1 / 0', 'x.py: ZeroDivisionError: division by zero'),
    ('SWEEPS = []', r'x.py defines no SWEEP; write SWEEP = grid'),
    ('SWEEP = 3', 'x.py: SWEEP is 3; wanted are points'),
    ('SWEEP = []', 'x.py has no point; give one at least'),
  ],
)
def test_python_that_defines_none_is_refused(read, text, said):
  with pytest.raises(ValueError, match=said):
    read(text, 'x.py')


def test_another_kind_of_file_is_refused(read):
  with pytest.raises(ValueError, match=r'x\.json is neither \.yaml nor \.py'):
    read('{}', 'x.json')
