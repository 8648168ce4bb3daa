"""Local files by their columns: what is read, and what is refused."""

import gzip
import json
import re

import pytest

from gemb.evals.mteb import files


@pytest.fixture
def write(tmp_path):
  """Writes rows, or text, as a file of the given name."""

  def write_file(name, content):
    if isinstance(content, list):
      content = '\n'.join(map(json.dumps, content))
    raw = content.encode() if isinstance(content, str) else content
    path = tmp_path / name
    path.write_bytes(gzip.compress(raw) if name.endswith('.gz') else raw)
    return path

  return write_file


@pytest.mark.parametrize(
  ('columns', 'kind'),
  [
    (('sentence1', 'sentence2'), 'BitextMining'),
    (('sentence', 'english', 'language'), 'BitextMining'),
    (('sentence1', 'sentence2', 'score', 'split'), 'STS'),
    (('sentence1', 'sentence2', 'label'), 'PairClassification'),
    (('text', 'label'), 'Classification'),
    (('text', 'category'), 'Classification'),
    (('text', 'cluster'), 'Clustering'),
    (('query', 'code_id'), 'Retrieval'),
    (('query', 'id', 'score'), 'Retrieval'),
    (('id', 'text', 'title'), 'corpus'),
    (('code_id', 'code'), 'corpus'),
  ],
)
def test_the_columns_tell_the_kind(write, columns, kind):
  row = {column: 'dev' if column == 'split' else '1' for column in columns}
  assert files.read_table(write('a.jsonl', [row])).kind == kind


def test_json_lines_and_csv_say_the_same(write):
  rows = [
    {'text': 'one, "two"', 'label': 'a'},
    {'text': 'drei\n', 'label': 'b'},
  ]
  table = '\ufefftext,label\r\n"one, ""two""",a\r\n"drei\n",b\r\n'
  read = [
    files.read_table(write(name, content)).rows
    for name, content in [
      ('x.jsonl', rows),
      ('x.jsonl.gz', rows),
      ('x.csv', table),
      ('x.csv.gz', table),
    ]
  ]
  assert (
    read
    == [[{'language': 'default', 'split': 'test'} | row for row in rows]] * 4
  )


def test_the_split_is_in_the_name_or_in_the_row(write):
  (row,) = files.read_table(write('a_dev.csv', 'text,label\nx,1')).rows
  assert row['split'] == 'dev'
  (row,) = files.read_table(write('a.csv', 'text,label,split\nx,1,train')).rows
  assert row['split'] == 'train'


def test_values_become_what_the_evaluators_want(write):
  (row,) = files.read_table(
    write('a.csv', 'sentence1,sentence2,score\na,b,2.5')
  ).rows
  assert row['score'] == 2.5
  (row,) = files.read_table(write('a.jsonl', [{'query': 'q', 'x_id': 7}])).rows
  assert row['id'] == '7'
  (row,) = files.read_table(
    write('a.csv', 'sentence1,sentence2,label\na,b,1')
  ).rows
  assert row['label'] == 1


def test_a_column_named_code_tells_of_programming(write):
  assert files.read_table(write('a.csv', 'id,code\n1,x')).programming
  assert not files.read_table(write('a.csv', 'id,text\n1,x')).programming


def test_line_breaks_of_unicode_do_not_end_a_line(write):
  path = write('a.jsonl', '{"text": "a\u2028b", "label": "c"}\n')
  assert files.read_table(path).rows[0]['text'] == 'a\u2028b'


@pytest.mark.parametrize(
  ('name', 'found'),
  [
    ('stsb.jsonl.gz', 'stsb'),
    ('banking77_train.csv', 'banking77'),
    ('a_b_validation.jsonl', 'a_b'),
    ('cosqa_corpus.jsonl', 'cosqa'),
    ('train.csv', 'train'),
    ('.stsb.jsonl.0a.tmp', None),
    ('notes.md', None),
    ('vectors.npy', None),
  ],
)
def test_a_file_belongs_to_a_set_by_its_name(tmp_path, name, found):
  assert files.set_name(tmp_path / name) == found


@pytest.mark.parametrize(
  ('name', 'content', 'message'),
  [
    (
      'a.csv',
      'sentence1,sentence2,scroe\na,b,1',
      'sentence2, scroe, which fit',
    ),
    ('a.csv', 'sentence,sentence1,english\na,b,c', 'which fit no kind of task'),
    ('a.csv', 'text,label\n', 'has no row'),
    ('a.jsonl', '', 'has no row'),
    ('a.csv', 'text,label\na,b\nc', 'Row 2 of .* has the columns'),
    ('a.csv', 'text,label\na,b\nc,d,e', 'Row 2 of .* has the columns'),
    ('a.jsonl', '{"text": "a"', 'cannot be read: Expecting'),
    ('a.jsonl', '["a"]', 'cannot be read: line 1 is no JSON object'),
    ('a.csv', b'text,label\n\xff,b', 'cannot be read: .*utf-8'),
    ('a.csv', 'text,label,split\na,b,dve', "'dve' as split; give one of"),
    (
      'a.csv',
      'sentence1,sentence2,score\na,b,high',
      "'high' as score; give a n",
    ),
    ('a.csv', 'sentence1,sentence2,score\na,b,nan', "'nan' as score; give a n"),
    ('a.csv', 'query,id,score\na,b,0.5', "'0.5' as score; give a whole number"),
    ('a.csv', 'sentence1,sentence2,label\na,b,2', "'2' as label; give 1 or 0"),
    ('a.jsonl', '{"text": 1, "label": "b"}', 'has 1 as text; give a text'),
    ('a.jsonl', '{"text": "a", "label": ["b"]}', 'as label; give a text or'),
    ('a.jsonl', '{"text": "a", "label": null}', 'None as label; give a text'),
    ('a.txt', 'x', r'is neither \.jsonl nor \.csv'),
  ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(
  write, name, content, message
):
  with pytest.raises(ValueError, match=message) as caught:
    files.read_table(write(name, content))
  assert '\n' not in str(caught.value)


def test_a_damaged_archive_is_named(write):
  path = write('a.csv.gz', 'text,label\na,b')
  path.write_bytes(path.read_bytes()[:-9])
  with pytest.raises(ValueError, match=re.escape(f'{path} cannot be read')):
    files.read_table(path)
