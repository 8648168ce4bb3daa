"""The report: written whole, read back, and refused where it does not fit."""

import json
import re

import pytest

from gemb import files
from gemb.data import examples
from gemb.data.contamination import load_contaminated
from gemb.data.contamination.report import Report, Sample, TaskOverlap
from gemb.data.contamination.settings import OverlapConfig

SAMPLE = Sample(
  id='b',
  side='query',
  kind='near',
  similarity=0.5,
  sets=['keys'],
  text='Wo ist das Schloß?',
  evaluation='鍵はどこですか',
)
OVERLAP = TaskOverlap(
  source='source/1',
  examples=1200,
  exact=1,
  containing=0,
  near=1,
  sets={'keys': 2},
  ids=['b', 'ä'],
  samples=[SAMPLE],
)
REPORT = Report(
  settings=OverlapConfig(),
  sets={'keys': {'texts': 5, 'content': 'abc'}},
  tasks={'mine': OVERLAP},
)


@pytest.fixture
def path(tmp_path, data_folder):
  path = tmp_path / 'contamination.json'
  REPORT.write(path)
  return path


def edit(path, change):
  values = json.loads(path.read_text())
  change(values)
  path.write_text(json.dumps(values))


def test_it_holds_everything_and_can_be_read_by_people(path):
  text = path.read_text(encoding='utf-8')
  assert 'Schloß' in text and '鍵' in text
  values = json.loads(text)
  assert values['settings']['similarity'] == OverlapConfig().similarity
  assert values['sets'] == REPORT.sets
  task = values['tasks']['mine']
  assert task['ids'] == ['b', 'ä']
  assert (task['examples'], task['exact'], task['near']) == (1200, 1, 1)
  assert task['samples'][0]['sets'] == ['keys']


def test_the_table_has_a_line_for_each_task():
  assert REPORT.lines() == [
    ['task', 'examples', 'exact', 'containing', 'near', 'overlap'],
    ['mine', '1,200', '1', '0', '1', '0.17%'],
  ]


def test_a_report_that_cannot_be_written_leaves_the_old_one(path, monkeypatch):
  before = path.read_bytes()

  def interrupt(*_):
    raise KeyboardInterrupt

  monkeypatch.setattr(files.os, 'replace', interrupt)
  with pytest.raises(KeyboardInterrupt):
    REPORT.write(path)
  assert path.read_bytes() == before
  assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_cache_learns_what_to_drop_and_what_to_tell(path):
  found = load_contaminated(path)
  assert found.ids('mine') == {'b', 'ä'}
  assert found.summary('mine') == {
    'examples': 1200,
    'exact': 1,
    'containing': 0,
    'near': 1,
    'dropped': 2,
    'sets': ['keys'],
  }


def test_the_checksum_is_that_of_the_ids_in_any_order(path):
  before = load_contaminated(path).checksum('mine')
  edit(path, lambda v: v['tasks']['mine'].update(ids=['ä', 'b'], near=7))
  assert load_contaminated(path).checksum('mine') == before
  edit(path, lambda v: v['tasks']['mine'].update(ids=['b']))
  assert load_contaminated(path).checksum('mine') != before


def test_an_id_that_was_taken_out_by_hand_is_not_dropped(path):
  edit(path, lambda values: values['tasks']['mine']['ids'].remove('b'))
  found = load_contaminated(path)
  assert found.ids('mine') == {'ä'}
  assert found.summary('mine')['dropped'] == 1


@pytest.mark.parametrize('ask', ['ids', 'checksum', 'summary'])
def test_a_task_that_was_not_looked_at_is_an_error(ask, path):
  with pytest.raises(
    ValueError, match=r"nothing of task 'mien'; it has some for \['mine'\]"
  ):
    getattr(load_contaminated(path), ask)('mien')


def test_texts_that_have_changed_since_are_an_error(path):
  examples.write_texts('mine', 'source/1', [])
  assert load_contaminated(path).ids('mine')
  examples.write_texts('mine', 'source/2', [])
  with pytest.raises(ValueError, match='source/1, and now they come from sou'):
    load_contaminated(path).ids('mine')
  # The trainer, which has no need of the texts, can still tell its cache.
  assert load_contaminated(path).checksum('mine')


def test_a_report_that_is_not_there_is_an_error(tmp_path):
  with pytest.raises(
    FileNotFoundError, match='no such file; run `gemb decontaminate`'
  ):
    load_contaminated(tmp_path / 'nowhere.json')


@pytest.mark.parametrize(
  ('content', 'problem'),
  [
    (b'', 'no JSON'),
    (b'{"format": "gemb contam', 'no JSON'),
    (b'\xff\xfe\x00', 'no JSON'),
    (b'[]', 'not of the format'),
    (b'{"tasks": {}}', 'not of the format'),
  ],
)
def test_another_file_is_refused(content, problem, path):
  path.write_bytes(content)
  with pytest.raises(ValueError, match=f'no report.*{problem}') as error:
    load_contaminated(path)
  assert str(path) in str(error.value)


@pytest.mark.parametrize(
  'change',
  [
    lambda values: values.pop('tasks'),
    lambda values: values.update(tasks=[]),
    lambda values: values['tasks'].update(mine=None),
    lambda values: values['tasks']['mine'].pop('ids'),
    lambda values: values['tasks']['mine'].update(idz=[]),
    lambda values: values['tasks']['mine']['ids'].append(3),
    lambda values: values['tasks']['mine'].update(near='2'),
    lambda values: values['tasks']['mine'].update(samples=[{}]),
    lambda values: values.pop('sets'),
  ],
)
def test_a_damaged_report_is_refused(change, path):
  edit(path, change)
  with pytest.raises(ValueError, match=re.escape(f'{path} is no report')):
    load_contaminated(path)
