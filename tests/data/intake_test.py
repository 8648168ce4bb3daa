import collections
import json
import re
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gemb.data import examples, intake
from gemb.data.examples import Example
from gemb.data.sources import SourceConfig


@pytest.fixture
def source(tmp_path):
  """Returns a function: rows (dicts or bytes), fields -> a SourceConfig."""

  def make(rows, **fields):
    path = tmp_path / 'pairs.jsonl'
    lines = [
      r if isinstance(r, bytes) else json.dumps(r).encode() for r in rows
    ]
    path.write_bytes(b''.join(line + b'\n' for line in lines))
    return SourceConfig(**{'task': 'mine', 'path': str(path), **fields})

  return make


def pair(query='a', positive='b', **more):
  return {'query': query, 'positive': positive, **more}


def bad(source, row, **fields):
  """Reads a good row and this one; returns why this one is left out."""
  config = source([pair(n=['c'], id='1', lang='de'), row], **fields)
  with pytest.raises(ValueError) as caught:
    list(intake.read(config))
  pattern = r'1 of the 2 rows .* \(\S*pairs\.jsonl:2: (.*)\)\. Mend them'
  return re.search(pattern, str(caught.value))[1]


def test_query_and_positive_are_enough(source):
  assert list(intake.read(source([pair(), pair('c', 'd')]))) == [
    Example(id='1', language='und', query='a', positive='b'),
    Example(id='2', language='und', query='c', positive='d'),
  ]


def test_fields_are_taken_by_their_names(source):
  row = {'q': 'Wo?', 'a': 'there', 'n': ['here', 'gone'], 'key': 7, 'l': 'de'}
  named = {'query': 'q', 'positive': 'a', 'negatives': 'n', 'id': 'key'}
  assert list(intake.read(source([row], **named, language='l'))) == [
    Example(
      id='7',
      language='de',
      query='Wo?',
      positive='there',
      negatives=('here', 'gone'),
    )
  ]


@pytest.mark.parametrize(
  ('value', 'negatives'),
  [('c', ('c',)), (['c', 'd'], ('c', 'd')), ([], ()), (None, ())],
)
def test_negatives_are_a_text_or_a_list_of_texts(source, value, negatives):
  (example,) = intake.read(source([pair(n=value)], negatives='n'))
  assert example.negatives == negatives


def test_rows_after_the_first_may_lack_negatives_and_language(source):
  rows = [pair(n='c', l='de'), pair()]
  _, last = intake.read(source(rows, negatives='n', language='l'))
  assert last == Example(id='2', language='und', query='a', positive='b')


def test_texts_are_kept_as_they_are(source):
  (example,) = intake.read(source([pair('  a\n\tb ', '😀 \x00 e\u0301')]))
  assert (example.query, example.positive) == ('  a\n\tb ', '😀 \x00 e\u0301')


def test_texts_with_a_label_become_contrasts(source):
  rows = [
    {'text': text, 'intent': intent}
    for text, intent in [('hi', 'greet'), ('hello', 'greet'), ('bye', 'leave')]
  ]
  read = list(intake.read(source(rows, query='text', label='intent')))
  assert {example.label for example in read} == {'greet', 'leave'}
  pairs = {(example.query, example.positive) for example in read}
  assert {('hi', 'greet'), ('hi', 'hello'), ('bye', 'leave')} <= pairs


def test_a_number_may_name_a_class(source):
  rows = [{'text': 'hi', 'class': 3}, {'text': 'bye', 'class': 4}]
  read = intake.read(source(rows, query='text', label='class'))
  assert {example.positive for example in read} == {'3', '4'}


@pytest.mark.parametrize(
  ('row', 'problem'),
  [
    (pair(query=''), "'query' is blank"),
    (pair(positive=' \n\u3000'), "'positive' is blank"),
    (pair(query=None), "'query' is None, wanted text"),
    (pair(query=3), "'query' is 3, wanted text"),
    (pair(positive=['b']), "'positive' is ['b'], wanted text"),
    (pair(positive={'x': 'y' * 99}), f"'positive' is {{'x': '{'y' * 33}…, wan"),
    ({'query': 'a'}, "there is no 'positive'"),
    (pair(query='a' * 21), "'query' has 21 characters, more than SourceConfig"),
    (b'{"query": "a", "pos', 'not JSON at column 16 ('),
    (b'{"query": "\xe9t\xe9"}', 'byte 12 of the line is 0xe9: not UTF-8'),
    (
      b'{"query": "ab\\ud83d", "positive": "b"}',
      "character 3 of 'query' is half of a surrogate pair",
    ),
    (pair(n=['c', '']), "'n' is blank"),
    (pair(n=['c', 1]), "'n' is 1, wanted text"),
    (pair(n=['c', 'b']), 'the positive is among the negatives'),
  ],
)
def test_a_malformed_row_is_named_with_its_line(source, row, problem):
  said = bad(source, row, negatives='n', max_characters=20)
  assert said.startswith(problem)


@pytest.mark.parametrize(
  ('row', 'problem'),
  [
    (pair(id='1', lang='de'), "the id '1' was given before"),
    (pair(id=1, lang='de'), "the id '1' was given before"),
    (pair(lang='de'), "there is no 'id'"),
    (pair(id=True), "'id' is True, wanted text"),
    (pair(id='2', lang=''), "'lang' is blank"),
    (pair(id='2', lang=['de']), "'lang' is ['de'], wanted text"),
  ],
)
def test_a_name_that_is_none_is_named_too(source, row, problem):
  assert bad(source, row, id='id', language='lang') == problem


def test_bytes_that_are_no_text_are_named(tmp_path):
  columns = {'query': [b'good', b'b\xffd'], 'positive': ['x', 'y']}
  pq.write_table(pa.table(columns), tmp_path / 'pairs.parquet')
  config = SourceConfig(task='mine', path=str(tmp_path / 'pairs.parquet'))
  message = "pairs.parquet, row 2: byte 2 of 'query' is 0xff: not UTF-8)"
  with pytest.raises(ValueError, match=re.escape(message)):
    list(intake.read(config))


def test_ten_megabytes_of_text_are_left_out(source, capsys):
  config = source([pair(), pair('a' * 10**7)], max_bad_share=0.5)
  assert [example.query for example in intake.read(config)] == ['a']
  said = capsys.readouterr().out
  assert "pairs.jsonl:2: 'query' has 10,000,000 characters, more than" in said


def test_too_many_bad_rows_are_an_error_with_the_first_three(source):
  config = source([pair(), *[pair('')] * 4, b'{}'], max_bad_share=0.5)
  message = (
    f'5 of the 6 rows of {config.path}, the source of task '
    f"'mine', cannot be trained on ({config.path}:2: 'query' is blank; "
    f"{config.path}:3: 'query' is blank; {config.path}:4: 'query' is blank; …)."
    ' Mend them, or have them left out: their share is 0.83, and '
    'SourceConfig.max_bad_share is 0.5.'
  )
  with pytest.raises(ValueError, match=f'^{re.escape(message)}$'):
    list(intake.read(config))


def test_a_few_bad_rows_are_left_out_counted_and_told(source, capsys):
  config = source([pair(), pair(''), pair('c')], max_bad_share=0.34)
  counts = collections.Counter()
  read = list(intake.read(config, counts))
  assert [(e.id, e.query) for e in read] == [('1', 'a'), ('3', 'c')]
  assert counts == {'bad': 1}
  assert capsys.readouterr().out == (
    f'mine: 2 good rows, 1 bad ones left out ({config.path}:2: '
    "'query' is blank)\n"
  )


def test_an_id_may_be_given_again_after_a_bad_row(source):
  rows = [pair('', id='1'), pair(id='1')]
  assert len(list(intake.read(source(rows, id='id', max_bad_share=0.5)))) == 1


def test_ids_are_told_apart_once_they_are_sorted_in(source, monkeypatch):
  monkeypatch.setattr(intake, '_RECENT', 2)
  rows = [pair(id=str(i % 9)) for i in range(18)]
  counts = collections.Counter()
  config = source(rows, id='id', max_bad_share=0.5)
  assert len(list(intake.read(config, counts))) == 9
  assert counts['bad'] == 9


def test_nothing_is_left_of_a_source_that_is_refused(source, data_folder):
  config = source([pair(), b'{"query'])
  with pytest.raises(ValueError, match='1 of the 2 rows'):
    examples.write_texts('mine', 'source', intake.read(config))
  assert list((data_folder / 'texts').iterdir()) == []


@pytest.mark.parametrize('rows', [[], [b''], [b' ', b'']])
def test_an_empty_file_is_an_error(source, rows):
  message = "pairs.jsonl, the source of task 'mine', has no row"
  for use in intake.check, lambda config: list(intake.read(config)):
    with pytest.raises(ValueError, match=message):
      use(source(rows))


def test_a_file_of_another_format_is_an_error_before_anything_is_read(source):
  config = source([b'query,positive', b'a,b'], max_bad_share=0.5)
  message = '2 of the 2 rows .*pairs.jsonl:1: not JSON at column 1 '
  with pytest.raises(ValueError, match=message):
    intake.check(config)


@pytest.mark.parametrize(
  ('fields', 'message'),
  [
    (
      {'positive': 'answer'},
      "SourceConfig.positive of 'mine' is 'answer', which the first row of",
    ),
    ({'positive': 'answer'}, "did you mean one of ['answers', "),
    ({'query': 'question'}, "SourceConfig.query of 'mine' is 'question'"),
    (
      {'positive': 'answers', 'id': 'key'},
      "SourceConfig.id of 'mine' is 'key'",
    ),
  ],
)
def test_an_unknown_field_is_an_error_with_the_nearest(source, fields, message):
  config = source([{'query': 'a', 'answers': 'b'}], **fields)
  with pytest.raises(ValueError, match=re.escape(message)):
    intake.check(config)


def test_a_source_that_is_as_it_is_told_passes(source):
  intake.check(source([pair(n=[], id=1)], negatives='n', id='id'))


def test_changed_data_or_fields_are_another_source(source):
  rows = [pair(n='c'), pair('d')]
  before = intake.identity(source(rows))
  assert before == intake.identity(
    source(rows, max_bad_share=0.5, task='other')
  )
  assert before != intake.identity(source([*rows, pair('e')]))
  for change in {'negatives': 'n'}, {'query': 'n'}, {'max_characters': 9}:
    assert before != intake.identity(source(rows, **change))


def test_memory_does_not_grow_with_the_file(source):
  def peak(count):
    config = source(pair('word ' * 2_000, id=str(i)) for i in range(count))
    tracemalloc.start()
    assert sum(1 for _ in intake.read(config)) == count
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most

  peak(10)  # what is imported and cached once
  assert peak(400) - peak(100) < 100_000  # of 3 MB more text
