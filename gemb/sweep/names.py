"""What a binding such as OptimizerConfig.learning_rate names in a run.

A gin file names a value with its module, which `whole_name` finds; a command
line, and so a sweep, with the end of it.
"""

import contextlib
import dataclasses
import typing
from collections.abc import Iterator
from typing import Any

from gemb.config_values import fit, leaves, literal, nearest
from gemb.run import Run


def whole_name(run: Run, name: str) -> str:
  """Returns a value's name with its module.

  Args:
    run: that has the value.
    name: any end of it, 'Class.parameter' at least; 'scope/' may be before it.

  Raises:
    ValueError: if the run has no such value, or several.
  """
  scope, slash, plain = name.rpartition('/')
  cls, _, parameter = plain.rpartition('.')
  parts = {_class_name(part): part for part in _parts(run)}
  found = [whole for whole in parts if f'.{whole}'.endswith(f'.{cls}')]
  if not cls or not found:
    known = [whole.rpartition('.')[2] for whole in parts]
    if not cls:
      raise ValueError(
        f'{name} is no name of a value; write CLASS.PARAMETER, such as '
        'OptimizerConfig.learning_rate.'
      )
    raise ValueError(f'the run has no {cls}' + nearest(cls, known))
  if len(found) > 1:
    raise ValueError(
      f'{cls} may be {" or ".join(sorted(found))}; write more of the name.'
    )
  fields = [f.name for f in dataclasses.fields(parts[found[0]]) if f.init]
  if parameter not in fields:
    raise ValueError(
      f'{cls} has no parameter {parameter}' + nearest(parameter, fields)
    )
  return f'{scope}{slash}{found[0]}.{parameter}'


def canonical(run: Run, name: str, value: Any) -> Any:
  """Returns a value as all that are equal to it are written.

  That is 1 as 1.0 in a field of floats, and a dictionary in the order of its
  keys. One that does not fit stays as it is.

  Args:
    run: that has the value.
    name: the whole one.
    value: that it is to have.
  """
  part, parameter = _named(run, name)[0]
  with contextlib.suppress(TypeError):
    value = fit(value, typing.get_type_hints(type(part))[parameter])
  return _in_order(value)


def value_in(run: Run, name: str) -> Any:
  """Returns the value of a whole name; None where the run has several."""
  found = _values(run, name)
  return found[0] if len(found) == 1 else None


def has_value(run: Run, name: str, value: Any) -> bool:
  """Returns whether a run has a value wherever its whole name says.

  A name with a scope says one part at least, any other all of its class.
  """
  found = [each == value for each in _values(run, name)]
  return any(found) if '/' in name else all(found)


def _values(run: Run, name: str) -> list[Any]:
  return [getattr(part, parameter) for part, parameter in _named(run, name)]


def _named(run: Run, name: str) -> list[tuple[Any, str]]:
  """Returns the parts of a whole name's class, each with the parameter."""
  cls, _, parameter = name.rpartition('/')[2].rpartition('.')
  return [(part, parameter) for part in _parts(run) if _class_name(part) == cls]


def _in_order(value: Any) -> Any:
  if type(value) is dict:
    return {key: _in_order(value[key]) for key in sorted(value, key=literal)}
  if type(value) in (tuple, list):
    return type(value)(map(_in_order, value))
  return value


def _parts(tree: Any) -> Iterator[Any]:
  """Yields the dataclasses within a tree, and it first."""
  yield tree
  for field in dataclasses.fields(tree):
    for leaf in leaves(getattr(tree, field.name)):
      if dataclasses.is_dataclass(leaf):
        yield from _parts(leaf)


def _class_name(part: Any) -> str:
  return f'{type(part).__module__}.{type(part).__qualname__}'
