import json
import re

import pytest

from gemb.data import examples
from gemb.data.examples import Example

EXAMPLES = [
  Example(
    id='de/1',
    language='de',
    query='Wo ist "die" Lampe?',
    positive='Where is the lamp?',
    negatives=('Where is the table?', 'Wo?'),
  ),
  Example(id='ja/1', language='ja', query='鍵はどこ', positive='a\tb\\n'),
  # All of these end a line for str.splitlines.
  Example(id='x', language='und', query='a\r\nb\nc\rd', positive='\x85\u2028'),
]


@pytest.fixture(autouse=True)
def folder(data_folder):
  return data_folder


def test_texts_are_read_as_they_were_written():
  examples.write_texts('task', 'source/1.0', EXAMPLES)
  assert list(examples.read_texts('task')) == EXAMPLES


def test_each_is_read_with_the_byte_at_which_its_line_begins(folder):
  examples.write_texts('task', 'source/1.0', EXAMPLES)
  content = (folder / 'texts' / 'task.jsonl').read_bytes()
  for start, example in examples.read_places('task'):
    line = content[start:].split(b'\n')[0]
    assert examples.parse(line) == example
    assert next(examples.read_texts('task', start)) == example


def test_the_checksum_is_of_the_examples_alone():
  examples.write_texts('task', 'source/1.0', EXAMPLES)
  first = examples.texts_sha256('task')
  examples.write_texts('task', 'source/2.0', EXAMPLES, {'bad': 3})
  assert examples.texts_sha256('task') == first
  examples.write_texts('task', 'source/2.0', EXAMPLES[:2])
  assert examples.texts_sha256('task') != first
  with pytest.raises(FileNotFoundError, match="texts of task 'other' are not"):
    examples.texts_sha256('other')


def test_texts_of_signs_alone_are_told_apart():
  assert examples.text_key('Sign in!') == examples.text_key('sign  in')
  assert examples.text_key('+') != examples.text_key('-')


def test_the_file_is_json_lines_after_a_line_about_them(folder):
  examples.write_texts('task', 'source/1.0', EXAMPLES[:1])
  content = (folder / 'texts' / 'task.jsonl').read_text(encoding='utf-8')
  head, line, end = content.split('\n')
  assert json.loads(head) == {'task': 'task', 'source': 'source/1.0'}
  assert json.loads(line) == {
    'id': 'de/1',
    'language': 'de',
    'query': 'Wo ist "die" Lampe?',
    'positive': 'Where is the lamp?',
    'negatives': ['Where is the table?', 'Wo?'],
    'label': '',
  }
  assert end == ''


def test_counts_stand_in_the_first_line_as_they_were_at_the_end(folder):
  counts = {}

  def counted():
    for number, example in enumerate(EXAMPLES, start=1):
      counts['bad'] = number
      yield example

  examples.write_texts('task', 'source/1.0', counted(), counts)
  with (folder / 'texts' / 'task.jsonl').open() as file:
    head = json.loads(file.readline())
  assert head == {'task': 'task', 'source': 'source/1.0', 'bad': 3}
  assert list(examples.read_texts('task')) == EXAMPLES


def test_the_file_can_be_read_by_people():
  examples.write_texts('task', 'source/1.0', EXAMPLES)
  content = examples.texts_path('task').read_text(encoding='utf-8')
  assert '"query": "鍵はどこ"' in content


def test_the_source_is_known_once_texts_are_written():
  assert examples.texts_source('task') is None
  examples.write_texts('task', 'source/1.0', [])
  assert examples.texts_source('task') == 'source/1.0'
  assert list(examples.read_texts('task')) == []


def test_texts_are_streamed_and_a_damaged_line_is_named():
  examples.write_texts('task', 'source/1.0', EXAMPLES[:1])
  with examples.texts_path('task').open('a') as file:
    file.write('not json\n')
  stream = examples.read_texts('task')
  assert next(stream) == EXAMPLES[0]
  with pytest.raises(ValueError, match=r'Line 3 of .*task.jsonl is damaged'):
    next(stream)


def test_an_exception_while_writing_leaves_the_old_texts(folder):
  def interrupted():
    yield EXAMPLES[1]
    raise KeyboardInterrupt

  examples.write_texts('task', 'source/1.0', EXAMPLES)
  with pytest.raises(KeyboardInterrupt):
    examples.write_texts('task', 'source/2.0', interrupted())
  assert examples.texts_source('task') == 'source/1.0'
  assert list(examples.read_texts('task')) == EXAMPLES
  assert [path.name for path in (folder / 'texts').iterdir()] == ['task.jsonl']


def test_missing_texts_are_an_error_that_says_how_to_make_them(folder):
  path = re.escape(str(folder / 'texts' / 'task.jsonl'))
  with pytest.raises(
    FileNotFoundError, match=f"'task' are not at {path}; run `gemb cache`"
  ):
    next(examples.read_texts('task'))


@pytest.mark.parametrize(
  ('text', 'normalised'),
  [
    ('Sign in, please…', 'sign in please'),
    ('  STRASSE\n\tstraße ', 'strasse strasse'),
    ('def f(x): return x', 'def f x return x'),
    ('鍵は、どこですか。', '鍵は どこですか'),
    ('?!', ''),
  ],
)
def test_texts_are_compared_by_letters_and_digits(text, normalised):
  assert examples.normalise(text) == normalised
