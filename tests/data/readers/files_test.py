import gzip
import json
import os
import re
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gemb.data.readers import files
from gemb.data.readers.files import Files
from gemb.data.readers.row import Row


@pytest.fixture
def write(tmp_path):
  """Returns a function: name, lines or bytes -> a path."""

  def write_file(name, content):
    path = tmp_path / name
    if not isinstance(content, bytes):
      content = ''.join(f'{line}\n' for line in content).encode()
    compress = gzip.compress if name.endswith('.gz') else bytes
    path.write_bytes(compress(content))
    return path

  return write_file


def read(path):
  return list(Files(str(path)).rows(['query', 'positive']))


def problems(path):
  return [row.problem for row in read(path) if row.problem]


@pytest.mark.parametrize('name', ['pairs.jsonl', 'pairs.jsonl.gz'])
def test_json_lines_are_rows_with_their_places(write, name):
  path = write(name, ['{"query": "a", "more": [1]}', '', '{"query": "ü"}'])
  assert read(path) == [
    Row(f'{path}:1', {'query': 'a', 'more': [1]}),
    Row(f'{path}:3', {'query': 'ü'}),
  ]
  assert Files(str(path)).names() == ['query', 'more']


def test_a_first_line_about_the_rows_is_none_of_them(write):
  about = '{"about": {"kind": "synthetic"}}'
  path = write('pairs.jsonl', [about, '{"query": "a"}', about])
  assert read(path) == [
    Row(f'{path}:2', {'query': 'a'}),
    Row(f'{path}:3', {'about': {'kind': 'synthetic'}}),
  ]
  assert Files(str(path)).names() == ['query']


def test_a_first_line_with_more_than_what_it_is_about_is_a_row(write):
  path = write('pairs.jsonl', ['{"about": "b", "query": "a"}'])
  assert read(path) == [Row(f'{path}:1', {'about': 'b', 'query': 'a'})]


def test_a_mark_at_the_beginning_and_windows_line_ends_are_read(write):
  path = write('pairs.jsonl', b'\xef\xbb\xbf{"query": "a"}\r\n{"query": "b"}')
  assert [row.values['query'] for row in read(path)] == ['a', 'b']


def test_a_line_ends_at_a_newline_alone(write):
  text = '\x85\u2028\x0b'  # all of these end a line for str.splitlines
  path = write('pairs.jsonl', [json.dumps({'query': text}, ensure_ascii=False)])
  assert read(path) == [Row(f'{path}:1', {'query': text})]


@pytest.mark.parametrize(
  ('line', 'problem'),
  [
    (b'{"query": "a"', 'not JSON at column 14 ('),
    (b'query,positive', 'not JSON at column 1 (Expecting value)'),
    (b'["a", "b"]', 'a JSON list where an object was wanted'),
    (b'null', 'a JSON NoneType where an object was wanted'),
    (b'{"query": "\xff"}', 'byte 12 of the line is 0xff: not UTF-8'),
    (b'[' * 100_000, 'not JSON that can be read (maximum recursion depth'),
    (b'9' * 10_000, 'not JSON that can be read (Exceeds the limit'),
  ],
)
def test_a_malformed_line_is_a_problem_and_no_more(write, line, problem):
  path = write('pairs.jsonl', b'{}\n' + line + b'\n{"query": "a"}\n')
  first, bad, last = read(path)
  assert bad.place == f'{path}:2' and bad.problem.startswith(problem)
  assert not first.problem and last.values == {'query': 'a'}


def test_of_a_line_without_end_no_more_is_held_than_can_be(write, monkeypatch):
  monkeypatch.setattr(files, '_LONGEST_LINE', 32)
  path = write('pairs.jsonl', ['{"query": "' + 'a' * 100 + '"}', '{}'])
  long, last = read(path)
  assert long.problem == 'the line is longer than 32 bytes'
  assert last == Row(f'{path}:2', {})


def test_the_fields_are_those_of_the_first_row_that_is_one(write):
  path = write('pairs.jsonl', ['# by hand', '{"query": "a"}', '{"other": 1}'])
  assert Files(str(path)).names() == ['query']


@pytest.mark.parametrize('lines', [[], ['', ' '], ['x'] * 3])
def test_without_a_row_there_is_no_field(write, lines):
  assert Files(str(write('pairs.jsonl', lines))).names() == []


def test_a_truncated_gzip_file_is_an_error_with_the_last_line(write):
  lines = [json.dumps({'query': os.urandom(9).hex()}) for _ in range(9000)]
  path = write('pairs.jsonl.gz', lines)
  path.write_bytes(path.read_bytes()[:-1000])
  message = (
    rf'{re.escape(str(path))} is damaged after line 8,\d\d\d \(Compressed'
  )
  with pytest.raises(ValueError, match=message):
    read(path)


def test_what_is_not_gzipped_is_an_error(tmp_path):
  (tmp_path / 'pairs.jsonl.gz').write_text('{}\n')
  with pytest.raises(ValueError, match='is damaged after line 0'):
    read(tmp_path / 'pairs.jsonl.gz')


def test_a_pattern_is_read_in_the_order_of_names(write, tmp_path):
  for name in ('b.jsonl', 'a.jsonl', 'c.jsonl.gz'):
    write(name, [json.dumps({'query': name})])
  write('notes.txt', [])
  found = [row.values['query'] for row in read(tmp_path / '*.jsonl*')]
  assert found == ['a.jsonl', 'b.jsonl', 'c.jsonl.gz']


def test_a_file_is_found_whatever_characters_its_name_has(write):
  path = write('pairs[1].jsonl', ['{}'])
  assert len(read(path)) == 1


@pytest.mark.parametrize(
  ('pattern', 'error', 'message'),
  [
    (
      'pair.jsonl',
      FileNotFoundError,
      "nearest are ['pairs.jsonl']. A path is",
    ),
    ('*.parquet', FileNotFoundError, '*.parquet; mend the pattern'),
    (
      'notes.txt',
      ValueError,
      'is not read; wanted a file that ends in',
    ),
    ('*', ValueError, 'notes.txt is not read; wanted a file that'),
    ('.', ValueError, 'is a folder; write'),
  ],
)
def test_what_is_not_there_is_an_error(
  write, tmp_path, pattern, error, message
):
  write('pairs.jsonl', [])
  write('notes.txt', [])
  with pytest.raises(error, match=re.escape(message)):
    Files(f'{tmp_path}/{pattern}')


def test_parquet_is_read_by_its_columns(tmp_path, monkeypatch):
  monkeypatch.setattr(files, 'AT_ONCE', 2)
  path = tmp_path / 'pairs.parquet'
  columns = {
    'query': ['a', 'b', None],
    'positive': [['x'], [], ['y', 'z']],
    'picture': [1, 2, 3],
  }
  pq.write_table(pa.table(columns), path)
  assert read(path) == [
    Row(f'{path}, row 1', {'query': 'a', 'positive': ['x']}),
    Row(f'{path}, row 2', {'query': 'b', 'positive': []}),
    Row(f'{path}, row 3', {'query': None, 'positive': ['y', 'z']}),
  ]
  assert Files(str(path)).names() == ['query', 'positive', 'picture']


def test_text_in_parquet_that_is_not_utf8_comes_as_bytes(tmp_path):
  path = tmp_path / 'pairs.parquet'
  raw = pa.array([b'good', b'b\xffd'])
  lists = pa.array([[b'\xff'], []])
  broken = pa.Array.from_buffers(pa.string(), 2, raw.buffers())
  values = pa.Array.from_buffers(pa.string(), 1, lists.values.buffers())
  positives = pa.ListArray.from_arrays(lists.offsets, values)
  pq.write_table(pa.table({'query': broken, 'positive': positives}), path)
  assert [row.values for row in read(path)] == [
    {'query': b'good', 'positive': [b'\xff']},
    {'query': b'b\xffd', 'positive': []},
  ]


def test_a_damaged_parquet_file_is_an_error(tmp_path):
  path = tmp_path / 'pairs.parquet'
  pq.write_table(pa.table({'query': ['a'] * 1000}), path)
  path.write_bytes(path.read_bytes()[:-10])
  message = f'{path} is no Parquet file, or a damaged one'
  for use in (read, lambda path: Files(str(path)).names()):
    with pytest.raises(ValueError, match=re.escape(message)):
      use(path)


def test_the_content_is_that_of_the_rows_and_not_of_the_place(write):
  path = write('pairs.jsonl', ['{}', '{"query": "a"}'])
  before = Files(str(path)).content()
  moved = path.rename(path.with_name('moved.jsonl'))
  assert Files(str(moved)).content() == before
  moved.write_text('{}\n{"query": "b"}\n')  # as long as before
  assert Files(str(moved)).content() != before


def test_of_large_files_the_time_of_change_counts(write, monkeypatch):
  monkeypatch.setattr(files, '_HASHED_WHOLE', 2)
  path = write('pairs.jsonl', ['{}'])
  before = Files(str(path)).content()
  assert before.startswith('times ') and Files(str(path)).content() == before
  os.utime(path, (0, 0))
  assert Files(str(path)).content() != before


def test_reading_files_imports_no_library_of_data_sets(write):
  path = write('pairs.jsonl', ['{"query": "a", "positive": "b"}'])
  code = (
    'import sys\n'
    'from gemb.data import intake, sources\n'
    f'config = sources.SourceConfig(task="a", path={str(path)!r})\n'
    'intake.check(config)\n'
    'print(len(list(intake.read(config))))\n'
    'heavy = ("tensorflow", "tensorflow_datasets", "seqio", "datasets")\n'
    'print([name for name in heavy if name in sys.modules])\n'
  )
  done = subprocess.run(
    [sys.executable, '-c', code], capture_output=True, text=True
  )
  assert done.stdout == 'a: 1 good rows, none bad\n1\n[]\n', done.stderr
