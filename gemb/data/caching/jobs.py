"""What is to be done for one cache, on disk, so that any process can help.

A job is a folder `.<fingerprint>.<recipe>.partial` beside the cache that it
becomes. It holds

  job.json        the spec, and which bytes of the task's texts each shard takes
  held_out.npy    hashes of texts and of ids: examples that have one are
  overlaps.npy    dropped
  filtered.npy
  mined.npy       where the lines of mined hard negatives are
  shard-*         the finished shards, each with its lengths and counts

The name depends on all that decides the records, so what a killed process has
finished is taken up again, and never by another recipe. The file system has to
know flock, and to rename at once what lies in one folder.
"""

import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import os
import pathlib
import platform
import shutil
from typing import Any

import numpy as np
import sentencepiece
from jaxtyping import UInt64

import gemb
from gemb import files
from gemb.data import examples, locks
from gemb.data.archives import data_dir
from gemb.data.caching import mined, side_files
from gemb.data.config import DataConfig
from gemb.data.contamination import load_contaminated
from gemb.data.records import read_manifest, shard_name, text_id
from gemb.data.specs import CacheSpec
from gemb.data.tokenizer import Tokenizer

EXAMPLES = 32_768  # of a shard, before any are dropped
_FORMAT = 2  # raised whenever there have to be other files in a job


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
  """A cache to be made.

  Attributes:
    folder: of the job.
    spec: of the cache.
    tokenizer: path of the model, from the data folder.
    mined: path of the mined hard negatives; None: there are none.
    sources: {task: what its texts were read from}, of all that decide.
    contamination: a summary of what `gemb decontaminate` found, or None.
    starts: the byte of the texts at which each shard begins, and the end.
  """

  folder: pathlib.Path
  spec: CacheSpec
  tokenizer: str
  mined: str | None
  sources: dict[str, str | None]
  contamination: dict | None
  starts: tuple[int, ...]

  @property
  def shards(self) -> int:
    """The number of shards."""
    return len(self.starts) - 1

  def path(self, number: int, suffix: str = '') -> pathlib.Path:
    """Returns where a shard, or what is told about it, will lie."""
    path = self.folder / shard_name(number, self.shards)
    return path.with_suffix(suffix) if suffix else path

  def is_made(self, number: int) -> bool:
    """Whether a shard is finished: its counts are written last."""
    return self.path(number, '.json').is_file()


def versions() -> dict[str, str]:
  """Returns the versions of what makes records."""
  return {
    'gemb': gemb.__version__,
    'sentencepiece': sentencepiece.__version__,
    'array_record': importlib.metadata.version('array_record'),
    'python': platform.python_version(),
  }


def prepare_job(
  config: DataConfig, spec: CacheSpec, tokenizer: Tokenizer
) -> Job | None:
  """Returns the job of a cache, begun or taken up; None if it is made.

  A cache that was made from an older source is removed.

  Raises:
    OSError: if a file that decides the records cannot be read.
    ValueError: if one is not what it should be.
  """
  spec.folder.parent.mkdir(parents=True, exist_ok=True)
  with locks.hold(lock_path(spec)):
    if is_current(spec):
      return None
    folder = spec.folder.with_name(
      f'.{spec.folder.name}.{_recipe(spec)}.partial'
    )
    if not (folder / 'job.json').is_file():
      _begin(folder, config, spec, tokenizer)
    return read_job(folder)


def read_job(folder: pathlib.Path) -> Job:
  """Returns the job of a folder.

  Raises:
    FileNotFoundError: if it is none, or is done.
  """
  values = json.loads((folder / 'job.json').read_text())
  spec = values['spec']
  values['spec'] = CacheSpec(**spec | {'held_out': tuple(spec['held_out'])})
  values['starts'] = tuple(values['starts'])
  return Job(folder=folder, **values)


def read_jobs() -> list[Job]:
  """Returns all jobs that are not done."""
  found = sorted((data_dir() / 'cache').glob('*/.*.partial/job.json'))
  return [read_job(path.parent) for path in found]


def lock_path(spec: CacheSpec) -> pathlib.Path:
  """Returns the lock under which a job is begun and completed."""
  return spec.folder.with_name(f'.{spec.folder.name}.lock')


def is_current(spec: CacheSpec) -> bool:
  """Whether a cache is made, and from the texts that lie there now.

  Call it under the cache's lock: one that is outdated is removed.
  """
  try:
    manifest = read_manifest(spec)
  except FileNotFoundError:
    return False
  if manifest['sources'] == sources(spec):
    return True
  made_from = ', '.join(map(str, manifest['sources'].values()))
  print(f'{spec.task}: the cache of {made_from} is outdated and made anew')
  shutil.rmtree(spec.folder)
  return False


def sources(spec: CacheSpec) -> dict[str, str | None]:
  """Returns what decides the records, beside the spec: texts to drop too."""
  return {
    task: examples.texts_source(task) for task in (spec.task, *spec.held_out)
  }


def save_array(path: pathlib.Path, array: np.ndarray) -> None:
  """Writes a `.npy` whole or not at all."""
  with files.write_path(path) as temporary, temporary.open('wb') as file:
    np.save(file, array)


def _recipe(spec: CacheSpec) -> str:
  """Returns a fingerprint of what decides a shard beside the spec."""
  sizes = {
    task: examples.texts_path(task).stat().st_size for task in sources(spec)
  }
  made_by = versions()
  libraries = made_by['sentencepiece'], made_by['array_record']
  text = json.dumps([sources(spec), sizes, *libraries, EXAMPLES, _FORMAT])
  return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def _begin(
  folder: pathlib.Path,
  config: DataConfig,
  spec: CacheSpec,
  tokenizer: Tokenizer,
) -> None:
  side_file = config.mined_negatives.get(spec.task)
  contaminated = None
  if config.contaminated is not None:
    contaminated = load_contaminated(pathlib.Path(config.contaminated))
  held_out = _held_out(spec.held_out, json.dumps(sources(spec)))
  ids = contaminated.ids(spec.task) if contaminated else ()
  filtered = _filtered(config, spec.task)
  lines = None if side_file is None else _mined(spec.task, side_file)
  folder.mkdir(parents=True, exist_ok=True)
  save_array(folder / 'held_out.npy', held_out)
  save_array(folder / 'overlaps.npy', _hashes(map(text_id, ids)))
  save_array(folder / 'filtered.npy', filtered)
  if lines is not None:
    save_array(folder / 'mined.npy', lines)
  job = {
    'spec': dataclasses.asdict(spec),
    'tokenizer': _from_data_folder(tokenizer.path),
    'mined': side_file and _from_data_folder(pathlib.Path(side_file)),
    'sources': sources(spec),
    'contamination': contaminated and contaminated.summary(spec.task),
    'starts': _starts(spec.task),
  }
  # Last: without it there is no job.
  files.write_file(folder / 'job.json', json.dumps(job))


def _mined(task: str, path: str) -> UInt64[np.ndarray, '3 n']:
  """Returns where the lines of a task's mined hard negatives are."""
  lines = mined.index_lines(pathlib.Path(path))
  side_files.check_task(pathlib.Path(path), lines, task)
  return lines


def _filtered(config: DataConfig, task: str) -> UInt64[np.ndarray, 'n']:
  """Returns the hashes of the ids that are dropped by name, ascending."""
  if task not in config.filtered:
    return np.zeros(0, np.uint64)

  def check(values: dict[str, Any]) -> None:
    if 'negatives' in values:
      raise ValueError('it has "negatives": it is of an example that is kept')

  path = pathlib.Path(config.filtered[task])
  lines = side_files.index_lines(path, check, '{"id": "a/1"}')
  side_files.check_task(path, lines, task)
  return lines[0]


# The same for all tasks of a run, as long as the texts are.
@functools.lru_cache(maxsize=1)
def _held_out(tasks: tuple[str, ...], sources: str) -> UInt64[np.ndarray, 'n']:
  """Returns the hashes of all texts that no example may have, ascending."""
  del sources  # only tells whether what was read before still holds
  return _hashes(
    text_id(examples.normalise(text))
    for task in tasks
    for example in examples.read_texts(task)
    for text in (example.query, example.positive)
  )


def _hashes(hashes) -> UInt64[np.ndarray, 'n']:
  return np.unique(np.fromiter(hashes, np.uint64))


def _starts(task: str) -> list[int]:
  """Returns the bytes at which the shards of a task's texts begin, and end."""
  with examples.texts_path(task).open('rb') as file:
    position, starts = len(file.readline()), []
    for number, line in enumerate(file):
      if number % EXAMPLES == 0:
        starts.append(position)
      position += len(line)
  return [*(starts or [position]), position]


def _from_data_folder(path: pathlib.Path) -> str:
  """Returns a path that holds wherever a machine has the data folder."""
  path, folder = path.resolve(), data_dir().resolve()
  inside = path.is_relative_to(folder)
  return os.fspath(path.relative_to(folder) if inside else path)
