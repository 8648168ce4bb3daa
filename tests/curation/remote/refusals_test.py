import pytest

from gemb.curation.remote.config import RemoteModel
from gemb.curation.remote.refusals import Refusals
from gemb.curation.remote.service import Answer, Request


def count(share, bads, answer=None):
  """Counts calls; `bads` are how many of how many."""
  config = RemoteModel(service='openai', model='m', max_bad_share=share)
  refusals = Refusals(config)
  for bad, of in bads:
    refusals.count(
      [Request(kind='choice', prompt='x' * 200 + ' How good?')] * of,
      [answer or Answer(text='It depends' + 'y' * 200)] * of,
      [False] * (of - bad) + [True] * bad,
    )


def test_a_few_are_passed_over():
  count(0.05, [(5, 100), (0, 10)])


def test_many_are_an_error_that_shows_one():
  with pytest.raises(ValueError, match='6 of 100 answers of m') as error:
    count(0.05, [(6, 100)])
  assert "xxx How good?' was answered by" in str(error.value)
  assert "'It dependsyyy" in str(error.value)
  assert 'kept' in str(error.value)
  assert len(str(error.value)) < 600


def test_a_refusal_is_shown_with_its_reason():
  with pytest.raises(ValueError, match="was refused: 'SAFETY'"):
    count(0.05, [(6, 100)], Answer(refusal='SAFETY'))


def test_all_calls_count_together():
  with pytest.raises(ValueError, match='11 of 200'):
    count(0.05, [(0, 100), (11, 100)])


def test_one_of_a_few_says_little_unless_none_may_be():
  count(0.05, [(1, 1)])
  with pytest.raises(ValueError, match='2 of 2'):
    count(0.05, [(1, 1), (1, 1)])
  with pytest.raises(ValueError, match='1 of 1'):
    count(0.0, [(1, 1)])
