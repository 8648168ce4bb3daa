"""What answers cost: estimated before, counted after."""

from collections.abc import Sequence

from gemb.curation.remote.config import RemoteModel
from gemb.curation.remote.service import Answer, Request

# Bytes of a token of UTF-8, about: characters in English, and more nearly right
# than they are in other scripts.
_BYTES = 4


class Spending:
  """The tokens and dollars of a model since it was opened."""

  def __init__(self, config: RemoteModel):
    self._config = config
    self._tokens_in = 0
    self._tokens_out = 0

  def check(self, requests: Sequence[Request], cached: int) -> None:
    """Prints what requests will cost, at most.

    Args:
      requests: that are to be made.
      cached: those whose answers are there.

    Raises:
      ValueError: if that and what is spent are more than `max_cost`.
    """
    size = sum(len((each.prompt + each.text).encode()) for each in requests)
    tokens_in = -(-size // _BYTES)
    tokens_out = sum(map(self._longest, requests))
    cost, spent = self._cost(tokens_in, tokens_out), self.spent or 0.0
    told = (
      f'{self._config.model}: {len(requests):,} requests ({cached:,} answers '
      f'are there), about {tokens_in:,} tokens in ({_BYTES} bytes each) and at '
      f'most {tokens_out:,} out{_price(cost)}'
    )
    limit = self._config.max_cost
    if limit is not None and spent + (cost or 0.0) > limit:
      raise ValueError(
        f'{told}, after {_dollars(spent)} spent: more than '
        f'RemoteModel.max_cost, {_dollars(limit)}. Nothing of it was asked; '
        'raise max_cost, or lower the number of examples (`most` of the stage).'
      )
    print(told, flush=True)

  def add(self, answer: Answer) -> None:
    """Counts an answer."""
    self._tokens_in += answer.tokens_in
    self._tokens_out += answer.tokens_out

  @property
  def spent(self) -> float | None:
    """Dollars; None where the prices are not known."""
    return self._cost(self._tokens_in, self._tokens_out)

  def __str__(self) -> str:
    return (
      f'{self._config.model}: {self._tokens_in:,} tokens in and '
      f'{self._tokens_out:,} out so far{_price(self.spent)}'
    )

  def _longest(self, request: Request) -> int:
    if request.kind == 'likelihood':
      return 0
    return request.max_tokens + self._config.thinking_tokens

  def _cost(self, tokens_in: int, tokens_out: int) -> float | None:
    price_in, price_out = self._config.price_in, self._config.price_out
    if price_in is None or price_out is None:
      return None
    return (tokens_in * price_in + tokens_out * price_out) / 1e6


def _price(cost: float | None) -> str:
  return '' if cost is None else f', {_dollars(cost)}'


def _dollars(cost: float) -> str:
  return f'${cost:,.2f}' if cost >= 1 else f'${cost:.4f}'
