import dataclasses
import json

import numpy as np
import pytest

from gemb.data import examples
from gemb.data.caching import jobs
from gemb.data.caching.merging import complete_job
from gemb.data.caching.shards import make_shard


def test_the_texts_alone_decide_the_shards(prepare, data_folder):
  (job,) = prepare(examples=128)
  assert job.shards == 3
  read, sizes = [], []
  for number in range(3):
    part = job.starts[number : number + 2]
    read += examples.read_texts('golden_pairs', *part)
    sizes.append(len(read))
  assert sizes == [128, 256, 300]
  assert read == list(examples.read_texts('golden_pairs'))


def test_a_task_without_examples_has_one_empty_shard(prepare, data_folder):
  path = examples.texts_path('golden_pairs')
  with path.open('rb') as file:
    head = file.readline()
  path.write_bytes(head)
  (job,) = prepare()
  assert job.starts == (len(head), len(head))
  make_shard(job.folder, 0)
  assert 'golden_pairs: 0 examples, 0 dropped' in complete_job(job)


def test_a_job_is_read_back_and_taken_up_as_it_was(prepare):
  (job,) = prepare()
  assert jobs.read_job(job.folder) == job
  assert jobs.read_jobs() == [job]
  made = (job.folder / 'job.json').stat().st_mtime_ns
  assert prepare() == [job]
  assert (job.folder / 'job.json').stat().st_mtime_ns == made


@pytest.mark.parametrize('task', ['golden_pairs', 'golden_held_out'])
def test_other_texts_make_another_job(prepare, task):
  (job,) = prepare()
  path = examples.texts_path(task)
  path.write_text(path.read_text().replace('"golden"', '"newer"', 1))
  (other,) = prepare()
  assert other.spec == job.spec and other.folder != job.folder
  assert other.sources[task] == 'newer'


def test_a_run_without_task_strings_has_a_job_with_and_one_without(prepare):
  with_task, without = prepare(drop_task_string=0.1)
  assert with_task.spec.prompt.without_task() == without.spec.prompt


def test_held_out_texts_are_kept_as_hashes(prepare, golden):
  (job,) = prepare()
  hashes = np.load(job.folder / 'held_out.npy')
  lines = (golden / 'held_out.jsonl').read_text().splitlines()
  texts = {json.loads(line)[s] for line in lines for s in ('query', 'positive')}
  assert hashes.dtype == np.uint64 and len(hashes) == len(texts)
  assert (np.diff(hashes.astype(object)) > 0).all()


def test_paths_in_the_data_folder_hold_on_other_machines(
  prepare, data_folder, tmp_path
):
  inside, outside = data_folder / 'mined.jsonl', tmp_path / 'mined.jsonl'
  for path in inside, outside:
    path.write_text('')
  (job,) = prepare(mined_negatives={'golden_pairs': str(inside)})
  assert job.mined == 'mined.jsonl'
  (job.folder / 'job.json').unlink()
  (job,) = prepare(mined_negatives={'golden_pairs': str(outside)})
  assert job.mined == str(outside.resolve())


def test_a_cache_that_is_made_has_no_job(prepare):
  (job,) = prepare(examples=500)
  make_shard(job.folder, 0)
  complete_job(job)
  assert prepare(examples=500) == [None]
  assert jobs.read_jobs() == []
  with pytest.raises(FileNotFoundError):
    jobs.read_job(job.folder)


def test_a_malformed_side_file_leaves_no_job(prepare, tmp_path):
  path = tmp_path / 'mined.jsonl'
  path.write_text('{}\n')
  with pytest.raises(ValueError, match='Line 1 of'):
    prepare(mined_negatives={'golden_pairs': str(path)})
  assert jobs.read_jobs() == []


def test_versions_that_decide_bytes_decide_the_folder(prepare, monkeypatch):
  (job,) = prepare()
  other = jobs.versions() | {'sentencepiece': '0.0.0'}
  monkeypatch.setattr(jobs, 'versions', lambda: other)
  (again,) = prepare()
  assert dataclasses.replace(again, folder=job.folder) == job
  assert again.folder != job.folder
