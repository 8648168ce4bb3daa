import dataclasses
import json
import re

import numpy as np
import pytest

from gemb.data.records import (
  Record,
  Records,
  answer_id,
  concatenate,
  shard_name,
  text_id,
)
from gemb.data.specs import FORMAT, CacheSpec

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
  assert FORMAT == 2
  assert RECORD.to_bytes() == b''.join(
    (
      (2**64 - 1).to_bytes(8, 'little'),
      (3).to_bytes(8, 'little'),
      *(n.to_bytes(4, 'little') for n in (3, 3, 2, 3)),
      *(n.to_bytes(4, 'little') for n in (2, 5, 1, 2, 1, 2, 7, 1)),
      'é'.encode() + bytes(2),  # whole words
    )
  )


def test_the_hashes_of_texts_stay_what_they_were():
  assert text_id('Wo ist die Lampe?') == 10342156804389376662
  assert text_id('') == 13020603013274838756


def test_all_texts_of_a_class_are_one_answer():
  assert answer_id('Wo ist die Lampe?', '') == text_id('Wo ist die Lampe?')
  assert answer_id('a', 'lights') == answer_id('b', 'lights')
  assert answer_id('a', 'lights') != answer_id('a', 'doors')
  assert answer_id('a', 'lights') != answer_id('lights', '')


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


def test_records_are_read_as_arrays(write_cache):
  written = [
    dataclasses.replace(
      RECORD,
      query=[2, *range(n), 1],
      negatives=[[2, 7, 1], [2, 8, 8, 1]][: n % 3],
      query_id=n,
      positive_id=2**32 * n + 1,
    )
    for n in range(10)
  ]
  records = write_cache(SPEC, written)
  assert records.lengths.shape == (10, 4)
  for negatives in 0, 1, 3:
    columns = records.columns(np.array([7, 3, 8]), negatives)
    for row, n in enumerate((7, 3, 8)):
      record = written[n]
      texts = [record.query, record.positive, *record.negatives[:negatives]]
      missing = [[]] * (2 + negatives - len(texts))
      assert [
        columns.words[start : start + length].tolist()
        for start, length in zip(
          columns.start[row], columns.length[row], strict=True
        )
      ] == texts + missing
      assert columns.query_id[row].tolist() == [n, 0]
      assert columns.positive_id[row].tolist() == [1, n]


def test_columns_are_put_together_in_any_order(write_cache):
  written = [dataclasses.replace(RECORD, query=[2, n, 1]) for n in range(9)]
  records = write_cache(SPEC, written)
  parts = [records.columns(np.array(part), 1) for part in ([4, 5], [6])]
  columns = concatenate(parts, np.array([2, 0, 1]))
  assert columns.words[columns.start[:, 0] + 1].tolist() == [6, 4, 5]
  assert columns.length.tolist() == [[3, 2, 3]] * 3


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
  path = SPEC.folder / shard_name(1, 2)
  size = records.manifest['shards'][1]['bytes']
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
  with pytest.raises(ValueError, match=r'\(2, 3\), not \(1, 2 and'):
    Records(SPEC)
