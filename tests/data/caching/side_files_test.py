import json
import re

import pytest

from gemb.data import examples
from gemb.data.caching import jobs, side_files

TASK = 'golden_pairs'


@pytest.fixture
def write(tmp_path):
  def write_lines(*rows):
    path = tmp_path / 'side.jsonl'
    path.write_text(''.join(f'{json.dumps(row)}\n' for row in rows))
    return path

  return write_lines


@pytest.fixture
def prepare_with(prepare, write):
  """Prepares a cache whose side files, of negatives or filtered, have rows."""

  def prepare_job(field, *rows):
    return prepare(**{field: {TASK: str(write(*rows))}})

  return prepare_job


def row(field, name):
  return {'id': name, **({'negatives': []} if field != 'filtered' else {})}


def about(**changes):
  told = {'task': TASK, 'texts': examples.texts_sha256(TASK)}
  return {'about': told | changes}


def index(path):
  return side_files.index_lines(path, lambda values: None, '{"id": "a"}')


def test_lines_are_found_by_the_hash_of_their_id(write):
  path = write({'about': {'task': 'x'}}, {'id': 'é'}, {'id': 'b', 'more': 1})
  hashes, starts, stops = index(path)
  assert sorted(hashes) == hashes.tolist() and len(hashes) == 2
  content = path.read_bytes()
  lines = [content[a:b] for a, b in zip(starts, stops, strict=True)]
  assert sorted(json.loads(line)['id'] for line in lines) == ['b', 'é']


def test_what_the_first_line_tells_is_read(write):
  assert side_files.read_about(write({'about': {'task': 'x'}})) == {'task': 'x'}
  assert side_files.read_about(write({'id': 'x', 'about': {}})) is None
  assert side_files.read_about(write()) is None


def test_an_id_that_comes_twice_is_named(write):
  path = write({'about': {}}, {'id': 'a'}, {'id': 'b'}, {'id': 'a'})
  with pytest.raises(ValueError, match="more than one line for id 'a'"):
    index(path)


@pytest.mark.parametrize('field', ['mined_negatives', 'filtered'])
def test_files_of_the_texts_that_are_there_are_taken(prepare_with, field):
  (job,) = prepare_with(field, about(kind='?'), row(field, 'de/3'))
  assert job.shards == 3


@pytest.mark.parametrize('field', ['mined_negatives', 'filtered'])
@pytest.mark.parametrize(
  ('changes', 'why'),
  [
    ({'texts': 'ab'}, "corpus: the texts of task 'golden_pairs' have changed"),
    ({'task': 'b'}, "is of task 'b', and was given for 'golden_pairs'"),
    ({'task': None}, 'is of task None'),
  ],
)
def test_a_file_of_another_corpus_is_refused(prepare_with, field, changes, why):
  with pytest.raises(ValueError, match=re.escape(why)):
    prepare_with(field, about(**changes), row(field, 'de/3'))
  assert jobs.read_jobs() == []


@pytest.mark.parametrize('field', ['mined_negatives', 'filtered'])
def test_an_id_of_no_example_is_named(prepare_with, field):
  with pytest.raises(ValueError, match="for id 'nobody', which no example of"):
    prepare_with(field, row(field, 'de/3'), row(field, 'nobody'))
  assert jobs.read_jobs() == []


def test_rows_that_are_kept_are_no_filter(prepare_with):
  with pytest.raises(ValueError, match='it is of an example that is kept'):
    prepare_with('filtered', about(), row('mined_negatives', 'de/3'))
