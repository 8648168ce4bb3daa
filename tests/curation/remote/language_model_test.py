import numpy as np
import pytest

from gemb.curation.language_model import LanguageModel
from gemb.curation.remote import open_remote
from gemb.curation.remote.config import RemoteModel


def test_a_remote_model_is_a_language_model(server, tmp_path):
  config = RemoteModel(
    service='openai',
    model='small-model',
    url=f'{server.url}/v1',
    cache=str(tmp_path),
  )
  model = open_remote(config)
  assert isinstance(model, LanguageModel)
  said = model.complete(['a'], seeds=[0], max_tokens=9, temperature=0.0)
  assert said == ['to a']


def test_the_identity_is_what_answers_depend_on_and_no_more(open_model):
  one = open_model(options={'a': 1})
  assert one.identity == {
    'service': 'openai',
    'model': 'small-model',
    'options': {'a': 1},
    'thinking_tokens': 0,
  }
  assert one.identity == open_model(options={'a': 1}, retries=9).identity


def test_an_answer_ends_before_the_stop(server, open_model):
  server.says = {'a': '\n One line. \nAnother.', 'b': ' \n'}
  model = open_model()
  said = model.complete(['a', 'b'], seeds=[0, 0], max_tokens=9, temperature=0.0)
  assert said == ['One line.', None]
  said = model.complete(
    ['a'], seeds=[0], max_tokens=9, temperature=0.0, stop='Another'
  )
  assert said == ['One line.']


def test_a_label_that_is_not_answered_is_a_row_of_nan(server, open_model):
  server.says = {'a': '1', 'b': 'It depends.'}
  found = open_model().choose(['a', 'b'], ['0', '1'])
  np.testing.assert_array_equal(found, [[-np.inf, 0], [np.nan, np.nan]])


def test_too_many_answers_of_no_use_are_an_error_and_paid_once(
  server, open_model
):
  server.says = {'a': '1'}
  for _ in range(2):
    with pytest.raises(
      ValueError, match=r"2 of 3 .*'b' was answered by 'to b'"
    ):
      open_model().choose(['a', 'b', 'c'], ['0', '1'])
  assert len(server.bodies) == 3
  found = open_model(max_bad_share=1.0).choose(['a'], ['0', '1'])
  assert len(server.bodies) == 3
  np.testing.assert_array_equal(found, [[-np.inf, 0]])


def test_likelihoods_are_kept_as_answers_are(server, open_model):
  for _ in range(2):
    found = open_model().likelihoods(['ab', 'abc'], ['cd', 'd'])
    np.testing.assert_array_equal(found, [-(2 + 3), -3])
  assert len(server.bodies) == 2
