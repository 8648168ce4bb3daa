"""Where the values of an axis are drawn from, at random or by a search."""

import dataclasses
import math
from typing import Any

import numpy as np

from gemb.config_values import literal


@dataclasses.dataclass(frozen=True, kw_only=True)
class Numbers:
  """Numbers between two.

  Attributes:
    low: the least.
    high: the largest, itself among integers.
    log: whether each factor is as likely as any other, and not each distance.
    whole: whether they are integers.
  """

  low: int | float
  high: int | float
  log: bool = False
  whole: bool = False

  def __post_init__(self):
    if not (math.isfinite(self.low) and math.isfinite(self.high)):
      raise ValueError(
        f'an axis goes from {self.low} to {self.high}; both must be finite.'
      )
    if not self.low < self.high:
      raise ValueError(
        f'an axis goes from {self.low} to {self.high}; the first must be less.'
      )
    if self.log and self.low <= 0:
      raise ValueError(
        f'a logarithmic axis begins at {self.low}; it must be greater than 0.'
      )

  def draw(self, numbers: np.random.Generator) -> float | int:
    """Returns one at random."""
    if self.whole:
      return int(numbers.integers(int(self.low), int(self.high) + 1))
    if self.log:
      ends = math.log(self.low), math.log(self.high)
      return min(max(math.exp(numbers.uniform(*ends)), self.low), self.high)
    return float(numbers.uniform(self.low, self.high))

  def ends(self) -> tuple[Any, ...]:
    """Returns the values that show whether all can be had."""
    return self.low, self.high

  def distribution(self, optuna: Any) -> Any:
    """Returns what Optuna takes."""
    if self.whole:
      return optuna.distributions.IntDistribution(self.low, self.high)
    return optuna.distributions.FloatDistribution(
      self.low, self.high, log=self.log
    )

  def value(self, parameter: Any) -> float | int:
    """Returns the value that one of Optuna's parameters stands for."""
    return parameter


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
  """Some values, all equally likely.

  Attributes:
    values: at least one; none twice.
  """

  values: tuple[Any, ...]

  def __post_init__(self):
    written = [literal(value) for value in self.values]
    if not written or len({*written}) != len(written):
      raise ValueError(
        f'a choice is of {list(self.values)}; give at least one value, and '
        'none twice.'
      )

  def draw(self, numbers: np.random.Generator) -> Any:
    """Returns one at random."""
    return self.values[int(numbers.integers(len(self.values)))]

  def ends(self) -> tuple[Any, ...]:
    """Returns the values that show whether all can be had."""
    return self.values

  def distribution(self, optuna: Any) -> Any:
    """Returns what Optuna takes, which knows no tuples."""
    return optuna.distributions.CategoricalDistribution(list(self._written()))

  def value(self, parameter: Any) -> Any:
    """Returns the value that one of Optuna's parameters stands for."""
    return self._written()[parameter]

  def _written(self) -> dict[str, Any]:
    return {literal(value): value for value in self.values}


Draw = Numbers | Choice


def choice(values: Any) -> Choice:
  """Returns an axis of some values."""
  return Choice(values=tuple(values))


def uniform(low: int | float, high: int | float) -> Numbers:
  """Returns an axis on which each distance is equally likely."""
  return Numbers(low=float(low), high=float(high))


def log_uniform(low: int | float, high: int | float) -> Numbers:
  """Returns an axis on which each factor is equally likely."""
  return Numbers(low=float(low), high=float(high), log=True)


def integers(low: int | float, high: int | float) -> Numbers:
  """Returns an axis of the integers from one to another, both included.

  Raises:
    ValueError: if the ends are no integers.
  """
  if type(low) is not int or type(high) is not int:
    raise ValueError(
      f'integers go from {low!r} to {high!r}; give two integers.'
    )
  return Numbers(low=low, high=high, whole=True)
