"""Points of a sweep, and what makes many of few: grid, zip, random, cross.

A file of Python defines SWEEP with these; YAML has the same by their names
(`gemb.sweep.reading`). Names are those of `--gin.NAME=VALUE`.

>>> cross(grid({'A.x': [1, 2]}), zip_({'B.y': ['a', 'b'], 'B.z': [0, 9]}))[1]
{'A.x': 1, 'B.y': 'b', 'B.z': 9}
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from gemb.config_values import literal
from gemb.data.sampling import generator
from gemb.sweep.draws import Draw

Point = dict[str, Any]  # {gin binding: value}
_ATTEMPTS = 100  # at a point that was not drawn before


def grid(axes: Mapping[str, Sequence[Any]]) -> list[Point]:
  """Returns each value of each axis with all of the others.

  Raises:
    ValueError: if there is no axis, or an axis has no value.
  """
  _check_axes(axes)
  return [
    dict(zip(axes, values, strict=True))
    for values in itertools.product(*axes.values())
  ]


def zip_(axes: Mapping[str, Sequence[Any]]) -> list[Point]:
  """Returns the first values of all axes, their second ones, and so on.

  Raises:
    ValueError: if axes are empty or of several lengths.
  """
  _check_axes(axes)
  lengths = {name: len(values) for name, values in axes.items()}
  if len({*lengths.values()}) > 1:
    raise ValueError(
      f'zip has axes of several lengths, {lengths}; make them equal.'
    )
  return [
    dict(zip(axes, values, strict=True))
    for values in zip(*axes.values(), strict=True)
  ]


def random(
  axes: Mapping[str, Draw], *, count: int, seed: int = 0
) -> list[Point]:
  """Returns different points at random; a larger count begins with the same.

  Args:
    axes: where each value is drawn from.
    count: of the points.
    seed: of all draws.

  Raises:
    ValueError: if there is no axis, or there are not so many points.
  """
  if not axes or count < 1:
    raise ValueError(
      f'random draws {count} points on {len(axes)} axes; give one of each at '
      'least.'
    )
  drawn: dict[str, Point] = {}
  for number in range(_ATTEMPTS * count):
    numbers = generator(seed, 'sweep', number)
    point = {name: axis.draw(numbers) for name, axis in axes.items()}
    drawn.setdefault(describe(point), point)
    if len(drawn) == count:
      return list(drawn.values())
  raise ValueError(
    f'random finds only {len(drawn)} different points; lower count, which is '
    f'{count}.'
  )


def chain(*parts: Sequence[Point]) -> list[Point]:
  """Returns the points of one part after those of another."""
  return list(itertools.chain(*parts))


def cross(*parts: Sequence[Point]) -> list[Point]:
  """Returns each point of each part with all of the others.

  Raises:
    ValueError: if two parts give one value.
  """
  names = [{name for point in part for name in point} for part in parts]
  for earlier, later in itertools.combinations(names, 2):
    if both := sorted(earlier & later):
      raise ValueError(
        f'cross has {", ".join(both)} in two of its parts; keep it in one.'
      )
  return [
    {name: value for point in points for name, value in point.items()}
    for points in itertools.product(*parts)
  ]


def describe(point: Mapping[str, Any]) -> str:
  """Returns a point in a line, with the ends of its names alone."""
  return ', '.join(
    f'{short_name(name)}={literal(value) or repr(value)}'
    for name, value in point.items()
  )


def short_name(name: str) -> str:
  """Returns a binding's name without its module."""
  return '.'.join(name.split('.')[-2:])


def _check_axes(axes: Mapping[str, Sequence[Any]]) -> None:
  if not axes:
    raise ValueError('there is no axis here; give NAME: [VALUE, ...].')
  for name, values in axes.items():
    if isinstance(values, str) or not isinstance(values, Sequence):
      raise ValueError(f'{name} has {values!r}; give a list of values.')
    if not values:
      raise ValueError(f'{name} has no value; give at least one.')
