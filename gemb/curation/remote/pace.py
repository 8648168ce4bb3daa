"""So many requests a minute."""

import asyncio
import time
from collections.abc import Awaitable, Callable


class Pace:
  """Lets requests begin one after another, evenly."""

  def __init__(
    self,
    per_minute: int,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
  ):
    """Lets the first begin at once.

    Args:
      per_minute: requests.
      clock: tells seconds.
      sleep: waits for seconds.
    """
    self._apart = 60 / per_minute
    self._clock = clock
    self._sleep = sleep
    self._next = 0.0

  async def wait_turn(self) -> None:
    """Returns when the next request may begin."""
    now = self._clock()
    turn = max(self._next, now)
    self._next = turn + self._apart
    if turn > now:
      await self._sleep(turn - now)

  def hold(self, seconds: float) -> None:
    """Lets none begin for a while, but those that have their turn already."""
    self._next = max(self._next, self._clock() + seconds)
