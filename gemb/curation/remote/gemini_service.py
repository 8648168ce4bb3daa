"""Gemini's API."""

import contextlib
import functools
import os
import re
from collections.abc import AsyncIterator
from typing import Any

from gemb.curation.remote.config import RemoteModel
from gemb.curation.remote.service import (
  Answer,
  Ask,
  Failure,
  Request,
  is_passing,
  read_wait,
)

# What a reply that is not of the protocol raises when it is read.
_NOT_OF_THE_PROTOCOL = (AttributeError, IndexError, TypeError, ValueError)


class GeminiService:
  """Asks by the library `google-genai`."""

  def __init__(self, config: RemoteModel):
    """Reads the key.

    Raises:
      ModuleNotFoundError: if the library is not installed.
      ValueError: if there is no key, or an option is unknown.
    """
    import httpx2
    from google import genai
    from google.genai import errors, types

    self._library, self._http = genai, httpx2
    self._errors, self._types = errors, types
    self._config = config
    self._key = os.environ.get(config.key_variable, '')
    if not self._key and config.url is None:
      raise ValueError(f'{config.key_variable} is not set; export it.')
    self._settings(Request(kind='answer', prompt=''))

  @contextlib.asynccontextmanager
  async def connect(self) -> AsyncIterator[Ask]:
    """Yields what asks."""
    # Given, so that errors are this library's: where aiohttp is installed the
    # client would take that.
    async with self._http.AsyncClient(timeout=None) as http:
      client = self._library.Client(
        vertexai=False,
        api_key=self._key or 'none',  # the library wants one
        http_options=self._types.HttpOptions(
          base_url=self._config.url,
          api_version='v1beta',
          httpx_async_client=http,
        ),
      )
      try:
        yield functools.partial(self._ask, client)
      finally:
        client.close()

  async def _ask(self, client: Any, request: Request) -> Answer:
    if request.kind == 'likelihood':
      raise Failure('it tells none', status=501)
    settings = self._settings(request)
    try:
      reply = await client.aio.models.generate_content(
        model=self._config.model, contents=request.prompt, config=settings
      )
      return _read(reply)
    except self._errors.APIError as error:
      raise _status_failure(error) from error
    except self._http.TransportError as error:
      message = f'{type(error).__name__}: {error}'
      raise Failure(message, passing=True) from error
    except _NOT_OF_THE_PROTOCOL as error:
      raise Failure(f'{error}', status=200) from error

  def _settings(self, request: Request) -> Any:
    settings = {
      'temperature': request.temperature,
      'seed': None if request.seed is None else request.seed % 2**31,
      'max_output_tokens': request.max_tokens + self._config.thinking_tokens,
      'stop_sequences': [request.stop] if request.stop else None,
    }
    options = self._config.options
    try:
      return self._types.GenerateContentConfig.model_validate(
        settings | options
      )
    except ValueError as error:
      reasons = ' '.join(str(error).split())
      raise ValueError(
        f'RemoteModel.options is {options}, which Gemini does not take: '
        f'{reasons}'
      ) from error


def _read(reply: Any) -> Answer:
  tokens_in = _count(reply, 'prompt_token_count')
  blocked = reply.prompt_feedback
  if blocked and blocked.block_reason:
    return Answer(refusal=blocked.block_reason.value, tokens_in=tokens_in)
  candidate = reply.candidates[0]
  reason = candidate.finish_reason.value if candidate.finish_reason else 'STOP'
  parts = (candidate.content and candidate.content.parts) or []
  return Answer(
    text=''.join(part.text or '' for part in parts if not part.thought),
    refusal='' if reason in ('STOP', 'MAX_TOKENS') else reason,
    tokens_in=tokens_in,
    tokens_out=_count(reply, 'candidates_token_count')
    + _count(reply, 'thoughts_token_count'),
  )


def _count(reply: Any, name: str) -> int:
  return getattr(reply.usage_metadata, name, None) or 0


def _status_failure(error: Any) -> Failure:
  headers = getattr(error.response, 'headers', None) or {}
  # It tells how long to wait in its body ('retryDelay': '34s'), if at all.
  delay = re.search(r"'retryDelay': '([\d.]+)s'", str(error.details))
  return Failure(
    str(error.message or error),
    status=error.code,
    passing=is_passing(error.code),
    wait=float(delay[1]) if delay else read_wait(headers),
  )
