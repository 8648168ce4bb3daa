import dataclasses
import json
import re

import numpy as np
import pytest

from gemb.data.caching import mined
from gemb.data.examples import Example


@pytest.fixture
def write(tmp_path):
  def write_lines(*lines):
    path = tmp_path / 'mined.jsonl'
    path.write_text(
      ''.join(x if isinstance(x, str) else f'{json.dumps(x)}\n' for x in lines)
    )
    return path

  return write_lines


def line(name, *negatives):
  return {'id': name, 'negatives': list(negatives)}


def test_negatives_are_found_by_id(write):
  path = write(line('a/1', 'x', 'y'), line('鍵', 'é'), line('b/2'))
  index = mined.index_lines(path)
  assert index.dtype == np.uint64 and index.shape == (3, 3)
  found = mined.MinedNegatives(path, index)
  assert found.find('鍵') == ['é']
  assert found.find('a/1') == ['x', 'y']
  assert found.find('b/2') == []
  assert found.find('c/3') is None


def test_an_example_gets_its_negatives_before_its_own(write):
  path = write(line('a', 'x', 'own'))
  negatives = mined.MinedNegatives(path, mined.index_lines(path))
  example = Example(
    id='a', language='en', query='q', positive='p', negatives=('own', 'more')
  )
  assert negatives.add_to(example).negatives == ('x', 'own', 'more')
  other = dataclasses.replace(example, id='b')
  assert negatives.add_to(other) is other


def test_an_empty_file_has_none(write):
  path = write()
  assert mined.MinedNegatives(path, mined.index_lines(path)).find('a') is None


@pytest.mark.parametrize(
  ('wrong', 'why'),
  [
    ('{"id": "a"\n', 'malformed (Expecting'),
    ('\n', 'malformed (Expecting'),
    ('[]\n', 'it is no object'),
    (line('a') | {'negativs': []}, 'no object of "id" and "negatives"'),
    (line(7), 'its "id" is 7, no text'),
    ({'id': 'a', 'negatives': 'x'}, 'its "negatives" are no list of texts'),
    ({'id': 'a', 'negatives': [None]}, 'its "negatives" are no list of texts'),
  ],
)
def test_a_malformed_line_is_named(wrong, why, write):
  path = write(line('good', 'x'), wrong)
  with pytest.raises(
    ValueError, match=re.escape(f'Line 2 of {path}')
  ) as caught:
    mined.index_lines(path)
  assert why in str(caught.value)
  assert 'wanted a line such as {"id": ' in str(caught.value)


def test_rows_of_curation_say_what_they_are_and_may_hold_more(write):
  about = {'about': {'kind': 'mined', 'task': 'golden_pairs'}}
  row = line('b', 'x') | {'query': '?', 'candidates': []}
  path = write(about, row, line('a', 'y'))
  negatives = mined.MinedNegatives(path, mined.index_lines(path))
  assert negatives.find('b') == ['x'] and negatives.find('a') == ['y']
  with pytest.raises(ValueError, match='no object of "id" and "negatives"'):
    mined.index_lines(write(row))


def test_an_id_that_comes_twice_is_named(write):
  path = write(line('a'), line('b/7', 'x'), line('c'), line('b/7', 'y'))
  with pytest.raises(ValueError, match="more than one line for id 'b/7'"):
    mined.index_lines(path)


def test_mined_negatives_come_first_each_text_once_and_no_positive():
  example = Example(
    id='1',
    language='en',
    query='?',
    positive='Sign in',
    negatives=('Own', 'twice', '+'),
  )
  joined = mined.join(example, ['Mined', 'sign in!', 'Twice.', '-', 'mined'])
  assert joined == ('Mined', 'Twice.', '-', 'Own', '+')
