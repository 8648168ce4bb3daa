"""Servers that speak OpenAI's protocol: its own, vLLM, llama.cpp, Ollama."""

import contextlib
import functools
import os
from collections.abc import AsyncIterator, Mapping
from typing import Any

from gemb.curation.remote.config import RemoteModel
from gemb.curation.remote.labels import first_word
from gemb.curation.remote.service import (
  Answer,
  Ask,
  Failure,
  Request,
  is_passing,
  read_wait,
)

_ALTERNATIVES = 20  # log-probabilities of a token, as many as services tell

# What a reply that is not of the protocol raises when it is read: the library
# takes any JSON for an answer.
_NOT_OF_THE_PROTOCOL = (AttributeError, IndexError, KeyError, TypeError)


class OpenAIService:
  """Asks by the library `openai`."""

  def __init__(self, config: RemoteModel):
    """Reads the key.

    Raises:
      ModuleNotFoundError: if the library is not installed.
      ValueError: if the service needs a key, and there is none.
    """
    import openai

    self._library = openai
    self._config = config
    self._tells_probabilities = True
    self._key = os.environ.get(config.key_variable, '')
    if not self._key and config.url is None:
      raise ValueError(
        f'{config.key_variable} is not set; export it, or name a server that '
        'needs none by RemoteModel.url.'
      )

  @contextlib.asynccontextmanager
  async def connect(self) -> AsyncIterator[Ask]:
    """Yields what asks."""
    client = self._library.AsyncOpenAI(
      api_key=self._key or 'none',  # the library wants one, the server does not
      base_url=self._config.url,
      max_retries=0,
      timeout=None,
    )
    async with client:
      yield functools.partial(self._ask, client)

  async def _ask(self, client: Any, request: Request) -> Answer:
    likelier = request.kind == 'choice' and self._tells_probabilities
    try:
      if request.kind == 'likelihood':
        return await self._tell_likelihood(client, request)
      return await self._chat(client, request, likelier)
    except self._library.APIStatusError as error:
      if error.code in ('content_filter', 'content_policy_violation'):
        return Answer(refusal=error.code)
      if likelier and _is_of_probabilities(error):
        self._tells_probabilities = False
        return await self._ask(client, request)
      raise _status_failure(error) from error
    except self._library.APIConnectionError as error:
      reason = error.__cause__ or error
      raise Failure(
        f'{type(reason).__name__}: {reason}', passing=True
      ) from error
    except (*_NOT_OF_THE_PROTOCOL, self._library.APIError, ValueError) as error:
      raise Failure(f'{error}', status=200) from error

  async def _chat(
    self, client: Any, request: Request, likelier: bool
  ) -> Answer:
    """Asks, and for the likelier tokens where they are to be told."""
    limit = request.max_tokens + self._config.thinking_tokens
    reply = await client.chat.completions.create(
      model=self._config.model,
      messages=[{'role': 'user', 'content': request.prompt}],
      temperature=request.temperature,
      # Its own newer models know only the second name, many servers the first.
      **{'max_tokens' if self._config.url else 'max_completion_tokens': limit},
      **_given(seed=request.seed, stop=request.stop),
      **({'logprobs': True, 'top_logprobs': _ALTERNATIVES} if likelier else {}),
      extra_body=dict(self._config.options),
    )
    choice = reply.choices[0]
    refused = choice.finish_reason == 'content_filter' and 'content_filter'
    told = choice.logprobs.content if likelier and choice.logprobs else None
    return Answer(
      text=_check_text(choice.message.content or ''),
      refusal=getattr(choice.message, 'refusal', None) or refused or '',
      first_word=first_word(
        {
          each.token: each.logprob
          for each in [position, *(position.top_logprobs or [])]
        }
        for position in told or []
      ),
      tokens_in=_count(reply, 'prompt_tokens'),
      tokens_out=_count(reply, 'completion_tokens'),
    )

  async def _tell_likelihood(self, client: Any, request: Request) -> Answer:
    reply = await client.completions.create(
      model=self._config.model,
      prompt=request.prompt + request.text,
      echo=True,
      logprobs=1,
      max_tokens=0,
      temperature=0,
      extra_body=dict(self._config.options),
    )
    choice = reply.choices[0]
    told = choice.logprobs
    # Servers without echo leave it out in silence, and tell of other tokens.
    if not told or not told.tokens or not choice.text.endswith(request.text):
      raise Failure('it tells none', status=501)
    return Answer(
      likelihood=sum_likelihood(
        told.text_offset, told.tokens, told.token_logprobs, request.text
      ),
      tokens_in=_count(reply, 'prompt_tokens'),
      tokens_out=_count(reply, 'completion_tokens'),
    )


def sum_likelihood(
  offsets: list[int],
  tokens: list[str],
  logprobs: list[float | None],
  text: str,
) -> float:
  """Returns the log-probability of the text that the tokens end with, in nats.

  Counted from the end, since some servers count a first token that is no part
  of the prompt. A token that begins before the text and ends in it (' how',
  where the prompt ends with a space) counts whole. Tokens that are parts of a
  character may shift where the text begins by as many.

  Args:
    offsets: of each token, in characters.
    tokens: prompt and text.
    logprobs: of each after those before it; None for the first.
    text: that is asked for.

  Raises:
    TypeError: if there is None for another.
  """
  end = offsets[-1] + len(tokens[-1])
  begin = end - len(text)
  ends = [*offsets[1:], end]
  known = [logprobs[0] or 0.0, *map(_check_number, logprobs[1:])]
  return sum(
    logprob
    for start, stop, logprob in zip(offsets, ends, known, strict=True)
    if stop > begin or start >= begin
  )


def _is_of_probabilities(error: Any) -> bool:
  """Whether a request failed for the log-probabilities that it asked for."""
  return error.status_code in (400, 422) and 'logprob' in str(error)


def _check_number(number: Any) -> float:
  if not isinstance(number, int | float):
    raise TypeError(f'a log-probability is {number!r}, and no number')
  return float(number)


def _check_text(text: Any) -> str:
  if not isinstance(text, str):
    raise TypeError(f'the answer is {text!r}, and no text')
  return text


def _given(**values: Any) -> dict[str, Any]:
  return {name: value for name, value in values.items() if value is not None}


def _count(reply: Any, name: str) -> int:
  """Returns a number of tokens; 0 where the server does not count."""
  return getattr(reply.usage, name, None) or 0


def _status_failure(error: Any) -> Failure:
  status = error.status_code
  body: Any = error.body
  message = body.get('message') if isinstance(body, Mapping) else None
  return Failure(
    str(message or error),
    status=status,
    # The same status, but what is spent does not come back by waiting.
    passing=is_passing(status) and error.code != 'insufficient_quota',
    wait=read_wait(error.response.headers),
  )
