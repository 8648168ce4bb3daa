import dataclasses
import json
import re

import numpy as np
import pytest

from gemb.data.records import (
  FORMAT,
  CacheSpec,
  Record,
  Records,
  make_spec,
  text_id,
)

SPEC = CacheSpec(
  task='task',
  query_template='q: {text}',
  passage_template='{text}',
  tokenizer_sha256='ab',
  held_out=('x',),
)
RECORD = Record(
  name='é',
  query=[2, 5, 1],
  positive=[2, 1],
  negatives=[[2, 7, 1]],
  query_id=2**64 - 1,
  positive_id=3,
)


def plain(record):
  """A record whose ids are lists, so that two can be compared."""
  return dataclasses.replace(
    record,
    query=record.query.tolist(),
    positive=record.positive.tolist(),
    negatives=[ids.tolist() for ids in record.negatives],
  )


@pytest.mark.parametrize(
  'changes',
  [
    {},
    {'negatives': []},
    {'negatives': [[2, 1], [2, 262_143, 9, 1], [2, 7, 1]]},
    {'name': ''},
    {'name': 'ja/鍵 😀'},
    {'query_id': 0, 'positive_id': 2**63},
  ],
)
def test_a_record_is_read_from_bytes_as_it_was(changes):
  record = dataclasses.replace(RECORD, **changes)
  read = Record.from_bytes(record.to_bytes())
  assert plain(read) == record
  assert read.query.dtype == np.int32


def test_the_bytes_of_a_record_stay_what_they_were():
  # Caches on disk hold these: other bytes need another `FORMAT`.
  assert FORMAT == 1
  assert RECORD.to_bytes() == b''.join(
    (
      (2**64 - 1).to_bytes(8, 'little'),
      (3).to_bytes(8, 'little'),
      *(n.to_bytes(4, 'little') for n in (3, 3, 2, 3)),
      *(n.to_bytes(4, 'little') for n in (2, 5, 1, 2, 1, 2, 7, 1)),
      'é'.encode(),
    )
  )


def test_the_hashes_of_texts_stay_what_they_were():
  assert text_id('Wo ist die Lampe?') == 10342156804389376662
  assert text_id('') == 13020603013274838756


def test_the_folder_of_a_spec_stays_what_it_was(data_folder):
  # Another one would make every cache anew.
  assert SPEC.folder.parent == data_folder / 'cache' / 'task'
  assert SPEC.folder.name == 'ddd658256fa4'


@pytest.mark.parametrize(
  ('field', 'value'),
  [
    ('task', 'other'),
    ('query_template', 'query: {text}'),
    ('passage_template', 'p: {text}'),
    ('tokenizer_sha256', 'cd'),
    ('held_out', ()),
    ('format', FORMAT + 1),
  ],
)
def test_each_field_of_a_spec_has_a_part_in_its_fingerprint(field, value):
  other = dataclasses.replace(SPEC, **{field: value})
  assert other.folder.name != SPEC.folder.name


def test_each_field_of_a_spec_is_tested_above():
  fields = {field.name for field in dataclasses.fields(CacheSpec)}
  assert fields == {
    'task',
    'query_template',
    'passage_template',
    'tokenizer_sha256',
    'held_out',
    'format',
  }


def test_a_spec_is_made_from_prompt_and_tokenizer(make_config, tokenizer):
  config = make_config(held_out=('b', 'a'))
  assert make_spec(config, 'golden_pairs', tokenizer) == CacheSpec(
    task='golden_pairs',
    query_template='task: search result | query: {text}',
    passage_template='title: none | text: {text}',
    tokenizer_sha256=tokenizer.sha256,
    held_out=('a', 'b'),
  )


def test_records_are_read_by_number_in_the_order_asked_for(write_cache):
  written = [
    dataclasses.replace(RECORD, name=str(n), query=[2, *range(n), 1])
    for n in range(10)
  ]
  records = write_cache(SPEC, written)
  assert len(records) == 10
  asked = [7, 0, 9, 7]
  read = records.read(np.array(asked))
  assert [plain(record) for record in read] == [written[n] for n in asked]
  assert records.lengths[7].tolist() == [9, 2, 3]


def test_a_missing_cache_is_an_error_that_says_how_to_make_it(data_folder):
  message = (
    f"'task' has no cache for this prompt and tokenizer at {data_folder}"
  )
  with pytest.raises(FileNotFoundError, match=re.escape(message)):
    Records(SPEC)


def test_a_cache_of_another_configuration_is_refused(write_cache):
  write_cache(SPEC, [RECORD])
  path = SPEC.folder / 'manifest.json'
  manifest = json.loads(path.read_text())
  manifest['spec'] |= {'tokenizer_sha256': 'cd', 'held_out': []}
  path.write_text(json.dumps(manifest))
  message = (
    f'at {SPEC.folder} was made with another configuration: tokenizer_sha256 '
    "is 'cd', wanted 'ab'; held_out is [], wanted ['x']. Delete that folder"
  )
  with pytest.raises(ValueError, match=re.escape(message)):
    Records(SPEC)


def test_a_cache_cut_short_is_refused(write_cache):
  records = write_cache(SPEC, [RECORD] * 5)
  path = SPEC.folder / 'records.array_record'
  size = records.manifest['bytes']
  path.write_bytes(path.read_bytes()[:-7])
  message = (
    f'{path} is damaged (it has {size - 7} bytes, and its manifest says {size}'
  )
  with pytest.raises(ValueError, match=re.escape(message)):
    Records(SPEC)


@pytest.mark.parametrize('file', ['lengths.npy', 'manifest.json'])
def test_a_cut_off_file_beside_the_records_is_named(file, write_cache):
  write_cache(SPEC, [RECORD])
  path = SPEC.folder / file
  path.write_bytes(path.read_bytes()[:-20])
  with pytest.raises(ValueError, match=f'{file} is damaged'):
    Records(SPEC)


def test_lengths_of_another_number_of_examples_are_refused(write_cache):
  write_cache(SPEC, [RECORD])
  np.save(SPEC.folder / 'lengths.npy', np.zeros((2, 3), np.int32))
  with pytest.raises(ValueError, match=re.escape('(2, 3), not (1, 3)')):
    Records(SPEC)
