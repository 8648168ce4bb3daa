import sys

import numpy as np
import pytest

from gemb.curation.remote.config import RemoteModel
from gemb.curation.remote.openai_service import OpenAIService, sum_likelihood


def test_a_request_says_what_the_answer_depends_on(server, open_model):
  model = open_model(options={'reasoning_effort': 'low'}, thinking_tokens=100)
  said = model.complete(
    ['a question'], seeds=[7], max_tokens=10, temperature=0.5, stop='\n'
  )
  assert said == ['to a question']
  assert server.paths == ['/v1/chat/completions']
  assert server.bodies == [
    {
      'model': 'small-model',
      'messages': [{'role': 'user', 'content': 'a question'}],
      'temperature': 0.5,
      'max_tokens': 110,
      'seed': 7,
      'stop': '\n',
      'reasoning_effort': 'low',
    }
  ]
  assert server.headers[0]['authorization'] == 'Bearer secret-key'


def test_options_win_over_what_is_asked_by_default(server, open_model):
  model = open_model(options={'temperature': 1, 'stop': None})
  model.complete(['a'], seeds=[0], max_tokens=10, temperature=0.0)
  assert server.bodies[0]['temperature'] == 1
  assert server.bodies[0]['stop'] is None


@pytest.mark.parametrize(
  'message, choice',
  [
    ({'content': None, 'refusal': 'I will not.'}, {}),
    ({'content': ''}, {'finish_reason': 'content_filter'}),
  ],
)
def test_a_refusal_is_no_answer(server, open_model, message, choice):
  server.message, server.choice = message, choice
  said = open_model().complete(['a'], seeds=[0], max_tokens=9, temperature=0.0)
  assert said == [None]


def test_a_prompt_that_a_filter_takes_out_is_a_refusal(server, open_model):
  error = {'error': {'message': 'filtered', 'code': 'content_filter'}}
  server.failures.append((400, {}, error))
  said = open_model().complete(['a'], seeds=[0], max_tokens=9, temperature=0.0)
  assert said == [None]


def test_labels_are_read_off_the_alternatives_of_the_first_word(
  server, open_model
):
  def token(text, logprob, others=()):
    top = [{'token': o, 'logprob': p, 'bytes': None} for o, p in others]
    return {
      'token': text,
      'logprob': logprob,
      'bytes': None,
      'top_logprobs': top,
    }

  word = token('2', -0.5, [('2', -0.5), (' 1', -1.5), ('One', -0.1)])
  server.choice = {'logprobs': {'content': [token('**', -0.1), word]}}
  found = open_model().choose(['a'], ['0', '1', '2'])
  whole = np.exp(-0.5) + np.exp(-1.5)
  np.testing.assert_allclose(
    np.exp(found), [[0, np.exp(-1.5) / whole, np.exp(-0.5) / whole]]
  )
  assert server.bodies[0]['top_logprobs'] == 20


def test_labels_are_read_off_the_text_where_no_alternatives_are_told(
  server, open_model
):
  server.says = {'a': 'Yes.', 'b': '**no**'}
  server.delay = 0.05  # so that both are asked before either fails
  error = {'error': {'message': 'logprobs are not supported by this model'}}
  server.failures.extend([(400, {}, error)] * 2)
  found = open_model(at_once=2).choose(['a', 'b'], ['yes', 'no'])
  np.testing.assert_array_equal(found, [[0, -np.inf], [-np.inf, 0]])
  asked = ['logprobs' in body for body in server.bodies]
  assert asked == [True, True, False, False]


def test_a_likelihood_is_summed_over_the_text_alone(server, open_model):
  # Characters are tokens with minus their places: 'how' stands at 4, 5, 6.
  found = open_model().likelihoods(['abc '], ['how'])
  np.testing.assert_array_equal(found, [-(4 + 5 + 6)])
  assert server.paths == ['/v1/completions']
  assert (server.bodies[0]['echo'], server.bodies[0]['max_tokens']) == (True, 0)


def test_a_token_that_begins_before_the_text_and_ends_in_it_counts():
  assert (
    sum_likelihood([0, 3], ['abc', ' how'], [None, -2.0], text='how') == -2.0
  )


def test_a_first_token_that_is_no_part_of_the_prompt_shifts_nothing():
  offsets, tokens = [0, 3, 6], ['<s>', 'ab ', 'how']
  assert sum_likelihood(offsets, tokens, [None, -1.0, -2.0], text='how') == -2.0


def test_without_a_log_probability_there_is_no_likelihood():
  assert sum_likelihood([0, 1], ['a', 'b'], [None, -2.0], text='ab') == -2.0
  with pytest.raises(TypeError):
    sum_likelihood([0, 1, 2], ['a', 'b', 'c'], [None, None, -2.0], text='bc')


@pytest.mark.parametrize(
  'logprobs',
  [None, {'tokens': [' and'], 'text_offset': [0], 'token_logprobs': [-1.0]}],
)
def test_a_server_that_does_not_echo_says_what_to_set(
  server, open_model, logprobs
):
  choice = {'index': 0, 'text': ' and', 'logprobs': logprobs}
  server.failures.append({'id': 'one', 'choices': [choice]})
  with pytest.raises(ValueError, match=r"signals=\('grade',\)"):
    open_model().likelihoods(['a'], ['b'])


@pytest.mark.parametrize('status', [400, 404, 501])
def test_a_server_that_tells_no_likelihoods_says_what_to_set(
  server, open_model, status
):
  server.failures.extend([status] * 3)
  with pytest.raises(ValueError, match=r"signals=\('grade',\)"):
    open_model().likelihoods(['a'], ['b'])


def test_the_service_itself_needs_a_key(monkeypatch):
  monkeypatch.delenv('OPENAI_API_KEY', raising=False)
  with pytest.raises(ValueError, match=r'^OPENAI_API_KEY is not set; export'):
    OpenAIService(RemoteModel(service='openai', model='m'))


def test_a_server_of_ones_own_needs_no_key(server, open_model, monkeypatch):
  monkeypatch.delenv('OPENAI_API_KEY')
  model = open_model()
  assert model.complete(['a'], seeds=[0], max_tokens=9, temperature=0.0)


def test_a_missing_library_is_named_with_what_brings_it(monkeypatch):
  from gemb.curation.remote import open_remote

  monkeypatch.setitem(sys.modules, 'openai', None)
  with pytest.raises(ValueError, match=r"pip install -e '\.\[curation\]'"):
    open_remote(RemoteModel(service='openai', model='m', url='http://x/v1'))
