"""Safetensors files, written one tensor at a time.

The library's own writer wants all tensors of a file in memory at once. The
layout is that of https://huggingface.co/docs/safetensors: the length of a JSON
header, the header, and the bytes of each tensor, little-endian.
"""

import dataclasses
import json
import math
import pathlib
from collections.abc import Callable, Iterator, Sequence

import ml_dtypes
import numpy as np

_DTYPES = {
  'float32': ('F32', np.dtype('<f4')),
  'bfloat16': ('BF16', np.dtype(ml_dtypes.bfloat16)),
}
_MOST_BYTES = 4 << 30  # of tensors in a file
_ALIGNMENT = 8  # bytes; of the header's length


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tensor:
  """A tensor that can be had when its turn comes.

  Attributes:
    name: in the file.
    shape: known beforehand, for the header.
    read: returns it, of any floating dtype.
  """

  name: str
  shape: tuple[int, ...]
  read: Callable[[], np.ndarray]


def write_tensors(
  folder: pathlib.Path,
  tensors: Sequence[Tensor],
  dtype: str,
  *,
  most_bytes: int = _MOST_BYTES,
) -> None:
  """Writes model.safetensors, or its shards and model.safetensors.index.json.

  Args:
    folder: where to; it must be there.
    tensors: in the order of the file.
    dtype: 'float32' or 'bfloat16', of what is written.
    most_bytes: a file that would be larger is split between two tensors.

  Raises:
    ValueError: if a tensor has not the shape that was announced.
  """
  shards = list(_split(tensors, dtype, most_bytes))
  if len(shards) == 1:
    _write(folder / 'model.safetensors', tensors, dtype)
    return
  places = {}
  for number, shard in enumerate(shards, start=1):
    file = f'model-{number:05d}-of-{len(shards):05d}.safetensors'
    _write(folder / file, shard, dtype)
    places |= {tensor.name: file for tensor in shard}
  total = sum(_bytes(tensor, dtype) for tensor in tensors)
  index = {'metadata': {'total_size': total}, 'weight_map': places}
  (folder / 'model.safetensors.index.json').write_text(
    json.dumps(index, indent=2) + '\n', encoding='utf-8'
  )


def _split(
  tensors: Sequence[Tensor], dtype: str, most_bytes: int
) -> Iterator[list[Tensor]]:
  shard, size = [], 0
  for tensor in tensors:
    if shard and size + _bytes(tensor, dtype) > most_bytes:
      yield shard
      shard, size = [], 0
    shard.append(tensor)
    size += _bytes(tensor, dtype)
  yield shard


def _write(path: pathlib.Path, tensors: Sequence[Tensor], dtype: str) -> None:
  name, kind = _DTYPES[dtype]
  entries, end = {}, 0
  for tensor in tensors:
    start, end = end, end + _bytes(tensor, dtype)
    entries[tensor.name] = {
      'dtype': name,
      'shape': tensor.shape,
      'data_offsets': (start, end),
    }
  # transformers asks for the format, and knows no name for NumPy's.
  header = json.dumps({'__metadata__': {'format': 'pt'}, **entries}).encode()
  header += b' ' * (-len(header) % _ALIGNMENT)
  with path.open('wb') as file:
    file.write(len(header).to_bytes(8, 'little') + header)
    for tensor in tensors:
      values = tensor.read()
      if values.shape != tensor.shape:
        raise ValueError(
          f'{tensor.name} has the shape {list(values.shape)}, but '
          f'{list(tensor.shape)} was announced.'
        )
      # As bytes: NumPy has no buffer of bfloat16.
      ordered = np.ascontiguousarray(values, dtype=kind)
      file.write(ordered.reshape(-1).view(np.uint8).data)


def _bytes(tensor: Tensor, dtype: str) -> int:
  return math.prod(tensor.shape) * _DTYPES[dtype][1].itemsize
