"""One shard at a time, on the golden texts; no TensorFlow."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from gemb.data import examples, locks
from gemb.data.caching import mined, shards
from gemb.data.caching.jobs import Job
from gemb.data.caching.merging import complete_job
from gemb.data.caching.shards import Maker, make_shard, tokenise
from gemb.data.examples import Example
from gemb.data.records import Records, answer_id, text_id

NONE = np.zeros(0, np.uint64)


def finish(job: Job) -> Records:
  for number in range(job.shards):
    make_shard(job.folder, number)
  complete_job(job)
  return Records(job.spec)


def read_all(records):
  return records.read(np.arange(len(records)))


def maker(prompt, tokenizer, **changes):
  given = {'held_out': NONE, 'overlaps': NONE, 'filtered': NONE, **changes}
  return Maker(prompt, tokenizer, **given)


def test_records_hold_the_dressed_texts(prepare, tokenizer):
  (job,) = prepare(held_out=())
  read = {e.id: e for e in examples.read_texts('golden_pairs')}
  records = finish(job)
  assert len(records) == len(read) == 300
  for record, lengths in zip(
    read_all(records), records.lengths.tolist(), strict=True
  ):
    example = read[record.name]
    texts = [
      f'task: search result | query: {example.query}',
      f'title: none | text: {example.positive}',
      *(f'title: none | text: {text}' for text in example.negatives),
    ]
    ids = [record.query, record.positive, *record.negatives]
    assert tokenizer.encode(texts) == [text.tolist() for text in ids]
    assert record.query_id == text_id(example.query)
    assert record.positive_id == text_id(example.positive)
    assert [n for n in lengths if n] == [len(text) for text in ids]


def test_examples_that_share_a_text_with_a_held_out_set_are_dropped(prepare):
  (job,) = prepare()
  names = {example.id for example in examples.read_texts('golden_pairs')}
  # One positive is the same but for case and punctuation, one query is.
  kept = {record.name for record in read_all(finish(job))}
  assert names - kept == {'fr/16', 'python/0'}


def test_what_overlaps_with_an_evaluation_set_is_dropped_by_id(
  prepare, tokenizer
):
  (job,) = prepare()
  every = list(examples.read_texts('golden_pairs'))
  overlaps = np.unique(np.array([text_id(every[n].id) for n in (0, 9)], '<u8'))
  made = maker(job.spec.prompt, tokenizer, overlaps=overlaps)
  names = [record.name for record in made.records(every)]
  assert names == [e.id for n, e in enumerate(every) if n not in (0, 9)]
  assert made.counts['contaminated'] == 2
  assert made.counts['held out'] == 0


def test_mined_negatives_come_before_the_examples_own(
  prepare, tokenizer, tmp_path
):
  every = [
    Example(
      id=str(n), language='en', query='?', positive='Yes', negatives=('own',)
    )
    for n in range(3)
  ]
  path = tmp_path / 'mined.jsonl'
  lines = {'1': ['mined', 'yes!'], '9': ['of nobody']}
  path.write_text(
    ''.join(
      json.dumps({'id': name, 'negatives': texts}) + '\n'
      for name, texts in lines.items()
    )
  )
  found = mined.MinedNegatives(path, mined.index_lines(path))
  (job,) = prepare()
  made = maker(job.spec.prompt, tokenizer, negatives=found)
  texts = [
    [tokenizer.decode(text) for text in record.negatives]
    for record in made.records(every)
  ]
  own, other = 'title: none | text: own', 'title: none | text: mined'
  assert texts == [[own], [other, own], [own]]
  assert made.counts['mined'] == 1


def test_examples_of_a_class_have_one_answer(prepare, tokenizer):
  (job,) = prepare()
  example = Example(id='1', language='en', query='?', positive='Yes')
  labelled = dataclasses.replace(example, label='yes')
  bare, with_label = tokenise([example, labelled], job.spec.prompt, tokenizer)
  assert bare.positive_id == text_id('Yes')
  assert with_label.positive_id == answer_id('Yes', 'yes') != bare.positive_id


def test_a_shard_is_made_once(prepare, monkeypatch):
  (job,) = prepare()
  assert not job.is_made(1)
  assert make_shard(job.folder, 1)
  assert job.is_made(1) and not job.is_made(0)
  monkeypatch.delattr(shards, '_write')
  assert make_shard(job.folder, 1)


def test_a_shard_that_somebody_makes_is_left_to_them(prepare):
  (job,) = prepare()
  with locks.hold(job.path(0, '.lock')):
    assert not make_shard(job.folder, 0, wait=False)
  assert not job.is_made(0)
  assert make_shard(job.folder, 0, wait=False)


def test_whoever_comes_late_finds_the_cache_completed(prepare):
  (job,) = prepare()
  finish(job)
  assert make_shard(job.folder, 0)
  shards._open.cache_clear()
  assert make_shard(job.folder, 0)
  assert not job.folder.exists()


class FullDisk:
  """A writer that finds out at the end, as the real one does."""

  def __init__(self, path, options):
    with open(path, 'wb') as file:
      file.write(b'half')

  def write(self, data):
    pass

  def close(self):
    raise RuntimeError('write() failed: No space left on device')


def test_a_full_disk_is_one_sentence_and_leaves_nothing_half(
  prepare, monkeypatch
):
  (job,) = prepare()
  make_shard(job.folder, 0)
  before = {path.name for path in job.folder.iterdir()}
  with monkeypatch.context() as patch:
    patch.setattr(shards.array_record_module, 'ArrayRecordWriter', FullDisk)
    with pytest.raises(OSError, match='cannot be written') as caught:
      make_shard(job.folder, 1)
  assert 'No space left on device' in str(caught.value)
  assert 'finished shards are kept' in str(caught.value)
  after = {path.name for path in job.folder.iterdir()}
  assert after - before == {job.path(1, '.lock').name}
  assert make_shard(job.folder, 1)


def test_a_limit_on_the_size_of_files_is_told_as_a_full_disk(prepare, tmp_path):
  (job,) = prepare(examples=500)
  limited = (
    'import pathlib, resource, sys\n'
    'from gemb.data.caching.shards import make_shard\n'
    'resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n'
    'make_shard(pathlib.Path(sys.argv[1]), 0)\n'
  )
  done = subprocess.run(
    [sys.executable, '-c', limited, job.folder], capture_output=True, text=True
  )
  last = done.stderr.splitlines()[-1]
  assert last.startswith("OSError: The records of 'golden_pairs' cannot be")
  assert not job.path(0).exists() and not job.is_made(0)
  assert len(finish(job)) == 298


def test_a_tokenizer_that_has_changed_is_refused(prepare, tmp_path):
  (job,) = prepare()
  path = job.folder / 'job.json'
  path.write_text(path.read_text().replace(job.spec.tokenizer_sha256, 'ab'))
  with pytest.raises(ValueError, match='has changed while the cache'):
    make_shard(job.folder, 0)


def test_a_damaged_line_is_named_by_its_place(prepare):
  (job,) = prepare()
  path = examples.texts_path('golden_pairs')
  content = bytearray(path.read_bytes())
  content[job.starts[1]] = ord('x')
  path.write_bytes(content)
  with pytest.raises(ValueError, match=f'Line 1 after byte {job.starts[1]} of'):
    make_shard(job.folder, 1)
  assert make_shard(job.folder, 0)


def test_making_shards_imports_neither_tensorflow_nor_jax():
  show = (
    'import sys\n'
    'from gemb.data.caching import workers\n'
    "print({'tensorflow', 'jax', 'seqio', 'torch'} & set(sys.modules))"
  )
  command = [sys.executable, '-c', show]
  done = subprocess.run(command, capture_output=True, text=True, check=True)
  assert done.stdout == 'set()\n'
