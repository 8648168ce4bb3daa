"""Many requests: those that are not answered yet, several at once."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import tqdm

from gemb.curation.remote.answers import Answers
from gemb.curation.remote.config import RemoteModel
from gemb.curation.remote.pace import Pace
from gemb.curation.remote.retries import Retries
from gemb.curation.remote.service import Answer, Ask, Request, Service
from gemb.curation.remote.spending import Spending


class Asking:
  """Asks a service, and keeps every answer before the next is awaited."""

  def __init__(
    self,
    config: RemoteModel,
    service: Service,
    answers: Answers,
    *,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
  ):
    """Takes the limits from the config.

    Args:
      config: of the model.
      service: that is asked.
      answers: that are there, and where new ones go.
      sleep: waits for seconds.
    """
    self._config = config
    self._service = service
    self._answers = answers
    self._spending = Spending(config)
    pace = Pace(config.requests_per_minute, sleep=sleep)
    self._retries = Retries(config, pace, sleep=sleep)

  def ask(self, requests: Sequence[Request]) -> list[Answer]:
    """Returns the answers, in order; equal requests are made once.

    Ctrl-C and errors cancel the requests under way.

    Raises:
      Failure: if a request got no answer.
      OSError: if the answers cannot be read or written.
      ValueError: if they are estimated to cost too much.
    """
    keyed = {self._answers.key(request): request for request in requests}
    found = self._answers.find(keyed)
    missing = {key: keyed[key] for key in keyed if key not in found}
    if missing:
      self._spending.check(list(missing.values()), cached=len(found))
      try:
        found |= asyncio.run(self._ask_all(missing))
      finally:
        print(self._spending, flush=True)
    return [found[self._answers.key(request)] for request in requests]

  async def _ask_all(
    self, requests: Mapping[str, Request]
  ) -> dict[str, Answer]:
    """Returns the answers by key; as many workers as may ask at once."""
    queue, found = iter(requests.items()), {}
    with tqdm.tqdm(
      total=len(requests),
      desc=self._config.model,
      unit=' answers',
      disable=None,
    ) as bar:

      async def work(ask: Ask) -> None:
        for key, request in queue:
          found[key] = await self._retries.ask(ask, request)
          self._answers.add(key, found[key])
          self._spending.add(found[key])
          bar.update()

      async with self._service.connect() as ask:
        try:
          async with asyncio.TaskGroup() as group:
            for _ in range(min(self._config.at_once, len(requests))):
              group.create_task(work(ask))
        except BaseExceptionGroup as failed:
          raise failed.exceptions[0] from None
    return found
