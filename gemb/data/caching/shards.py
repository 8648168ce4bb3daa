"""The work of one shard: some of a task's texts become records.

Whatever process does it, on whatever machine, makes the same bytes. It imports
neither TensorFlow nor JAX.
"""

import collections
import functools
import hashlib
import itertools
import json
import pathlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from array_record.python import array_record_module
from jaxtyping import Bool, Int32, UInt64

from gemb import files
from gemb.data import examples, locks
from gemb.data.archives import data_dir
from gemb.data.caching import mined
from gemb.data.caching.jobs import Job, read_job, save_array
from gemb.data.examples import Example
from gemb.data.records import WRITER_OPTIONS, Record, answer_id, text_id
from gemb.data.tokenizer import Tokenizer
from gemb.prompts import Prompt

_AT_ONCE = 128  # examples; long ones have some MB of ids


def make_shard(folder: pathlib.Path, number: int, *, wait: bool = True) -> bool:
  """Makes one shard of a job, if nobody has yet.

  Args:
    folder: of the job.
    number: of the shard.
    wait: for another process that is making the same one.

  Returns:
    Whether it is made; False if another process is at it.

  Raises:
    OSError: if it cannot be written.
    ValueError: if texts, tokenizer or mined hard negatives are damaged.
  """
  try:
    job, maker = _open(folder)
    with locks.hold(job.path(number, '.lock'), wait=wait) as held:
      # A job that is done is no more: somebody has completed it meanwhile.
      is_open = not job.is_made(number) and (folder / 'job.json').is_file()
      if held and is_open:
        _write(job, number, maker)
      return held
  except FileNotFoundError:
    if (folder / 'job.json').is_file():
      raise
    return True


class Maker:
  """Turns examples into the records of one cache."""

  def __init__(
    self,
    prompt: Prompt,
    tokenizer: Tokenizer,
    *,
    held_out: UInt64[np.ndarray, 'h'],
    overlaps: UInt64[np.ndarray, 'o'],
    filtered: UInt64[np.ndarray, 'f'],
    negatives: mined.MinedNegatives | None = None,
  ):
    """Takes all that decides a record.

    Args:
      prompt: of the task.
      tokenizer: of the run.
      held_out: ascending hashes of texts that no example may have.
      overlaps: ascending hashes of the ids of examples to drop, because they
        overlap with an evaluation set.
      filtered: the same of those that `gemb filter` drops.
      negatives: mined ones.
    """
    self._prompt = prompt
    self._tokenizer = tokenizer
    self._held_out = held_out
    self._overlaps = overlaps
    self._filtered = filtered
    self._negatives = negatives
    self.counts = collections.Counter()

  def records(self, stream: Iterable[Example]) -> Iterator[Record]:
    """Yields the records of those that are not dropped; counts the others."""
    stream = iter(stream)
    while chunk := list(itertools.islice(stream, _AT_ONCE)):
      kept = self._kept([self._with_mined(example) for example in chunk])
      yield from tokenise(kept, self._prompt, self._tokenizer)

  def _with_mined(self, example: Example) -> Example:
    if self._negatives is None:
      return example
    joined = self._negatives.add_to(example)
    self.counts['mined'] += joined is not example
    return joined

  def _kept(self, chunk: list[Example]) -> list[Example]:
    sides = [text for e in chunk for text in (e.query, e.positive)]
    hashes = [text_id(examples.normalise(text)) for text in sides]
    held_out = _is_in(hashes, self._held_out).reshape(-1, 2).any(axis=1)
    names = [text_id(example.id) for example in chunk]
    dropped = np.zeros(len(chunk), bool)
    for reason, found in (
      ('held out', held_out),
      ('contaminated', _is_in(names, self._overlaps)),
      ('filtered', _is_in(names, self._filtered)),
    ):
      self.counts[reason] += int((found & ~dropped).sum())
      dropped |= found
    return [e for e, drop in zip(chunk, dropped, strict=True) if not drop]


def tokenise(
  chunk: Sequence[Example], prompt: Prompt, tokenizer: Tokenizer
) -> list[Record]:
  """Returns the records of some examples."""
  texts = [prompt.dress_query(example.query) for example in chunk]
  texts += [
    prompt.dress_passage(text)
    for example in chunk
    for text in (example.positive, *example.negatives)
  ]
  # One thread: there are as many processes as cores.
  ids = tokenizer.encode(texts, threads=1)
  queries, passages = ids[: len(chunk)], iter(ids[len(chunk) :])
  return [
    Record(
      name=example.id,
      query=query,
      positive=next(passages),
      negatives=[next(passages) for _ in example.negatives],
      query_id=text_id(example.query),
      positive_id=answer_id(example.positive, example.label),
    )
    for example, query in zip(chunk, queries, strict=True)
  ]


@functools.lru_cache(maxsize=1)
def _open(folder: pathlib.Path) -> tuple[Job, Maker]:
  """Opens a job; a process has many shards of one before those of the next."""
  job = read_job(folder)
  tokenizer = Tokenizer(data_dir() / job.tokenizer)
  if tokenizer.sha256 != job.spec.tokenizer_sha256:
    raise ValueError(
      f'The tokenizer {tokenizer.path} has changed while the cache of '
      f'{job.spec.task!r} was made: its sha256 is {tokenizer.sha256[:12]}, '
      f'wanted {job.spec.tokenizer_sha256[:12]}. Run `gemb cache` again.'
    )
  negatives = None
  if job.mined is not None:
    lines = np.load(folder / 'mined.npy', mmap_mode='r')
    negatives = mined.MinedNegatives(data_dir() / job.mined, lines)
  return job, Maker(
    job.spec.prompt,
    tokenizer,
    held_out=np.load(folder / 'held_out.npy', mmap_mode='r'),
    overlaps=np.load(folder / 'overlaps.npy', mmap_mode='r'),
    filtered=np.load(folder / 'filtered.npy', mmap_mode='r'),
    negatives=negatives,
  )


def _write(job: Job, number: int, maker: Maker) -> None:
  """Writes a shard, its lengths and, last, its counts."""
  maker.counts.clear()
  start, stop = job.starts[number : number + 2]
  stream = examples.read_texts(job.spec.task, start, stop)
  content, rows = hashlib.blake2b(digest_size=16), []
  with files.write_path(job.path(number)) as path:
    writer = array_record_module.ArrayRecordWriter(str(path), WRITER_OPTIONS)
    for record in maker.records(stream):
      data = record.to_bytes()
      writer.write(data)
      content.update(data)
      texts = record.query, record.positive, *record.negatives
      rows.append([len(text) for text in texts])
    try:
      writer.close()
    except RuntimeError as error:  # it tells of a full disk only now
      raise OSError(
        f'The records of {job.spec.task!r} cannot be written ({error}). Free '
        'some space and run the same command again: finished shards are kept.'
      ) from error
    size = path.stat().st_size
  save_array(job.path(number, '.npy'), _table(rows))
  told = {
    'file': job.path(number).name,
    'examples': len(rows),
    'bytes': size,
    'content': content.hexdigest(),
    'counts': dict(maker.counts),
  }
  files.write_file(job.path(number, '.json'), json.dumps(told))


def _table(rows: list[list[int]]) -> Int32[np.ndarray, 'n k']:
  """Returns rows of unequal length as one array, 0 where they end."""
  table = np.zeros((len(rows), max(map(len, rows), default=2)), np.int32)
  for place, row in zip(table, rows, strict=True):
    place[: len(row)] = row
  return table


def _is_in(
  hashes: list[int], ascending: UInt64[np.ndarray, 'm']
) -> Bool[np.ndarray, 'n']:
  """Returns which of some hashes are among many."""
  if not len(ascending):
    return np.zeros(len(hashes), bool)
  asked = np.array(hashes, np.uint64)
  places = np.searchsorted(ascending, asked)
  return ascending[np.minimum(places, len(ascending) - 1)] == asked
