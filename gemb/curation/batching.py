"""Requests of a language model, put together in calls of few shapes.

The shape that a request is computed in is its own, and calls of a shape always
have as many rows: no answer depends, by so much as a rounding, on what else is
asked.
"""

import collections
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int32, UInt32

from gemb.types import PAD


class Request(NamedTuple):
  """What a call answers in one of its rows.

  Attributes:
    tokens: of the row.
    number: where its text starts, or its seed; 0 where there is neither.
  """

  tokens: tuple[int, ...]
  number: int = 0


class Call(NamedTuple):
  """Requests of one shape, padded to it.

  Attributes:
    tokens: right-padded rows.
    numbers: of the requests.
    used: rows that are requests; those behind them are of padding alone.
  """

  tokens: Int32[np.ndarray, 'T L']
  numbers: UInt32[np.ndarray, 'T']
  used: int


def answer(
  requests: Sequence[Request],
  shape: Callable[[Request], tuple[int, ...]],
  rows: Callable[[int], int],
  compute: Callable[..., Iterable[Any]],
) -> list[Any]:
  """Returns the answer to each request, in order; equal ones are asked once.

  Args:
    requests: of any shapes.
    shape: of a request: its padded length, and what else is compiled.
    rows: padded length -> rows of a call.
    compute: (call, the rest of its shape) -> an answer a row.
  """
  groups = collections.defaultdict(list)
  for request in dict.fromkeys(requests):
    groups[shape(request)].append(request)
  answers = {}
  # The longest first: where memory is too small, it shows at once.
  for (length, *rest), group in sorted(groups.items(), reverse=True):
    count = rows(length)
    for start in range(0, len(group), count):
      part = group[start : start + count]
      results = compute(_pad(part, count, length), *rest)
      answers.update(zip(part, results, strict=False))
  return [answers[request] for request in requests]


def drop_middle(ids: Sequence[int], most: int) -> tuple[int, ...]:
  """Returns ids, of which the middle ones are dropped if there are too many.

  >>> drop_middle([2, 5, 6, 7, 8, 9], 4)
  (2, 5, 8, 9)
  """
  dropped = max(0, len(ids) - most)
  start = most // 2
  return (*ids[:start], *ids[start + dropped :]) if dropped else tuple(ids)


def shared_beginning(rows: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
  """Returns what all rows begin with, which leaves something of each.

  >>> shared_beginning([(2, 5, 6, 7), (2, 5, 8)])
  (2, 5)
  >>> shared_beginning([(2, 5), (2, 5)])
  (2,)
  """
  if not rows:
    return ()
  # What the first and the last in order have in common, all have.
  first, last = min(rows), max(rows)
  most = min(map(len, rows)) - 1
  same = (i for i in range(most) if first[i] != last[i])
  return first[: next(same, most)]


def _pad(requests: Sequence[Request], rows: int, length: int) -> Call:
  tokens = np.full((rows, length), PAD, np.int32)
  # A row of padding is computed like the others: its text starts at 1.
  numbers = np.ones(rows, np.uint32)
  for row, request in enumerate(requests):
    tokens[row, : len(request.tokens)] = request.tokens
    numbers[row] = request.number
  return Call(tokens, numbers, len(requests))
