"""A request until it is answered: at its turn, in its time, and again."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from gemb.curation.remote.config import RemoteModel
from gemb.curation.remote.pace import Pace
from gemb.curation.remote.service import Answer, Ask, Failure, Request

_LONGEST_BACKOFF = 60.0  # seconds
_LONGEST_WAIT = 600.0  # seconds; who is to wait longer had better come again


class Retries:
  """The one place that decides when a request is made again."""

  def __init__(
    self,
    config: RemoteModel,
    pace: Pace,
    *,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
  ):
    """Takes the timeout and the number of retries from the config.

    Args:
      config: of the model.
      pace: that all requests keep.
      sleep: waits for seconds.
    """
    self._config = config
    self._pace = pace
    self._sleep = sleep

  async def ask(self, ask: Ask, request: Request) -> Answer:
    """Returns the answer.

    Raises:
      Failure: if it does not pass, or not within the retries.
    """
    for attempt in range(self._config.retries + 1):
      await self._pace.wait_turn()
      try:
        async with asyncio.timeout(self._config.timeout):
          return await ask(request)
      except TimeoutError:
        failure = Failure('no answer in time', passing=True)
      except Failure as error:
        failure = error
      last = attempt == self._config.retries
      if last or not failure.passing or failure.wait > _LONGEST_WAIT:
        break
      if failure.wait:
        self._pace.hold(failure.wait)
      await self._sleep(max(failure.wait, _backoff(attempt)))
    failure.prompt = request.prompt
    raise failure


def _backoff(attempt: int) -> float:
  """Returns 1, 2, 4 ... seconds, less up to a half, so that they spread out."""
  return min(2.0**attempt, _LONGEST_BACKOFF) * random.uniform(0.5, 1)
