import dataclasses
import re

import pytest

from gemb import config
from gemb.data import show
from gemb.data.config import PackingConfig


@pytest.fixture
def data(tiny_run, tiny_gin):
  return config.load([tiny_gin])[0].data


def show_pairs(data, task='golden_pairs', examples=2):
  return show.show_task(data, task, examples=examples, seed=0, rows_at_once=16)


def test_the_tasks_of_a_run_are_listed_with_what_their_caches_hold(data):
  head, _, row = show.list_tasks(data).splitlines()
  cells = dict(
    zip(
      (cell.strip() for cell in head.split('|')),
      (cell.strip() for cell in row.split('|')),
      strict=True,
    )
  )
  assert cells['task'] == 'golden_pairs'
  assert cells['task string'] == 'sentence similarity'
  assert (cells['examples'], cells['dropped']) == ('298', '2')
  assert float(cells['a query']) > 4


def test_a_run_is_shown_before_its_teacher_is_there(data):
  taught = dataclasses.replace(data, teacher='nowhere')
  assert show.list_tasks(taught) == show.list_tasks(data)
  assert show_pairs(taught) == show_pairs(data)


def test_a_padded_example_is_shown_with_its_prompt_tokens_and_padding(data):
  text = show_pairs(data)
  assert text.startswith('golden_pairs: 298 examples, ')
  assert 'dropped, held out: 2' in text
  assert 'queries are padded to 32 tokens, passages to 32.' in text
  assert text.count('Example ') == 2
  found = re.findall(
    r"query: 'task: sentence similarity \| query: .+'\n"
    r'    (\d+) tokens, (\d+) of padding behind: 2 ([\d ]*) 1$',
    text,
    re.MULTILINE,
  )
  assert len(found) == 2
  for tokens, padding, ids in found:
    assert int(tokens) + int(padding) == 32
    assert len(ids.split()) + 2 == int(tokens)
  assert text.count('negative 1: ') >= 1


def test_a_packed_example_is_shown_with_row_and_segment(data):
  text = show_pairs(
    dataclasses.replace(data, packing=PackingConfig(row_length=64))
  )
  rows = int(re.search(r'share (\d+) rows of 64 tokens', text)[1])
  places = re.findall(
    r'tokens, row (\d+) from (\d+) on, segment (\d+): 2', text
  )
  assert len(places) >= 4
  assert len(set(places)) == len(places)
  assert max(int(row) for row, _, _ in places) < rows


def test_a_task_that_the_run_lacks_is_refused_with_those_it_has(data):
  with pytest.raises(
    ValueError, match="'tiny' has no task 'other', only golden_pairs; name one"
  ):
    show_pairs(data, 'other')
