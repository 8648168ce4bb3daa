"""The file of a sweep: YAML, or Python that defines SWEEP.

  grid: {NAME: [VALUE, ...], ...}       each with all of the others
  zip: {NAME: [VALUE, ...], ...}        the first of all, the second of all, ...
  random: {count: 8, seed: 0, axes: {NAME: {log_uniform: [1.0e-4, 1.0e-2]}}}
  points: [{NAME: VALUE, ...}, ...]     as they are
  chain: [PART, ...]                    one part after another
  cross: [PART, ...]                    each point with those of all others
  search: {metric: NAME, trials: 8, seed: 0, startup: 4, axes: {...}}

A file is one of these, and so is a PART, but for a search. An axis of random
and search is one of choice, uniform, log_uniform and integers.
"""

import dataclasses
import pathlib
import runpy
from collections.abc import Callable, Sequence
from typing import Any

from gemb.config_values import nearest
from gemb.sweep import draws, points
from gemb.sweep.draws import Draw
from gemb.sweep.points import Point
from gemb.sweep.search import Search
from gemb.sweep.yaml_node import YamlNode, read_yaml

_DRAWS: dict[str, Callable[..., Draw]] = {
  'uniform': draws.uniform,
  'log_uniform': draws.log_uniform,
  'integers': draws.integers,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sweep:
  """What a file asks for.

  Attributes:
    file: its name, for messages.
    text: of it.
    points: to be run; none if there is a search.
    search: for what.
  """

  file: str
  text: str
  points: tuple[Point, ...] = ()
  search: Search | None = None


def read_sweep(path: pathlib.Path) -> Sweep:
  """Reads the file of a sweep.

  Raises:
    OSError: if it cannot be read.
    ValueError: if it is none; says where, and what to write.
  """
  if path.suffix not in ('.yaml', '.yml', '.py'):
    raise ValueError(
      f'--sweep={path} is neither .yaml nor .py; a sweep is written in one of '
      'them.'
    )
  text = path.read_text(encoding='utf-8')
  if path.suffix == '.py':
    found = _run_python(path)
  else:
    found = _read_root(read_yaml(text, str(path)))
  if isinstance(found, Search):
    return Sweep(file=str(path), text=text, search=found)
  if not found:
    raise ValueError(f'{path} has no point; give one at least.')
  return Sweep(file=str(path), text=text, points=tuple(found))


def _run_python(path: pathlib.Path) -> Any:
  try:
    names = runpy.run_path(str(path))
  except Exception as error:
    raise ValueError(f'{path}: {type(error).__name__}: {error}') from error
  if 'SWEEP' not in names:
    raise ValueError(
      f'{path} defines no SWEEP; write SWEEP = grid({{...}}), with grid from '
      'gemb.sweep.points.'
    )
  found = names['SWEEP']
  whole = isinstance(found, list | tuple) and all(
    isinstance(point, dict) for point in found
  )
  if not whole and not isinstance(found, Search):
    raise ValueError(
      f'{path}: SWEEP is {found!r}; wanted are points, a list of dictionaries, '
      'or a Search.'
    )
  return found


def _read_root(node: YamlNode) -> list[Point] | Search:
  key, inner = _only(node, {*_PARTS, 'search'})
  return _search(inner) if key == 'search' else _PARTS[key](inner)


def _part(node: YamlNode) -> list[Point]:
  key, inner = _only(node, _PARTS)
  return _PARTS[key](inner)


def _only(node: YamlNode, known: Any) -> tuple[str, YamlNode]:
  """Returns the one key of a mapping, and what it holds."""
  items = node.items()
  _check_known(items, known)
  if len(items) != 1:
    raise node.wrong(
      f'got {", ".join(items) or "nothing"} side by side, wanted one; put '
      'parts into chain: [...] or cross: [...].'
    )
  return next(iter(items.items()))


def _check_known(items: dict[str, YamlNode], known: Any) -> None:
  for key, value in items.items():
    if key not in known:
      raise value.wrong(f'there is no {key}{nearest(key, known)}')


def _axes(node: YamlNode) -> dict[str, Sequence[Any]]:
  return {
    name: [each.value() for each in axis.each()]
    for name, axis in node.items().items()
  }


def _combined(
  combine: Callable[[Any], list[Point]],
) -> Callable[[YamlNode], list[Point]]:
  return lambda node: _placed(node, lambda: combine(_axes(node)))


def _joined(
  join: Callable[..., list[Point]],
) -> Callable[[YamlNode], list[Point]]:
  return lambda node: _placed(node, lambda: join(*map(_part, _some(node))))


def _random(node: YamlNode) -> list[Point]:
  given = _settings(node, wanted=('axes', 'count'), others=('seed',))
  return _placed(node, lambda: points.random(**given))


def _search(node: YamlNode) -> Search:
  given = _settings(
    node, wanted=('axes', 'metric', 'trials'), others=('seed', 'startup')
  )
  if not isinstance(given['metric'], str):
    raise node.wrong(f'metric is {given["metric"]!r}; wanted is a name.')
  return _placed(node, lambda: Search(**given))


def _points(node: YamlNode) -> list[Point]:
  return [
    {name: value.value() for name, value in point.items().items()}
    for point in _some(node)
  ]


_PARTS: dict[str, Callable[[YamlNode], list[Point]]] = {
  'grid': _combined(points.grid),
  'zip': _combined(points.zip_),
  'random': _random,
  'points': _points,
  'chain': _joined(points.chain),
  'cross': _joined(points.cross),
}


def _some(node: YamlNode) -> list[YamlNode]:
  """Returns what a list holds, which is something."""
  if not (found := node.each()):
    raise node.wrong('got an empty list; give one part at least.')
  return found


def _settings(
  node: YamlNode, *, wanted: Sequence[str], others: Sequence[str]
) -> dict[str, Any]:
  """Returns axes and settings: numbers, all but the metric."""
  items = node.items()
  _check_known(items, (*wanted, *others))
  if missing := [name for name in wanted if name not in items]:
    raise node.wrong(f'{", ".join(missing)} is missing; give it here.')
  found: dict[str, Any] = {}
  for name, each in items.items():
    if name == 'axes':
      found[name] = {key: _draw(axis) for key, axis in each.items().items()}
      continue
    found[name] = each.value()
    if name != 'metric' and type(found[name]) is not int:
      raise each.wrong(f'{name} is {found[name]!r}; wanted is an integer.')
  return found


def _draw(node: YamlNode) -> Draw:
  key, inner = _only(node, (*_DRAWS, 'choice'))
  values = [each.value() for each in inner.each()]
  if key == 'choice':
    return _placed(inner, lambda: draws.choice(values))
  if len(values) != 2 or not all(type(v) in (int, float) for v in values):
    raise inner.wrong(
      f'{key} is {values}; wanted are two numbers, [LOW, HIGH].'
    )
  return _placed(inner, lambda: _DRAWS[key](*values))


def _placed(node: YamlNode, make: Callable[[], Any]) -> Any:
  """Returns what is made; what is wrong with it is told with its place."""
  try:
    return make()
  except ValueError as error:
    # An inner part has told its own.
    told = str(error).startswith(f'{node.file}:')
    raise (error if told else node.wrong(str(error))) from None
