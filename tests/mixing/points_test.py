import json

import pytest

from gemb import config
from gemb.mixing.points import Point, rank, read_points, write_found

POINTS = [
  Point(source='given', mixture={'a': 500, 'b': 500}, scores={'x': 0.5}),
  Point(source='dirichlet', mixture={'a': 900, 'b': 100}, error='nan'),
  Point(source='tpe', mixture={'a': 300, 'b': 700}, scores={'x': 0.75}),
  Point(source='tpe', mixture={'a': 250, 'b': 750}, scores={'x': 0.25}),
]


def test_the_best_is_first_and_what_broke_down_is_left_out():
  best, given, least = rank(POINTS, ['x'])
  assert (best, given, least) == (POINTS[2], POINTS[0], POINTS[3])


def test_nothing_was_tried_where_there_is_no_file(tmp_path):
  assert read_points(tmp_path / 'results.jsonl') == []


def test_what_was_found_is_written_best_first(tmp_path, tiny_gin, two_tasks):
  assert write_found(tmp_path, POINTS, ['x']) == POINTS[2]
  found = json.loads((tmp_path / 'search.json').read_text())
  assert found['metrics'] == ['x']
  assert [row['score'] for row in found['points']] == [0.75, 0.5, 0.25]
  assert found['points'][0]['mixture'] == {'a': 300, 'b': 700}
  assert [row['error'] for row in found['broken']] == ['nan']
  head = (tmp_path / 'best.gin').read_text()
  assert '#   0.7500 tpe\n#   0.5000 given\n' in head
  run, _ = config.load([tiny_gin, str(tmp_path / 'best.gin')], two_tasks[1:])
  assert run.data.rates == {'a': 300.0, 'b': 700.0}
  assert (tmp_path / 'search.svg').read_text().startswith('<svg')


def test_there_is_no_best_where_all_broke_down():
  with pytest.raises(ValueError, match=r'All of the 1 mixtures .*: nan'):
    rank(POINTS[1:2], ['x'])
