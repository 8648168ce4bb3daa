"""What a user is told of a request that got no answer."""

import os

from gemb.curation.remote.config import RemoteModel
from gemb.curation.remote.service import Failure

_KEPT = 'What was answered is kept; the same command goes on.'
_LONGEST = 300  # characters of what a server said
_SHOWN = 80  # of a prompt's end


def explain(failure: Failure, config: RemoteModel) -> Exception:
  """Returns the error to raise: what failed, where, and what to do.

  Args:
    failure: of a request.
    config: of its model.
  """
  where = config.url or f"the service's own address ({config.service})"
  said = _tell(failure, config)
  status = failure.status
  if status is None:
    return ConnectionError(
      f'{where} did not answer ({said}), in {config.retries + 1} attempts of '
      f'at most {config.timeout:g} s; is RemoteModel.url right, does the '
      f'server run, is RemoteModel.timeout long enough? {_KEPT}'
    )
  if status == 200:
    return RuntimeError(
      f'{where} answered what is not of the protocol of {config.service} '
      f'({said}); look at RemoteModel.url (of OpenAI-compatible servers it '
      f'mostly ends with /v1) and at the log of the server. {_KEPT}'
    )
  answered = f'{where} answered {status} ({said}) to a request for the model '
  return RuntimeError(f'{answered}{config.model!r}; {_advise(failure, config)}')


def tells_no_likelihood(failure: Failure) -> bool:
  """Whether this is how a service without likelihoods fails."""
  return failure.status in (400, 404, 405, 422, 501)


def explain_no_likelihood(failure: Failure, config: RemoteModel) -> ValueError:
  """Returns the error to raise where a likelihood was asked for in vain."""
  said = _tell(failure, config)
  return ValueError(
    f'The service of {config.model!r} does not tell the log-probabilities of a '
    f'given text (completions with echo, as vLLM serves them): {said}. Set '
    "ScoringConfig.signals=('grade',) or ('grade', 'similarity'), or take a "
    'server that does.'
  )


def _advise(failure: Failure, config: RemoteModel) -> str:
  status = failure.status
  if status in (401, 403):
    return f'look at the key in {config.key_variable}. {_KEPT}'
  if status == 404:
    return f'look at RemoteModel.model and RemoteModel.url. {_KEPT}'
  if status == 429 and failure.wait:
    return (
      f'it asks to be left alone for {failure.wait:.0f} s: come again then, or '
      f'lower RemoteModel.requests_per_minute. {_KEPT}'
    )
  if status == 429:
    return (
      'lower RemoteModel.requests_per_minute, or look at what the account may '
      f'spend. {_KEPT}'
    )
  if failure.passing:
    return f'it failed {config.retries + 1} times; come again later. {_KEPT}'
  return (
    f'it does not take the prompt that ends with '
    f'{failure.prompt[-_SHOWN:]!r}; shorten it, or change the request by '
    f'RemoteModel.options. {_KEPT}'
  )


def _tell(failure: Failure, config: RemoteModel) -> str:
  """Returns what was said, on one line, without the key if that is in it."""
  key = os.environ.get(config.key_variable)
  said = ' '.join(str(failure).split())
  return (said.replace(key, '(the key)') if key else said)[:_LONGEST]
