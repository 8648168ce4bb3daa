"""A task's tokenised examples on disk, addressed by number; no TensorFlow.

A folder <data folder>/cache/<task>/<fingerprint> holds

  records.array_record   one record an example: ids, texts' hashes, its name
  lengths.npy            int32 [n, 3]: tokens of query, positive and the
                         longest hard negative
  manifest.json          what it was made from, how many, checksums

The fingerprint is that of `CacheSpec`, so that another prompt or tokenizer
has another folder; the manifest repeats the spec, and opening compares them.
"""

import dataclasses
import hashlib
import json
import pathlib
import struct
from collections.abc import Sequence

import numpy as np
from array_record.python import array_record_data_source
from jaxtyping import Int32, Int64

from gemb.data.archives import data_dir
from gemb.data.config import DataConfig
from gemb.data.tokenizer import TokenIds, Tokenizer

FORMAT = 1  # raised whenever the bytes of a record change meaning


@dataclasses.dataclass(frozen=True, kw_only=True)
class CacheSpec:
  """Everything that decides what a task's records are.

  Attributes:
    task: name of the seqio Task.
    query_template: of its prompt.
    passage_template: of its prompt.
    tokenizer_sha256: of the SentencePiece model.
    held_out: tasks whose texts were left out.
    format: of the records.
  """

  task: str
  query_template: str
  passage_template: str
  tokenizer_sha256: str
  held_out: tuple[str, ...]
  format: int = FORMAT

  @property
  def folder(self) -> pathlib.Path:
    """Where these records lie, or will."""
    text = json.dumps(dataclasses.asdict(self), sort_keys=True)
    fingerprint = hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
    return data_dir() / 'cache' / self.task / fingerprint


def make_spec(config: DataConfig, task: str, tokenizer: Tokenizer) -> CacheSpec:
  """Returns the spec of one of the run's training tasks."""
  prompt = config.prompt(task)
  return CacheSpec(
    task=task,
    query_template=prompt.query,
    passage_template=prompt.passage,
    tokenizer_sha256=tokenizer.sha256,
    held_out=tuple(sorted(config.held_out)),
  )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
  """One tokenised example.

  Attributes:
    name: of the example within its task, readable.
    query: token ids, <bos> text <eos>.
    positive: the same for its positive.
    negatives: and for its hard negatives, none or more.
    query_id: 64-bit hash of the query's text before the prompt.
    positive_id: the same of the positive's.
  """

  name: str
  query: TokenIds
  positive: TokenIds
  negatives: Sequence[TokenIds]
  query_id: int
  positive_id: int

  def to_bytes(self) -> bytes:
    """Packs: counts, hashes, ids of all texts, the name; little-endian."""
    texts = (self.query, self.positive, *self.negatives)
    lengths = [len(text) for text in texts]
    head = struct.pack(
      f'<QQI{len(texts)}I',
      self.query_id,
      self.positive_id,
      len(texts),
      *lengths,
    )
    ids = np.concatenate([np.asarray(text, np.uint32) for text in texts])
    return head + ids.tobytes() + self.name.encode()

  @classmethod
  def from_bytes(cls, data: bytes) -> 'Record':
    """Reverses `to_bytes`."""
    query_id, positive_id, count = struct.unpack_from('<QQI', data)
    offset = 20 + 4 * count
    lengths = struct.unpack_from(f'<{count}I', data, 20)
    ids = np.frombuffer(data, '<u4', sum(lengths), offset)
    texts = np.split(ids.astype(np.int32), np.cumsum(lengths)[:-1])
    return cls(
      name=data[offset + 4 * len(ids) :].decode(),
      query=texts[0],
      positive=texts[1],
      negatives=texts[2:],
      query_id=query_id,
      positive_id=positive_id,
    )


class Records:
  """An opened cache of one task; safe to read from several threads.

  Attributes:
    spec: what it was made from.
    manifest: counts, checksums and versions, as written.
    lengths: int32 [n, 3], of query, positive and longest hard negative.
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
    path = spec.folder / 'records.array_record'
    if path.stat().st_size != self.manifest['bytes']:
      raise _damaged(
        path,
        f'it has {path.stat().st_size} bytes, and its manifest says '
        f'{self.manifest["bytes"]}',
      )
    self.lengths = _load_lengths(spec, self.manifest['examples'])
    self._source = array_record_data_source.ArrayRecordDataSource(str(path))

  def __len__(self) -> int:
    """Returns the number of examples."""
    return len(self.lengths)

  def read(self, indices: Int64[np.ndarray, 'n']) -> list[Record]:
    """Returns examples by number, in the order asked for."""
    data = self._source.__getitems__(indices.tolist())
    return [Record.from_bytes(item) for item in data]


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


def _load_lengths(spec: CacheSpec, examples: int) -> Int32[np.ndarray, 'n 3']:
  path = spec.folder / 'lengths.npy'
  try:
    lengths = np.load(path, mmap_mode='r')
  except (ValueError, EOFError) as error:
    raise _damaged(path, str(error)) from error
  if lengths.shape != (examples, 3):
    raise _damaged(path, f'it is of shape {lengths.shape}, not {examples, 3}')
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
