"""Looks for the mixture of the highest score.

As EmbeddingGemma (arXiv:2509.20354), section 3: the mixture that there is and
random ones, from a Dirichlet distribution, are the first points of a Bayesian
optimisation. Here the random ones lie around the one that there is, and Optuna
refines (`gemb.mixing.tpe`).

What was tried is in results.jsonl, a line a point: a search goes on from it,
and with more points or trials than before it tries what is more.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence

from gemb.mixing import tpe
from gemb.mixing.mixture import Mixture, draw_mixture, make_mixture, name_of
from gemb.mixing.points import Point, rank, read_points, write_points
from gemb.sweep.search import load_optuna

_ATTEMPTS = 100  # at a mixture that was not tried before
# Trains a mixture by its name; returns all its scores, or raises
# FloatingPointError if it breaks down.
Train = Callable[[str, Mixture], Mapping[str, float]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
  """How much is searched.

  Attributes:
    metrics: whose mean is maximised.
    points: drawn around the given mixture.
    trials: of the optimisation.
    concentration: of the draws (`mixture.draw_mixture`).
    seed: of draws and trials.
  """

  metrics: tuple[str, ...]
  points: int = 10
  trials: int = 20
  concentration: float = 20.0
  seed: int = 0

  def __post_init__(self):
    for name in ('points', 'trials'):
      if getattr(self, name) < 0:
        raise ValueError(
          f'--{name} is {getattr(self, name)}; it must not be negative.'
        )
    if self.concentration <= 0:
      raise ValueError(
        f'--concentration is {self.concentration:g}; it must be greater than 0.'
      )


def check(given: Mapping[str, float], settings: Settings) -> None:
  """Finds what is missing before anything is trained.

  Raises:
    ValueError: if there is nothing to search, or Optuna is not installed.
  """
  if len(given) < 2 and (settings.points or settings.trials):
    raise ValueError(
      f'DataConfig.rates has {list(given)} alone; a mixture needs at least two '
      'tasks.'
    )
  if settings.trials:
    load_optuna()


def search(
  given: Mapping[str, float],
  settings: Settings,
  train: Train,
  results: pathlib.Path,
  say: Callable[[str], None],
) -> list[Point]:
  """Tries what was not tried yet; returns all points in their order.

  Args:
    given: rates of the mixture that there is.
    settings: how much is searched.
    train: of a mixture.
    results: what was tried; written after each point.
    say: told of each point.

  Raises:
    ValueError: if all mixtures broke down, or there are no more.
  """
  tried = read_points(results)
  for point in tried:
    say(f'{point.describe(settings.metrics)}, tried before')
  for point in _untried(given, settings, tried):
    try:
      scores = dict(train(point.name, point.mixture))
      tried.append(dataclasses.replace(point, scores=scores))
    except FloatingPointError as error:
      tried.append(dataclasses.replace(point, error=str(error)))
    write_points(results, tried)
    say(tried[-1].describe(settings.metrics))
  return tried


def _untried(
  given: Mapping[str, float], settings: Settings, tried: Sequence[Point]
) -> Iterator[Point]:
  """Yields what is to be tried next, as `tried` grows."""
  known = {point.name for point in tried}
  for point in _seeds(given, settings):
    if point.name not in known:
      known.add(point.name)
      yield point
  done = sum(point.source == 'tpe' for point in tried)
  for number in range(done, settings.trials):
    yield _suggest(settings, tried, number)


def _seeds(given: Mapping[str, float], settings: Settings) -> Iterator[Point]:
  first = make_mixture(given)
  yield Point(source='given', mixture=first)
  for number in range(settings.points):
    drawn = draw_mixture(
      first,
      concentration=settings.concentration,
      seed=settings.seed,
      number=number,
    )
    yield Point(source='dirichlet', mixture=drawn)


def _suggest(settings: Settings, tried: Sequence[Point], number: int) -> Point:
  """Returns the mixture of a trial.

  Raises:
    ValueError: if it finds none that was not tried.
  """
  known = {point.name for point in tried}
  scored = [
    (point.mixture, point.score(settings.metrics))
    for point in rank(tried, settings.metrics)
  ]
  for attempt in range(_ATTEMPTS):
    mixture = tpe.suggest(
      scored, seed=settings.seed, number=_ATTEMPTS * number + attempt
    )
    if name_of(mixture) not in known:
      return Point(source='tpe', mixture=mixture)
  raise ValueError(
    f'Trial {number + 1} finds no mixture that was not tried before; give '
    f'--trials={number}.'
  )
