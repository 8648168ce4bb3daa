"""A remote service as a language model of curation."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from gemb.curation.language_model import LanguageModel, end_at
from gemb.curation.remote import labels as labelling
from gemb.curation.remote.answers import Answers
from gemb.curation.remote.asking import Asking
from gemb.curation.remote.config import RemoteModel
from gemb.curation.remote.failures import (
  explain,
  explain_no_likelihood,
  tells_no_likelihood,
)
from gemb.curation.remote.gemini_service import GeminiService
from gemb.curation.remote.openai_service import OpenAIService
from gemb.curation.remote.refusals import Refusals
from gemb.curation.remote.service import Answer, Failure, Request

_SERVICES = {'gemini': GeminiService, 'openai': OpenAIService}

# Of an answer that is to be a label: enough for '**Grade: 2**', which costs
# little more than '2', and tells a model that does not heed the prompt.
_LABEL_TOKENS = 8


def open_remote(config: RemoteModel) -> LanguageModel:
  """Returns a remote model; nothing is asked yet.

  Raises:
    ValueError: if the client library is not installed, or the key not set.
  """
  try:
    return RemoteLanguageModel(config)
  except ModuleNotFoundError as error:
    raise ValueError(
      f'A remote model needs {error.name}, which is not installed: pip install '
      "-e '.[curation]'."
    ) from error


class RemoteLanguageModel:
  """Answers from a service, or from the disk where they are there."""

  def __init__(
    self,
    config: RemoteModel,
    *,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
  ):
    """Opens the client library, and the file of answers.

    Args:
      config: of the model.
      sleep: waits for seconds.
    """
    self._config = config
    self._refusals = Refusals(config)
    self._asking = Asking(
      config,
      _SERVICES[config.service](config),
      Answers(config.cache, self.identity),
      sleep=sleep,
    )

  @property
  def identity(self) -> dict[str, Any]:
    """What tells its answers from another model's, as JSON."""
    return {
      'service': self._config.service,
      'model': self._config.model,
      'options': dict(self._config.options),
      'thinking_tokens': self._config.thinking_tokens,
    }

  def likelihoods(
    self, contexts: Sequence[str], texts: Sequence[str]
  ) -> Float[np.ndarray, 'n']:
    """Returns log p(text | context), summed over the text's tokens, in nats.

    Raises:
      OSError: if the service does not answer.
      RuntimeError: if it answers with an error.
      ValueError: if it cannot tell, or would cost too much.
    """
    requests = [
      Request(kind='likelihood', prompt=context, text=text)
      for context, text in zip(contexts, texts, strict=True)
    ]
    try:
      answers = self._asking.ask(requests)
    except Failure as failure:
      if tells_no_likelihood(failure):
        raise explain_no_likelihood(failure, self._config) from failure
      raise explain(failure, self._config) from failure
    return np.array([answer.likelihood for answer in answers], np.float64)

  def choose(
    self, prompts: Sequence[str], labels: Sequence[str]
  ) -> Float[np.ndarray, 'n l']:
    """Returns the log-probability of each label as the prompt's continuation.

    Read off the alternatives of the answer's first word where the service tells
    them; else 0 for the label that is answered, and -inf for the others. A row
    of NaN where it refused, or answered no label.

    Raises:
      OSError: if the service does not answer.
      RuntimeError: if it answers with an error.
      ValueError: if it would cost too much, or too many answers are of no use.
    """
    requests = [
      Request(kind='choice', prompt=prompt, max_tokens=_LABEL_TOKENS)
      for prompt in prompts
    ]
    answers = self._ask(requests)
    chosen = np.full((len(prompts), len(labels)), np.nan)
    for row, answer in zip(chosen, answers, strict=True):
      row[:] = _read_label(answer, labels)
    bad = [bool(np.isnan(row).any()) for row in chosen]
    self._refusals.count(requests, answers, bad)
    return chosen

  def complete(
    self,
    prompts: Sequence[str],
    *,
    seeds: Sequence[int],
    max_tokens: int,
    temperature: float,
    stop: str = '\n',
  ) -> list[str | None]:
    """Returns what answers each prompt; None where it refused, or said nothing.

    For the arguments see `LanguageModel`.

    Raises:
      OSError: if the service does not answer.
      RuntimeError: if it answers with an error.
      ValueError: if it would cost too much, or too many answers are of no use.
    """
    requests = [
      Request(
        kind='answer',
        prompt=prompt,
        seed=seed,
        max_tokens=max_tokens,
        temperature=temperature,
        stop=stop,
      )
      for prompt, seed in zip(prompts, seeds, strict=True)
    ]
    answers = self._ask(requests)
    texts = [
      None if answer.refusal else end_at(stop, answer.text) or None
      for answer in answers
    ]
    self._refusals.count(requests, answers, [text is None for text in texts])
    return texts

  def _ask(self, requests: Sequence[Request]) -> list[Answer]:
    try:
      return self._asking.ask(requests)
    except Failure as failure:
      raise explain(failure, self._config) from failure


def _read_label(
  answer: Answer, labels: Sequence[str]
) -> Float[np.ndarray, 'l']:
  if answer.refusal:
    return np.full(len(labels), np.nan)
  if answer.first_word:
    found = labelling.from_alternatives(answer.first_word, labels)
    if found is not None:
      return found
  return labelling.from_text(answer.text, labels)
