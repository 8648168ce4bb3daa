"""Vectors on disk that are made block by block, and survive a kill.

NAME.npy is one float32 array; NAME.json, which is written first, tells what it
was made from. While it grows it is called NAME.npy.part.
"""

import json
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float32

from gemb import files

_HEADER = {'descr': '<f4', 'fortran_order': False}

Blocks = Callable[[int], Iterable[Float32[np.ndarray, 'b M']]]


def make_vectors(
  path: pathlib.Path,
  about: Mapping[str, Any],
  shape: tuple[int, int],
  blocks: Blocks,
) -> Float32[np.ndarray, 'n M']:
  """Makes vectors, or the rest of them; returns them mapped from their file.

  What was made from something else is made anew.

  Args:
    path: of the file, NAME.npy.
    about: what they are made from, as JSON.
    shape: [n, M].
    blocks: the number of the first vector that is wanted -> it and all after
      it, in blocks of which each is on disk before the next is asked for.

  Raises:
    OSError: if a file cannot be written.
    ValueError: if there come more or fewer vectors.
  """
  part = path.with_name(f'{path.name}.part')
  _begin(path, part, {**about, 'shape': list(shape)})
  if not path.is_file():
    with part.open('r+b') as file:
      np.lib.format.write_array_header_1_0(file, _HEADER | {'shape': shape})
      start, row = file.tell(), 4 * shape[1]
      made = max(0, part.stat().st_size - start) // row
      file.seek(start + made * row)
      file.truncate()
      for block in blocks(made):
        file.write(block.astype('<f4').tobytes())
        file.flush()
        os.fsync(file.fileno())
        made += len(block)
    if made != shape[0]:
      raise ValueError(
        f'{part} was to get {shape[0]} vectors, and got {made}; delete it and '
        'run the same command again.'
      )
    os.replace(part, path)
  return np.load(path, mmap_mode='r')


def _begin(
  path: pathlib.Path, part: pathlib.Path, about: Mapping[str, Any]
) -> None:
  """Removes what was made from something else; has the part's file be there."""
  told = path.with_suffix('.json')
  content = json.dumps(about, indent=2, ensure_ascii=False) + '\n'
  if not told.is_file() or told.read_text(encoding='utf-8') != content:
    path.unlink(missing_ok=True)
    part.unlink(missing_ok=True)
    files.write_file(told, content)
  if not path.is_file():
    part.touch()
