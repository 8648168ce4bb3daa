"""Shards become a cache; no TensorFlow."""

import hashlib
import json

import numpy as np
import pytest

from gemb import files
from gemb.data.caching import merging
from gemb.data.caching.merging import complete_job
from gemb.data.caching.shards import make_shard
from gemb.data.contamination.report import Report, TaskOverlap
from gemb.data.contamination.settings import OverlapConfig
from gemb.data.records import Records


def make_all(job):
  for number in range(job.shards):
    make_shard(job.folder, number)


def names(folder):
  return sorted(path.name for path in folder.iterdir())


def test_a_cache_tells_what_it_was_made_from_and_how_much_it_holds(prepare):
  (job,) = prepare()
  make_all(job)
  said = complete_job(job)
  records = Records(job.spec)
  manifest = records.manifest
  tokens = int(records.lengths.sum())
  assert said == (
    f'golden_pairs: 298 examples, 2 dropped (2 held out), {tokens:,} tokens'
  )
  assert manifest['examples'] == len(records) == 298
  assert manifest['tokens'] == tokens
  assert manifest['dropped'] == {
    'held out': 2,
    'contaminated': 0,
    'filtered': 0,
  }
  assert manifest['mined'] is manifest['contamination'] is None
  assert manifest['sources'] == dict.fromkeys(
    ('golden_pairs', 'golden_held_out'), 'golden'
  )
  assert manifest['versions'].keys() == {
    'gemb',
    'sentencepiece',
    'array_record',
    'python',
  }
  shards = manifest['shards']
  assert [shard['examples'] for shard in shards] == [100, 99, 99]
  assert names(job.spec.folder) == [
    'lengths.npy',
    'manifest.json',
    *(shard['file'] for shard in shards),
  ]


def test_checksums_are_those_of_what_is_there(prepare):
  (job,) = prepare()
  make_all(job)
  complete_job(job)
  records = Records(job.spec)
  content = hashlib.blake2b(digest_size=16)
  first = 0
  for shard in records.manifest['shards']:
    some = hashlib.blake2b(digest_size=16)
    for record in records.read(np.arange(first, first + shard['examples'])):
      some.update(record.to_bytes())
    assert shard['content'] == some.hexdigest()
    content.update(some.digest())
    first += shard['examples']
  assert records.manifest['content'] == content.hexdigest()
  lengths = hashlib.blake2b(records.lengths.tobytes(), digest_size=16)
  assert records.manifest['lengths_content'] == lengths.hexdigest()


def test_a_job_whose_shards_are_not_all_made_is_left_as_it_is(prepare):
  (job,) = prepare()
  make_shard(job.folder, 1)
  assert complete_job(job) == (
    'golden_pairs: 1 of 3 shards are made; whoever makes the last one '
    'completes the cache'
  )
  with pytest.raises(FileNotFoundError):
    Records(job.spec)
  assert job.is_made(1)


def test_completing_leaves_the_cache_alone(prepare):
  (old,) = prepare(examples=50)
  (job,) = prepare()
  make_all(job)
  left = job.spec.folder.with_name(f'.{job.spec.folder.name}.ab12.tmp')
  left.mkdir()
  complete_job(job)
  assert not old.folder.exists() and not job.folder.exists()
  assert not left.exists()
  assert complete_job(job) == f'golden_pairs: cached at {job.spec.folder}'


def test_completing_may_be_killed_at_any_point(prepare, monkeypatch):
  (job,) = prepare()
  make_all(job)

  def killed(*arguments):
    raise KeyboardInterrupt

  for module, name in (
    (merging, '_merge_lengths'),
    (files, 'write_file'),
    (files.os, 'rename'),
  ):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
      patch.setattr(module, name, killed)
      complete_job(job)
    assert not job.spec.folder.exists()
    assert all(map(job.is_made, range(3)))
  complete_job(job)
  assert len(Records(job.spec)) == 298


def test_a_file_system_without_links_has_its_shards_copied(
  prepare, monkeypatch
):
  (job,) = prepare()
  make_all(job)

  def refused(*paths):
    raise PermissionError

  monkeypatch.setattr(merging.os, 'link', refused)
  complete_job(job)
  assert len(Records(job.spec)) == 298


def test_mined_negatives_are_counted_and_make_room(prepare, tmp_path):
  path = tmp_path / 'mined.jsonl'
  lines = ('de/3', 'fr/16')  # the last is dropped
  path.write_text(
    ''.join(
      json.dumps({'id': name, 'negatives': ['a', 'b', 'c']}) + '\n'
      for name in lines
    )
  )
  (job,) = prepare(mined_negatives={'golden_pairs': str(path)})
  make_all(job)
  complete_job(job)
  records = Records(job.spec)
  assert records.manifest['mined'] == {'lines': 2, 'found': 2}
  # The most hard negatives of any example decide the columns.
  read = records.read(np.arange(298))
  most = max(len(record.negatives) for record in read)
  assert records.lengths.shape == (298, 2 + most)
  (number,) = (n for n, record in enumerate(read) if record.name == 'de/3')
  assert len(read[number].negatives) >= 3


def test_what_a_filter_names_is_dropped_and_counted_by_itself(
  prepare, tmp_path
):
  path = tmp_path / 'golden_pairs.dropped.jsonl'
  names = ('de/3', 'fr/16')  # a held-out set has a text of the last
  path.write_text(
    ''.join(json.dumps({'id': n, 'reason': 'quality'}) + '\n' for n in names)
  )
  (unfiltered,) = prepare()
  (job,) = prepare(filtered={'golden_pairs': str(path)})
  assert job.spec.folder != unfiltered.spec.folder
  make_all(job)
  assert '3 dropped (2 held out, 1 filtered)' in complete_job(job)
  records = Records(job.spec)
  assert records.manifest['dropped']['filtered'] == 1
  kept = {record.name for record in records.read(np.arange(len(records)))}
  assert len(kept) == 297 and 'de/3' not in kept


def test_a_report_of_overlaps_is_followed_and_kept(prepare, tmp_path):
  found = TaskOverlap(
    source='golden',
    examples=300,
    exact=1,
    containing=0,
    near=1,
    sets={'mteb': 2},
    ids=['de/3', 'fr/16'],  # a held-out set has a text of the last
    samples=[],
  )
  report = Report(
    settings=OverlapConfig(), sets={'mteb': {}}, tasks={'golden_pairs': found}
  )
  report.write(tmp_path / 'report.json')
  (job,) = prepare(contaminated=str(tmp_path / 'report.json'))
  make_all(job)
  assert '3 dropped (2 held out, 1 contaminated)' in complete_job(job)
  manifest = Records(job.spec).manifest
  assert manifest['dropped'] == {
    'held out': 2,
    'contaminated': 1,
    'filtered': 0,
  }
  assert manifest['contamination']['sets'] == ['mteb']
  assert manifest['contamination']['near'] == 1
