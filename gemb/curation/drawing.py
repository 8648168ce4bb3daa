"""Which examples of a task a language model reads, where it reads not all."""

import dataclasses
import pathlib

import numpy as np

from gemb.curation import journal
from gemb.data.records import text_id


@dataclasses.dataclass(frozen=True, kw_only=True)
class Draw:
  """The examples whose ids have the lowest hashes.

  They do not depend on the order of a file, and a larger draw has those of a
  smaller one, whose answers may be cached.

  Attributes:
    seed: of the hashes.
    limit: the greatest hash that is drawn.
    count: of those that are drawn.
    total: of all.
  """

  seed: int
  limit: int
  count: int
  total: int

  def __contains__(self, name: str) -> bool:
    """Whether the example of this id is drawn."""
    return _hash(name, self.seed) <= self.limit


def draw(path: pathlib.Path, most: int | None, seed: int) -> Draw:
  """Draws examples of a file, whose ids must differ.

  Args:
    path: of a file of curation; 8 bytes of memory for each of its rows.
    most: that are drawn; None: all.
    seed: another one draws others.
  """
  names = (row['id'] for row in journal.read_rows(path))
  hashes = np.fromiter((_hash(name, seed) for name in names), np.uint64)
  lowest = np.sort(hashes)[:most]
  return Draw(
    seed=seed,
    limit=int(lowest[-1]) if lowest.size else -1,
    count=len(lowest),
    total=len(hashes),
  )


def _hash(name: str, seed: int) -> int:
  return text_id(f'{seed}/{name}')
