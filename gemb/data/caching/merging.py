"""The shards of a job become a cache."""

import collections
import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Sequence

import numpy as np

from gemb import files
from gemb.data import locks
from gemb.data.caching.jobs import Job, is_current, lock_path, versions

_ROWS = 1 << 20  # of lengths, held in memory at once
_REASONS = ('held out', 'contaminated', 'filtered')  # why some are dropped


def complete_job(job: Job) -> str:
  """Makes the cache, if all shards are finished; returns what there is to say.

  Whoever finds all shards may do so, and several at once: it is done once.

  Raises:
    OSError: if it cannot be written.
  """
  task = job.spec.task
  with locks.hold(lock_path(job.spec)):
    made = sum(map(job.is_made, range(job.shards)))
    if is_current(job.spec):
      said = f'{task}: cached at {job.spec.folder}'
    elif made < job.shards:
      return (
        f'{task}: {made} of {job.shards} shards are made; whoever makes the '
        'last one completes the cache'
      )
    else:
      said = _complete(job)
    _remove(job)
  return said


def _complete(job: Job) -> str:
  told = [
    json.loads(job.path(number, '.json').read_text())
    for number in range(job.shards)
  ]
  counts = collections.Counter()
  for shard in told:
    counts.update(shard.pop('counts'))
  with files.write_folder(job.spec.folder) as folder:
    for number in range(job.shards):
      _link(job.path(number), folder)
    lengths = _merge_lengths(job, [t['examples'] for t in told], folder)
    content = hashlib.blake2b(digest_size=16)
    for shard in told:
      content.update(bytes.fromhex(shard['content']))
    manifest = {
      'spec': dataclasses.asdict(job.spec),
      'sources': job.sources,
      'examples': len(lengths),
      'tokens': int(lengths.sum(dtype=np.int64)),
      'dropped': {reason: counts[reason] for reason in _REASONS},
      'mined': _mined(job, counts['mined']),
      'contamination': job.contamination,
      'shards': told,
      'content': content.hexdigest(),
      'lengths_content': _content(lengths),
      'versions': versions(),
    }
    files.write_file(folder / 'manifest.json', json.dumps(manifest, indent=2))
  return _summary(manifest)


def _summary(manifest: dict) -> str:
  """Returns a line about a cache."""
  task, dropped = manifest['spec']['task'], manifest['dropped']
  reasons = ', '.join(f'{n:,} {reason}' for reason, n in dropped.items() if n)
  return (
    f'{task}: {manifest["examples"]:,} examples, {sum(dropped.values()):,} '
    f'dropped{f" ({reasons})" if reasons else ""}, '
    f'{manifest["tokens"]:,} tokens'
  )


def _mined(job: Job, found: int) -> dict[str, int] | None:
  if job.mined is None:
    return None
  lines = np.load(job.folder / 'mined.npy', mmap_mode='r').shape[1]
  return {'lines': lines, 'found': found}


def _link(path: pathlib.Path, folder: pathlib.Path) -> None:
  """Has a shard in two places, so that a kill between loses none."""
  try:
    os.link(path, folder / path.name)
  except OSError:  # a file system without links
    shutil.copyfile(path, folder / path.name)


def _merge_lengths(
  job: Job, examples: Sequence[int], folder: pathlib.Path
) -> np.ndarray:
  """Writes the lengths of all shards as one file, and returns it mapped."""
  parts = [
    np.load(job.path(number, '.npy'), mmap_mode='r')
    for number in range(job.shards)
  ]
  merged = np.lib.format.open_memmap(
    folder / 'lengths.npy',
    mode='w+',
    dtype=np.int32,
    shape=(sum(examples), max(part.shape[1] for part in parts)),
  )
  start = 0
  for part in parts:
    merged[start : start + len(part), : part.shape[1]] = part
    start += len(part)
  merged.flush()
  return merged


def _content(lengths: np.ndarray) -> str:
  content = hashlib.blake2b(digest_size=16)
  for start in range(0, len(lengths), _ROWS):
    content.update(lengths[start : start + _ROWS].tobytes())
  return content.hexdigest()


def _remove(job: Job) -> None:
  """Removes a job that is done, with those of other recipes for its cache."""
  # First what makes it a job: whoever waits for a shard sees that it is done.
  with contextlib.suppress(FileNotFoundError):
    (job.folder / 'job.json').unlink()
  name = job.spec.folder.name
  for left in ('partial', 'tmp'):  # the last by a killed process
    for folder in job.folder.parent.glob(f'.{name}.*.{left}'):
      shutil.rmtree(folder, ignore_errors=True)
