"""Choosing by a hash: the same choice on any machine, in any order of work."""

import math
import zlib
from collections.abc import Iterator


def numbers(key: str, count: int) -> Iterator[int]:
  """Yields every number below `count` once, in an order that `key` decides.

  The order depends on `key` and `count` alone, so what one key chooses changes
  nothing for another. Neighbours in a sorted list are rarely chosen together:
  the numbers come in steps of a hashed size.

  Args:
    key: such as the id of the example that the choice is for.
    count: of the things to choose from; none for 0.

  >>> list(numbers('sensor:title:de', 5))
  [3, 4, 0, 1, 2]
  """
  if count < 1:
    return
  hashed = zlib.crc32(key.encode())
  step = hashed // count % count or 1
  while math.gcd(step, count) > 1:  # else some numbers would never come
    step += 1
  for i in range(count):
    yield (hashed + i * step) % count
