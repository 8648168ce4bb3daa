"""Files that grow row by row, and survive being cut short."""

import os
import pathlib

import pytest

from gemb.curation import journal
from gemb.curation.journal import Journal

ABOUT = {'kind': 'mined', 'task': 'colours'}


@pytest.fixture
def path(tmp_path):
  return tmp_path / 'folder' / 'colours.mined.jsonl'


def part(path):
  return pathlib.Path(f'{path}.part')


def rows(path):
  return list(journal.read_rows(path))


def test_rows_have_the_file_when_all_are_there(path):
  made = Journal(path, ABOUT)
  made.add([{'id': 1}, {'id': 2}])
  assert (made.done, made.finished, path.exists()) == (2, False, False)
  made.add([{'id': 'ä'}])
  made.finish()
  assert made.finished
  assert rows(path) == [{'id': 1}, {'id': 2}, {'id': 'ä'}]
  assert journal.read_about(path) == ABOUT
  assert list(journal.read_rows(path, start=2)) == [{'id': 'ä'}]
  assert not part(path).exists()


def test_a_file_goes_on_after_the_last_whole_row(path):
  Journal(path, ABOUT).add([{'id': 1}, {'id': 2}])
  os.truncate(part(path), part(path).stat().st_size - 3)
  again = Journal(path, ABOUT)
  assert again.done == 1
  again.add([{'id': 3}])
  again.finish()
  assert rows(path) == [{'id': 1}, {'id': 3}]


def test_a_file_whose_first_line_was_cut_short_begins_anew(path):
  path.parent.mkdir()
  part(path).write_text('{"about": {"ki')
  assert Journal(path, ABOUT).done == 0
  assert journal.read_about(part(path)) == ABOUT


def test_a_finished_file_is_not_made_again(path):
  Journal(path, ABOUT).finish()
  again = Journal(path, ABOUT)
  assert (again.finished, again.done) == (True, 0)


@pytest.mark.parametrize('finished', [True, False])
def test_other_work_is_refused_by_what_differs(path, finished):
  made = Journal(path, ABOUT)
  if finished:
    made.finish()
  with pytest.raises(ValueError, match=r"task was 'colours', is 'shapes'"):
    Journal(path, {'kind': 'mined', 'task': 'shapes'})
  with pytest.raises(ValueError, match=r'k was None, is 2'):
    Journal(path, ABOUT | {'k': 2})


def test_what_json_makes_of_settings_is_the_same_work(path):
  Journal(path, ABOUT | {'ranks': (1, 20)}).finish()
  assert Journal(path, ABOUT | {'ranks': (1, 20)}).finished


def test_a_file_of_something_else_is_refused(path):
  path.parent.mkdir()
  path.write_text('{"id": 1}\n')
  with pytest.raises(ValueError, match='does not begin with a line'):
    Journal(path, ABOUT)


def test_a_damaged_row_is_named(path):
  Journal(path, ABOUT).finish()
  with path.open('a') as file:
    file.write('{"id": 1}\n{"id"\n')
  with pytest.raises(ValueError, match=r'Line 3 of .*mined\.jsonl is damaged'):
    rows(path)


def test_a_file_is_rewritten_whole_or_not_at_all(path):
  for number in (1, 2):
    with journal.rewrite(path, {'number': number}) as add:
      add({'id': number})
  assert (rows(path), journal.read_about(path)) == ([{'id': 2}], {'number': 2})
  with (
    pytest.raises(RuntimeError),
    journal.rewrite(path, {'number': 3}) as add,
  ):
    add({'id': 3})
    raise RuntimeError
  assert rows(path) == [{'id': 2}]
  assert list(path.parent.iterdir()) == [path]


def test_a_file_is_made_by_one_process_at_a_time(path):
  path.parent.mkdir()
  with journal.hold(path):
    with (
      pytest.raises(ValueError, match='Another process makes'),
      journal.hold(path),
    ):
      pass
    with journal.hold(path.with_name('another')):
      pass
  with journal.hold(path):
    pass
