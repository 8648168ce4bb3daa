import asyncio
import email.utils
import time

import pytest

from gemb.curation.remote.config import RemoteModel
from gemb.curation.remote.pace import Pace
from gemb.curation.remote.retries import Retries
from gemb.curation.remote.service import Answer, Failure, Request

REQUEST = Request(kind='answer', prompt='a', max_tokens=9)


def ask_once(model):
  return model.complete(['a'], seeds=[0], max_tokens=9, temperature=0.0)


@pytest.mark.parametrize('failure', [408, 429, 500, 503, 'drop'])
def test_what_passes_is_asked_again(server, open_model, failure):
  server.failures.append(failure)
  assert ask_once(open_model()) == ['to a']
  assert len(server.bodies) == 2


def test_a_slow_answer_is_asked_for_again(server, open_model):
  server.failures.append('slow')
  assert ask_once(open_model(timeout=0.2)) == ['to a']
  assert len(server.bodies) == 2


@pytest.mark.parametrize('failure', [400, 401, 403, 404, 422])
def test_what_does_not_pass_is_asked_once(server, open_model, failure):
  server.failures.extend([failure] * 3)
  with pytest.raises(RuntimeError, match=f'answered {failure}'):
    ask_once(open_model())
  assert len(server.bodies) == 1


def test_an_empty_account_is_not_waited_for(server, open_model):
  error = {'message': 'You are out of money.', 'code': 'insufficient_quota'}
  server.failures.append((429, {}, {'error': error}))
  with pytest.raises(RuntimeError, match='out of money'):
    ask_once(open_model())
  assert len(server.bodies) == 1


@pytest.mark.parametrize('date', [False, True])
def test_the_service_says_how_long_to_wait(server, open_model, slept, date):
  after = email.utils.formatdate(time.time() + 30) if date else '30'
  server.failures.append((429, {'Retry-After': after}, {}))
  ask_once(open_model())
  assert max(slept) == pytest.approx(30, abs=2)


def test_a_wait_of_hours_is_left_to_the_user(server, open_model, slept):
  server.failures.append((429, {'Retry-After': '7200'}, {}))
  with pytest.raises(RuntimeError, match='left alone for 7200 s'):
    ask_once(open_model())
  assert not slept


def run(failures, retries):
  """Returns the seconds slept, and the answer or the failure."""
  slept, left = [], list(failures)

  async def sleep(seconds):
    slept.append(seconds)

  async def ask(request):
    if left:
      raise left.pop(0)
    return Answer(text='yes')

  config = RemoteModel(service='openai', model='m', retries=retries)
  pace = Pace(10**9, sleep=sleep)
  retrying = Retries(config, pace, sleep=sleep)
  try:
    return slept, asyncio.run(retrying.ask(ask, REQUEST))
  except Failure as failure:
    return slept, failure


def test_waits_double_and_are_jittered():
  slept, answer = run([Failure('busy', passing=True)] * 4, retries=4)
  waits = [each for each in slept if each > 0.1]
  assert answer.text == 'yes' and len(waits) == 4
  for wait, most in zip(waits, (1, 2, 4, 8), strict=True):
    assert most / 2 <= wait <= most


def test_the_last_failure_is_told_when_the_retries_are_spent():
  failures = [Failure('first', passing=True), Failure('last', passing=True)]
  _, failure = run(failures, retries=1)
  assert str(failure) == 'last'
