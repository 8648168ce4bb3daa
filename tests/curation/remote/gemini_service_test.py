import numpy as np
import pytest

from gemb.curation.remote.config import RemoteModel
from gemb.curation.remote.gemini_service import GeminiService


@pytest.fixture
def ask(open_model):
  """Asks one question of Gemini's protocol."""

  def asked(**changes):
    model = open_model(service='gemini', **changes)
    return model.complete(['a'], seeds=[7], max_tokens=10, temperature=0.5)

  return asked


def test_a_request_says_what_the_answer_depends_on(server, ask):
  said = ask(options={'top_k': 5}, thinking_tokens=50)
  assert said == ['to a']
  assert server.paths == ['/v1beta/models/small-model:generateContent']
  assert server.bodies == [
    {
      'contents': [{'parts': [{'text': 'a'}], 'role': 'user'}],
      'generationConfig': {
        'temperature': 0.5,
        'seed': 7,
        'maxOutputTokens': 60,
        'stopSequences': ['\n'],
        'topK': 5.0,
      },
    }
  ]
  assert server.headers[0]['x-goog-api-key'] == 'secret-key'


def test_thoughts_cost_and_are_no_part_of_the_answer(server, ask, capsys):
  parts = [{'text': 'Hm.', 'thought': True}, {'text': 'So'}, {'text': ' be it'}]
  server.candidate = {'content': {'role': 'model', 'parts': parts}}
  assert ask() == ['So be it']
  assert '8 tokens in and 7 out' in capsys.readouterr().out


def test_an_answer_that_is_not_safe_is_a_refusal(server, ask):
  server.candidate = {'finishReason': 'SAFETY', 'content': None}
  assert ask() == [None]


def test_a_blocked_prompt_is_a_refusal(server, ask):
  feedback = {'blockReason': 'PROHIBITED_CONTENT'}
  server.failures.append({'promptFeedback': feedback})
  assert ask() == [None]


def test_labels_are_read_off_the_text(server, open_model):
  server.says = {'a': 'Grade: 2', 'b': '2.', 'c': '1'}
  model = open_model(service='gemini', max_bad_share=1.0)
  found = model.choose(['a', 'b', 'c'], ['0', '1', '2'])
  nan, none = np.nan, -np.inf
  np.testing.assert_array_equal(
    found, [[nan, nan, nan], [none, none, 0], [none, 0, none]]
  )


def test_likelihoods_are_not_told_and_what_to_set_is(server, open_model):
  with pytest.raises(ValueError, match=r"signals=\('grade',\)"):
    open_model(service='gemini').likelihoods(['a'], ['b'])
  assert not server.bodies


@pytest.mark.parametrize('failure', [429, 500, 503, 'drop'])
def test_what_passes_is_asked_again(server, ask, failure):
  server.failures.append(failure)
  assert ask() == ['to a']
  assert len(server.bodies) == 2


def test_the_delay_that_it_asks_for_is_kept(server, ask, slept):
  kind = 'type.googleapis.com/google.rpc.RetryInfo'
  details = [{'@type': kind, 'retryDelay': '34.5s'}]
  error = {'code': 429, 'message': 'slower', 'details': details}
  server.failures.append((429, {}, {'error': error}))
  ask()
  assert 34.5 in slept


def test_a_slow_answer_is_not_waited_for(server, ask):
  server.failures.extend(['slow'] * 2)
  with pytest.raises(ConnectionError, match=r'2 attempts of at most 0\.1 s'):
    ask(retries=1, timeout=0.1)


@pytest.mark.parametrize('body', ['<html>', {'kind': 'other'}, []])
def test_what_is_no_answer_of_the_protocol_is_told(server, ask, body):
  server.failures.append(body)
  with pytest.raises(RuntimeError, match='not of the protocol of gemini'):
    ask()


def test_a_wrong_key_is_told_and_never_shown(server, ask):
  server.failures.append(403)
  with pytest.raises(RuntimeError, match='key in GEMINI_API_KEY') as error:
    ask()
  assert 'secret' not in str(error.value)


def test_the_service_itself_needs_a_key(monkeypatch):
  monkeypatch.delenv('GEMINI_API_KEY', raising=False)
  with pytest.raises(ValueError, match=r'^GEMINI_API_KEY is not set; export'):
    GeminiService(RemoteModel(service='gemini', model='m'))


def test_an_option_that_is_unknown_is_named(open_model):
  with pytest.raises(
    ValueError, match=r'RemoteModel\.options .* thinking_config'
  ):
    open_model(service='gemini', options={'thinking_config': {'budgt': 0}})
