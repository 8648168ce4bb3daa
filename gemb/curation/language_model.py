"""What curation asks of a language model, whoever answers."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float


@runtime_checkable
class LanguageModel(Protocol):
  """A decoder of gemb's own, or a remote service.

  Answers depend on the arguments alone, and may be asked for again after a
  kill.
  """

  @property
  def identity(self) -> dict[str, Any]:
    """What tells its answers from another model's, as JSON."""
    ...

  def likelihoods(
    self, contexts: Sequence[str], texts: Sequence[str]
  ) -> Float[np.ndarray, 'n']:
    """Returns log p(text | context), summed over the text's tokens, in nats.

    Raises:
      ValueError: if the model cannot tell.
    """
    ...

  def choose(
    self, prompts: Sequence[str], labels: Sequence[str]
  ) -> Float[np.ndarray, 'n l']:
    """Returns the log-probability of each label as the prompt's continuation.

    Normalised over the labels; a service that tells no probabilities has 0 for
    the label that it answers, and -inf for the others. A row of NaN where it
    refused, or answered no label.
    """
    ...

  def complete(
    self,
    prompts: Sequence[str],
    *,
    seeds: Sequence[int],
    max_tokens: int,
    temperature: float,
    stop: str = '\n',
  ) -> list[str | None]:
    """Returns what continues each prompt; None where it refused.

    Args:
      prompts: as the model reads them.
      seeds: of each answer, as far as the model heeds it.
      max_tokens: of an answer.
      temperature: 0: the likeliest token each time.
      stop: an answer ends before it (`end_at`).
    """
    ...


def end_at(stop: str, answer: str) -> str:
  r"""Returns an answer's text up to `stop`, without white space around it.

  White space that it begins with is none of it, and so does not stop it.

  >>> end_at('\n', '\n\n Where is it?\nPassage: ')
  'Where is it?'
  """
  return answer.lstrip().split(stop, 1)[0].rstrip()
