"""Several texts in one row: where each goes, and how many rows there are.

Arithmetic on lengths alone, so that every host finds the same.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, Int64


@dataclasses.dataclass(frozen=True, kw_only=True)
class Packing:
  """Where texts lie in rows of one length.

  Attributes:
    row: of each text; -1 for a text without tokens.
    offset: in its row, in tokens.
    slot: which text of its row it is, from 0.
    rows: how many there are.
  """

  row: Int64[np.ndarray, 'T']
  offset: Int64[np.ndarray, 'T']
  slot: Int64[np.ndarray, 'T']
  rows: int


def slots(row_length: int) -> int:
  """Returns S, the most texts in a row.

  A text has a beginning, an end and mostly two tokens or more between.
  """
  return max(1, row_length // 4)


def pack(lengths: Int[np.ndarray, 'T'], row_length: int) -> Packing:
  """Puts texts into rows, the longest first, each where it fits most tightly.

  Best-fit decreasing (Johnson et al., "Worst-case performance bounds for simple
  one-dimensional packing algorithms", 1974): at most 11/9 of the fewest rows,
  and within a percent or two where texts are short.

  Args:
    lengths: tokens of each text, at most `row_length`; 0: there is no text.
    row_length: tokens of a row.

  Example:
    >>> packing = pack(np.array([3, 5, 2, 0]), row_length=8)
    >>> packing.rows, packing.row.tolist(), packing.offset.tolist()
    (2, [0, 0, 1, -1], [5, 0, 0, 0])
  """
  row = np.full(len(lengths), -1)
  offset, slot = np.zeros((2, len(lengths)), np.int64)
  most = slots(row_length)
  used: list[int] = []  # texts in each row
  rows_by_space: list[list[int]] = [[] for _ in range(row_length + 1)]
  spaces = 0  # bit s is set where a row has s tokens left
  order = np.argsort(-lengths, kind='stable').tolist()
  for text in order:
    length = int(lengths[text])
    if not length:
      break
    enough = spaces >> length
    if enough:
      space = length + (enough & -enough).bit_length() - 1
      place = rows_by_space[space].pop()
      if not rows_by_space[space]:
        spaces ^= 1 << space
    else:
      space, place = row_length, len(used)
      used.append(0)
    row[text], offset[text], slot[text] = place, row_length - space, used[place]
    used[place] += 1
    space -= length
    if space and used[place] < most:
      rows_by_space[space].append(place)
      spaces |= 1 << space
  return Packing(row=row, offset=offset, slot=slot, rows=len(used))


def round_up(rows: int, at_once: int) -> int:
  """Returns the next number of rows that is encoded in equal parts.

  Args:
    rows: at least so many.
    at_once: most rows of a part.

  Example:
    >>> round_up(7, 8), round_up(9, 8), round_up(17, 8)
    (7, 10, 18)
  """
  parts = -(-rows // at_once)
  return -(-rows // parts) * parts


def choose_rungs(
  rows: Sequence[int], weights: Sequence[float], most: int
) -> tuple[int, ...]:
  """Returns the numbers of rows that waste the fewest when rounded up to.

  Exact, by dynamic programming over the distinct numbers.

  Args:
    rows: how many rows batches were seen to need.
    weights: how often each.
    most: how many to choose.

  Example:
    >>> choose_rungs([10, 11, 30, 31, 90], [1.0] * 5, most=3)
    (11, 31, 90)
  """
  values, inverse = np.unique(np.asarray(rows), return_inverse=True)
  weight = np.bincount(inverse, weights=np.asarray(weights, np.float64))
  below = np.concatenate([[0.0], np.cumsum(weight)])
  total = np.concatenate([[0.0], np.cumsum(weight * values)])
  n = len(values)
  # waste[i, j]: values i to j are rounded up to value j.
  j = np.arange(n)
  waste = values * (below[j + 1] - below[:n, None]) - (
    total[j + 1] - total[:n, None]
  )
  waste[j[:, None] > j] = np.inf
  best, cuts = waste[0], []
  for _ in range(min(most, n) - 1):
    # The last rung takes values i to j, the others all before i.
    whole = np.concatenate([[0.0], best[:-1]])[:, None] + waste
    cuts.append(whole.argmin(axis=0))
    best = whole.min(axis=0)
  last, rungs = n - 1, []
  for cut in reversed(cuts):
    rungs.append(int(values[last]))
    last = int(cut[last]) - 1
    if last < 0:
      return tuple(reversed(rungs))
  return (int(values[last]), *reversed(rungs))
