import pytest

from gemb.curation.remote.config import RemoteModel
from gemb.curation.remote.service import Answer, Request
from gemb.curation.remote.spending import Spending


def spend(**changes):
  return Spending(RemoteModel(service='openai', model='m', **changes))


def asked(characters, max_tokens=10):
  return Request(kind='answer', prompt='a' * characters, max_tokens=max_tokens)


def test_the_estimate_is_of_bytes_and_of_the_longest_answers(capsys):
  spending = spend(price_in=1000.0, price_out=2000.0, thinking_tokens=90)
  likelihood = Request(kind='likelihood', prompt='a' * 4, text='é€')
  spending.check([asked(40), asked(2), likelihood], cached=7)
  # 51 bytes, of which é has 2 and € 3, are 12 tokens and a part; 2 answers of
  # 10 + 90, the likelihood has none.
  assert capsys.readouterr().out == (
    'm: 3 requests (7 answers are there), about 13 tokens in (4 bytes each) '
    'and at most 200 out, $0.4130\n'
  )


def test_without_prices_no_cost_is_told(capsys):
  spending = spend(price_in=1.0)
  spending.check([asked(40)], cached=0)
  assert '$' not in capsys.readouterr().out
  assert spending.spent is None
  assert '$' not in str(spending)


def test_what_is_spent_is_counted_and_leaves_less(capsys):
  spending = spend(price_in=1000.0, price_out=2000.0, max_cost=5.0)
  spending.check([asked(4000, 1)], cached=0)
  spending.add(Answer(tokens_in=2000, tokens_out=1000))
  assert spending.spent == 4.0
  assert str(spending) == 'm: 2,000 tokens in and 1,000 out so far, $4.00'
  with pytest.raises(
    ValueError, match=r'\$1\.00, after \$4\.00 spent'
  ) as error:
    spending.check([asked(4000, 1)], cached=0)
  assert 'raise max_cost' in str(error.value)
