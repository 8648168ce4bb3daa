"""What a remote language model is, and what it may cost."""

import dataclasses
from typing import Any, Literal


@dataclasses.dataclass(frozen=True, kw_only=True)
class RemoteModel:
  """A model behind Gemini's API, or a server that speaks OpenAI's protocol.

  The key comes from the environment: GEMINI_API_KEY or OPENAI_API_KEY.

  Attributes:
    service: whose client library is used.
    model: its name there.
    url: of the server; None: the service's own.
    options: of each request, as the service names them, over those of gemb:
      {'thinking_config': {'thinking_budget': 0}} of Gemini; {'temperature': 1,
      'stop': None, 'reasoning_effort': 'minimal'} of an OpenAI model that
      thinks, which takes no other temperature, and no stop.
    thinking_tokens: that an answer may be longer by, since the model thinks.
    requests_per_minute: at most.
    at_once: requests under way, at most.
    retries: of a request that failed for a passing reason.
    timeout: seconds that an answer may take.
    price_in: dollars for a million tokens of prompts; None: not known.
    price_out: of answers.
    max_cost: dollars; work that is estimated to bring the command's spending
      above does not begin.
    max_bad_share: of answers that may be refusals or malformed; fewer than 20
      answers count as 20.
    cache: folder of the answers, by prompt; a server that moves to another url
      keeps them.
  """

  service: Literal['gemini', 'openai']
  model: str
  url: str | None = None
  options: dict[str, Any] = dataclasses.field(default_factory=dict)
  thinking_tokens: int = 0
  requests_per_minute: int = 60
  at_once: int = 8
  retries: int = 5
  timeout: float = 60.0
  price_in: float | None = None
  price_out: float | None = None
  max_cost: float | None = None
  max_bad_share: float = 0.05
  cache: str = 'answers'

  @property
  def key_variable(self) -> str:
    """The environment variable that holds the key."""
    return f'{self.service.upper()}_API_KEY'

  def __post_init__(self):
    if self.url is not None and not self.url.startswith(
      ('http://', 'https://')
    ):
      raise ValueError(
        f'RemoteModel.url is {self.url!r}; it must begin with http:// or '
        'https://, as http://localhost:8000/v1.'
      )
    self._check_numbers()
    priced = self.price_in is not None and self.price_out is not None
    if self.max_cost is not None and not priced:
      raise ValueError(
        'RemoteModel.max_cost needs both prices, dollars for a million tokens; '
        'set price_in and price_out.'
      )

  def _check_numbers(self) -> None:
    least = {
      'requests_per_minute': 1,
      'at_once': 1,
      'retries': 0,
      'thinking_tokens': 0,
      'price_in': 0,
      'price_out': 0,
      'max_cost': 0,
    }
    for name, bound in least.items():
      value = getattr(self, name)
      if value is not None and value < bound:
        raise ValueError(
          f'RemoteModel.{name} is {value}; it must be at least {bound}.'
        )
    if self.timeout <= 0:
      raise ValueError(
        f'RemoteModel.timeout is {self.timeout}; it must be more than 0 '
        'seconds.'
      )
    if not 0 <= self.max_bad_share <= 1:
      raise ValueError(
        f'RemoteModel.max_bad_share is {self.max_bad_share}; it is a share of '
        'the answers, from 0 to 1.'
      )
