"""The greedy soup: each ingredient stays only if it does no harm.

Source: Wortsman et al. (arXiv:2203.05482), recipe 1.
"""

import dataclasses
from collections.abc import Callable, Mapping

from gemb.model.embedder import Params
from gemb.soup.average import Blend


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trial:
  """An ingredient that was tried.

  Attributes:
    name: of the ingredient.
    score: of the soup with it.
    stays: whether the soup's score did not fall.
  """

  name: str
  score: float
  stays: bool


def greedy(
  own_scores: Mapping[str, float],
  load: Callable[[str], Params],
  score: Callable[[Params], float],
  blend: Blend,
) -> tuple[Params, list[Trial]]:
  """Tries the ingredients from the best to the worst.

  The mean so far and one more set of parameters are in memory at a time.

  Args:
    own_scores: of each ingredient alone, by its name; higher is better.
    load: name -> parameters.
    score: parameters -> score.
    blend: of the mean so far with an ingredient.

  Returns:
    The mean of those that stay, and all trials in their order.
  """
  best, *others = sorted(own_scores, key=lambda name: -own_scores[name])
  soup, highest = load(best), own_scores[best]
  trials = [Trial(name=best, score=highest, stays=True)]
  for name in others:
    stayed = sum(trial.stays for trial in trials)
    candidate = blend(soup, load(name), 1 / (stayed + 1))
    found = score(candidate)
    stays = found >= highest
    trials.append(Trial(name=name, score=found, stays=stays))
    if stays:
      soup, highest = candidate, found
  return soup, trials
