"""A task's tokenised examples on disk, addressed by number; no TensorFlow.

A folder <data folder>/cache/<task>/<fingerprint> holds

  shard-00000-of-00003.array_record  some of the records, one an example
  lengths.npy                        int32 [n, 2 + K]: tokens of query, positive
                                     and each of the K hard negatives that an
                                     example of the task has at most
  manifest.json                      what it was made from, how many, checksums

The fingerprint is that of `CacheSpec`, so that another prompt or tokenizer
has another folder; the manifest repeats the spec, and opening compares them.

A record is a row of little-endian 32-bit words, so that those of a whole batch
are taken apart at once, as arrays:

  2 + 2 words of hashes | count of texts | tokens of each text | ids | name
"""

import dataclasses
import functools
import hashlib
import json
import pathlib
from collections.abc import Sequence

import numpy as np
from array_record.python import array_record_module
from jaxtyping import Int32, Int64, UInt32

from gemb.data.specs import CacheSpec
from gemb.data.tokenizer import TokenIds

# One record a group: they are read at random. Compressed they would take less
# room by a sixth, and more than twice the time.
WRITER_OPTIONS = 'group_size:1,uncompressed'
_READER_OPTIONS = 'readahead_buffer_size:0'  # no record is beside the next

_OPEN = 256  # shards of a task at once
_HEAD = 5  # words before the texts' lengths


def shard_name(number: int, count: int) -> str:
  """Returns the name of a shard's file.

  >>> shard_name(2, 16)
  'shard-00002-of-00016.array_record'
  """
  return f'shard-{number:05}-of-{count:05}.array_record'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
  """One tokenised example.

  Attributes:
    name: of the example within its task, readable.
    query: token ids, <bos> text <eos>.
    positive: the same for its positive.
    negatives: and for its hard negatives, none or more.
    query_id: 64-bit hash of the query's text before the prompt.
    positive_id: the same of the positive's, or of the class that it stands for.
  """

  name: str
  query: TokenIds
  positive: TokenIds
  negatives: Sequence[TokenIds]
  query_id: int
  positive_id: int

  def to_bytes(self) -> bytes:
    """Packs into words, as the module's docstring says."""
    texts = (self.query, self.positive, *self.negatives)
    hashes = np.array([self.query_id, self.positive_id], '<u8')
    name = self.name.encode()
    return b''.join(
      (
        hashes.tobytes(),
        np.array([len(texts), *map(len, texts)], '<u4').tobytes(),
        *(np.asarray(text, '<u4').tobytes() for text in texts),
        name + bytes(-len(name) % 4),
      )
    )

  @classmethod
  def from_bytes(cls, data: bytes) -> 'Record':
    """Reverses `to_bytes`."""
    query_id, positive_id = np.frombuffer(data, '<u8', 2).tolist()
    words = np.frombuffer(data, '<u4')
    start = _HEAD + int(words[_HEAD - 1])
    ends = start + np.cumsum(words[_HEAD:start])
    texts = np.split(
      words[start : ends[-1]].astype(np.int32), ends[:-1] - start
    )
    return cls(
      name=words[ends[-1] :].tobytes().rstrip(b'\0').decode(),
      query=texts[0],
      positive=texts[1],
      negatives=texts[2:],
      query_id=query_id,
      positive_id=positive_id,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Columns:
  """Some examples as arrays, for a loader that makes batches of them.

  Attributes:
    words: the records one after another.
    start: where in `words` each text begins: query, positive, R hard negatives.
    length: its tokens; 0 where an example has no such hard negative.
    query_id: the hashes as two words, the lower first.
    positive_id: the same.
  """

  words: UInt32[np.ndarray, 'words']
  start: Int64[np.ndarray, 'n I']
  length: Int64[np.ndarray, 'n I']
  query_id: UInt32[np.ndarray, 'n 2']
  positive_id: UInt32[np.ndarray, 'n 2']


def concatenate(
  parts: Sequence[Columns], order: Int64[np.ndarray, 'n']
) -> Columns:
  """Returns the examples of all parts, taken in an order."""
  offsets = np.cumsum([0, *(len(part.words) for part in parts)])
  starts = [p.start + offset for p, offset in zip(parts, offsets, strict=False)]
  return Columns(
    words=np.concatenate([part.words for part in parts]),
    start=np.concatenate(starts)[order],
    length=np.concatenate([part.length for part in parts])[order],
    query_id=np.concatenate([part.query_id for part in parts])[order],
    positive_id=np.concatenate([part.positive_id for part in parts])[order],
  )


class Records:
  """An opened cache of one task; safe to read from several threads.

  Attributes:
    spec: what it was made from.
    manifest: counts, checksums and versions, as written.
    lengths: int32 [n, 2 + K], of query, positive and each hard negative.
  """

  def __init__(self, spec: CacheSpec):
    """Opens the records of a spec.

    Raises:
      FileNotFoundError: if they have not been made.
      ValueError: if what lies there was made from something else, or is
        damaged.
    """
    self.spec = spec
    self.manifest = read_manifest(spec)
    shards = self.manifest['shards']
    self._paths = [spec.folder / shard['file'] for shard in shards]
    for path, shard in zip(self._paths, shards, strict=True):
      size = path.stat().st_size if path.is_file() else 0
      if size != shard['bytes']:
        raise _damaged(
          path, f'it has {size} bytes, and its manifest says {shard["bytes"]}'
        )
    self.lengths = _load_lengths(spec, self.manifest['examples'])
    self._starts = np.cumsum([0, *(shard['examples'] for shard in shards)])
    self._reader = functools.lru_cache(maxsize=_OPEN)(self._open)

  def __len__(self) -> int:
    """Returns the number of examples."""
    return len(self.lengths)

  def read(self, indices: Int64[np.ndarray, 'n']) -> list[Record]:
    """Returns examples by number, in the order asked for."""
    return [Record.from_bytes(item) for item in self._items(indices)]

  def columns(self, indices: Int64[np.ndarray, 'n'], negatives: int) -> Columns:
    """Returns examples by number as arrays, with so many hard negatives."""
    items = self._items(indices)
    words = np.frombuffer(b''.join(items), '<u4').astype(np.uint32, copy=False)
    sizes = np.fromiter(map(len, items), np.int64, len(items)) // 4
    first = np.cumsum(sizes) - sizes
    head = words[first[:, None] + np.arange(_HEAD)]
    count = head[:, _HEAD - 1 :].astype(np.int64)
    text = np.arange(2 + negatives)
    # Where an example has fewer texts, any word is read and not taken.
    place = first[:, None] + _HEAD + np.minimum(text, count - 1)
    length = np.where(text < count, words[place], 0).astype(np.int64)
    start = first[:, None] + _HEAD + count + np.cumsum(length, axis=1) - length
    return Columns(
      words=words,
      start=start,
      length=length,
      query_id=head[:, :2],
      positive_id=head[:, 2:4],
    )

  def _open(self, number: int) -> array_record_module.ArrayRecordReader:
    # Not through the library's data source, which starts threads for each call:
    # it takes twice the time. Readers have threads of their own.
    return array_record_module.ArrayRecordReader(
      str(self._paths[number]), options=_READER_OPTIONS
    )

  def _items(self, indices: Int64[np.ndarray, 'n']) -> list[bytes]:
    shard = np.searchsorted(self._starts, indices, side='right') - 1
    items = [b''] * len(indices)
    for number in np.unique(shard):
      here = np.flatnonzero(shard == number)
      positions = indices[here] - self._starts[number]
      read = self._reader(int(number)).read(positions.tolist())
      for place, item in zip(here.tolist(), read, strict=True):
        items[place] = item
    return items


def read_manifest(spec: CacheSpec) -> dict:
  """Returns the manifest of a spec's records.

  Raises:
    FileNotFoundError: if they have not been made.
    ValueError: if what lies there was made from something else.
  """
  path = spec.folder / 'manifest.json'
  if not path.is_file():
    raise FileNotFoundError(
      f'Task {spec.task!r} has no cache for this prompt and tokenizer at '
      f'{spec.folder}; run `gemb cache` with the same --gin_file.'
    )
  try:
    manifest = json.loads(path.read_text())
  except json.JSONDecodeError as error:
    raise _damaged(path, str(error)) from error
  wanted = json.loads(json.dumps(dataclasses.asdict(spec)))
  if differences := [
    f'{key} is {manifest["spec"].get(key)!r}, wanted {value!r}'
    for key, value in wanted.items()
    if manifest['spec'].get(key) != value
  ]:
    raise ValueError(
      f'The cache at {spec.folder} was made with another configuration: '
      f'{"; ".join(differences)}. Delete that folder and run `gemb cache`.'
    )
  return manifest


def _load_lengths(spec: CacheSpec, examples: int) -> Int32[np.ndarray, 'n _']:
  path = spec.folder / 'lengths.npy'
  try:
    lengths = np.load(path, mmap_mode='r')
  except (ValueError, EOFError) as error:
    raise _damaged(path, str(error)) from error
  if lengths.ndim != 2 or len(lengths) != examples or lengths.shape[1] < 2:
    raise _damaged(
      path, f'it is of shape {lengths.shape}, not ({examples}, 2 and more)'
    )
  return lengths


def _damaged(path: pathlib.Path, problem: str) -> ValueError:
  return ValueError(
    f'{path} is damaged ({problem}). Delete {path.parent} and run `gemb cache` '
    'again.'
  )


def text_id(text: str) -> int:
  """Returns the 64-bit hash by which texts are recognised as the same."""
  digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
  return int.from_bytes(digest, 'little')


def answer_id(positive: str, label: str) -> int:
  """Returns the hash by which answers to a query are recognised as the same.

  Where there is a label, all texts of that class are one answer.
  """
  return text_id(f'label/{label}' if label else positive)
