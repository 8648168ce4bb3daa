"""Rows of curation's stages: written, read, and traced to their texts."""

import pytest

from gemb.curation import candidates, journal
from gemb.data import examples
from gemb.data.examples import Example

ROWS = [('1', 'red fruit', 'apple', ('cherry', 'fire'))]


def test_a_row_is_read_as_it_was_written(make_mined):
  row = make_mined(*ROWS[0])
  written = candidates.to_row(row)
  assert written['candidates'][1] == {
    'text': 'fire',
    'similarity': 0.7,
    'grade': None,
    'likelihood': None,
  }
  assert candidates.from_row(written) == row


def test_rows_are_read_from_any_on(mined_folder):
  folder = mined_folder('colours', [*ROWS, ('2', 'q', 'p', ())])
  path = candidates.stage_path(folder, 'colours', 'mined')
  assert [row.id for row in candidates.read(path)] == ['1', '2']
  assert [row.id for row in candidates.read(path, start=1)] == ['2']


def test_a_row_with_other_fields_is_named(mined_folder):
  folder = mined_folder('colours', ROWS)
  path = candidates.stage_path(folder, 'colours', 'mined')
  with path.open('a') as file:
    file.write('{"id": "2", "negatives": []}\n')
  rows = candidates.read(path)
  next(rows)
  with pytest.raises(ValueError, match=r'Line 3 of .*colours\.mined\.jsonl'):
    next(rows)


def test_a_stage_tells_of_the_one_before(mined_folder):
  folder = mined_folder('colours', ROWS)
  before = journal.read_about(candidates.stage_path(folder, 'colours', 'mined'))
  assert candidates.origin(folder, 'colours', 'mined', 'mine') == {
    'task': 'colours',
    'texts': examples.texts_sha256('colours'),
    'mined': before,
  }


def test_what_was_made_of_another_corpus_is_refused(mined_folder):
  folder = mined_folder('colours', ROWS)
  other = Example(id='1', language='en', query='q', positive='p')
  examples.write_texts('colours', 'literal', [other])
  with pytest.raises(ValueError, match=r'made of other texts .* `gemb mine`'):
    candidates.origin(folder, 'colours', 'mined', 'mine')


def test_what_was_made_for_another_task_is_refused(mined_folder):
  folder = mined_folder('shapes', ROWS)
  mined_folder('colours', ROWS)
  candidates.stage_path(folder, 'shapes', 'mined').replace(
    candidates.stage_path(folder, 'colours', 'mined')
  )
  with pytest.raises(ValueError, match=r"made of other task \('shapes'\)"):
    candidates.origin(folder, 'colours', 'mined', 'mine')


def test_a_stage_that_was_not_run_is_named(mined_folder):
  folder = mined_folder('colours', ROWS)
  with pytest.raises(FileNotFoundError, match=r'colours\.scored.*`gemb score`'):
    candidates.origin(folder, 'colours', 'scored', 'score')
