"""Answers of no use: a few are passed over, many are an error."""

from collections.abc import Sequence

from gemb.curation.remote.config import RemoteModel
from gemb.curation.remote.service import Answer, Request

_FEW = 20  # answers; of fewer, a share says little
_SHOWN = 80  # characters of an example


class Refusals:
  """Counts the answers of a model since it was opened."""

  def __init__(self, config: RemoteModel):
    self._config = config
    self._bad = 0
    self._all = 0

  def count(
    self,
    requests: Sequence[Request],
    answers: Sequence[Answer],
    bad: Sequence[bool],
  ) -> None:
    """Counts the answers of a call.

    Args:
      requests: of the call.
      answers: to each.
      bad: which of them are of no use.

    Raises:
      ValueError: if more than `max_bad_share` of all so far are.
    """
    self._bad += sum(bad)
    self._all += len(bad)
    if self._bad <= self._config.max_bad_share * max(self._all, _FEW):
      return
    example = next((n for n, each in enumerate(bad) if each), None)
    shown = (
      '' if example is None else _show(requests[example], answers[example])
    )
    raise ValueError(
      f'{self._bad:,} of {self._all:,} answers of {self._config.model} are '
      f'refusals or malformed, more than RemoteModel.max_bad_share, '
      f'{self._config.max_bad_share:g}.{shown} All answers are kept, and are '
      'not asked for again; take another model or prompt, or raise '
      'max_bad_share.'
    )


def _show(request: Request, answer: Answer) -> str:
  said = answer.refusal or answer.text
  verb = 'was refused:' if answer.refusal else 'was answered by'
  # Its end, since prompts begin alike.
  asked = request.prompt[-_SHOWN:]
  return f' The prompt that ends with {asked!r} {verb} {said[:_SHOWN]!r}.'
