"""What is asked of a service, what it answers, and how it fails."""

import dataclasses
import email.utils
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol, runtime_checkable


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Request:
  """A prompt, and what decides its answer.

  Attributes:
    kind: 'answer': a text; 'choice': the same, with the log-probabilities of
      its first word where the service tells them; 'likelihood': of a given
      text after the prompt.
    prompt: as the model reads it.
    text: whose likelihood is asked for.
    seed: of the answer, as far as the service heeds it.
    max_tokens: of the answer.
    temperature: 0: the likeliest token each time.
    stop: an answer ends before it.
  """

  kind: Literal['answer', 'choice', 'likelihood']
  prompt: str
  text: str = ''
  seed: int | None = None
  max_tokens: int = 0
  temperature: float = 0.0
  stop: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
  """What a service said, and what it took.

  Attributes:
    text: of the answer.
    refusal: why there is none; '': it did not refuse.
    first_word: {token: log-probability} of the likeliest that may begin the
      answer; None: not told.
    likelihood: of the given text, in nats; None: not asked for.
    tokens_in: of the prompt.
    tokens_out: of the answer, with those of thought.
  """

  text: str = ''
  refusal: str = ''
  first_word: dict[str, float] | None = None
  likelihood: float | None = None
  tokens_in: int = 0
  tokens_out: int = 0


Ask = Callable[[Request], Awaitable[Answer]]


@runtime_checkable
class Service(Protocol):
  """A client library; it neither retries nor limits the time of a request."""

  def connect(self) -> AbstractAsyncContextManager[Ask]:
    """Returns what asks, while it is entered; what it raises is `Failure`."""
    ...


class Failure(Exception):  # noqa: N818 (most are no errors: they pass)
  """A request that got no answer.

  Attributes:
    status: of HTTP; None where there was no reply, 501 where the service has
      no such answers, 200 where the reply was not of its protocol.
    passing: whether the same request may succeed later.
    wait: seconds that the service asks to be left alone.
    prompt: that was asked with; '': not known here.
  """

  def __init__(
    self,
    message: str,
    *,
    status: int | None = None,
    passing: bool = False,
    wait: float = 0.0,
  ):
    super().__init__(message)
    self.status = status
    self.passing = passing
    self.wait = wait
    self.prompt = ''


def is_passing(status: int) -> bool:
  """Whether a reply of this status may be another one later."""
  return status in (408, 429) or status >= 500


def read_wait(headers: Mapping[str, str]) -> float:
  """Returns the seconds of a Retry-After header, which may be a date."""
  value = headers.get('retry-after', '')
  try:
    return max(float(value), 0.0)
  except ValueError:
    date = email.utils.parsedate_tz(value)
  return max(email.utils.mktime_tz(date) - time.time(), 0.0) if date else 0.0
