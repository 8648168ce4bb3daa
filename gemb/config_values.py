"""The values of a gin file: what they may hold, and whether they fit a type.

A value is a Python literal in which references and macros stand as `Reference`
and `Macro`. No gin and no files here: `gemb/config.py` reads, and
`gemb/config_tree.py` builds.
"""

import contextlib
import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Any


class ConfigError(ValueError):
  """A mistake in a gin file or on the command line, told in one sentence."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reference:
  """`@scope/selector()`: the configurable to build there."""

  scope: str
  selector: str
  called: bool
  cls: Any = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Macro:
  """`%name`: the value that a macro holds."""

  name: str


def fit(value: Any, wanted: Any) -> Any:
  """`value` as a `wanted`, 1 as 1.0; raises TypeError where it does not fit."""
  origin, args = typing.get_origin(wanted), typing.get_args(wanted)
  if wanted is Any:
    return value
  if origin in (typing.Union, types.UnionType):
    for choice in args:
      with contextlib.suppress(TypeError):
        return fit(value, choice)
  elif origin is typing.Literal:
    if any(type(value) is type(arg) and value == arg for arg in args):
      return value
  elif origin is tuple and type(value) is tuple:
    each = args[:1] * len(value) if args[1:] == (...,) else args
    if len(each) == len(value):
      return tuple(map(fit, value, each))
  elif origin is dict and type(value) is dict:
    return {fit(k, args[0]): fit(v, args[1]) for k, v in value.items()}
  elif isinstance(value, Reference):
    if isinstance(wanted, type) and issubclass(value.cls, wanted):
      return value
  elif wanted is float and type(value) is int:
    return float(value)
  elif type(value) is wanted:
    return value
  raise TypeError


def remedy(got: Any, wanted: Any) -> str:
  """How to write `got` so that it fits, where that is plain to see."""
  choices: list[Any] = [tuple(got)] if type(got) is list else [(got,)]
  choices += [str(got)] if type(got) in (int, float) else []
  choices += [int(got)] if type(got) is float and got.is_integer() else []
  for choice in choices:
    with contextlib.suppress(TypeError):
      return f'; write {literal(fit(choice, wanted))}'
  return ''


def type_name(wanted: Any) -> str:
  """A type as one would write it."""
  origin, args = typing.get_origin(wanted), typing.get_args(wanted)
  if origin is typing.Literal:
    return ' | '.join(map(repr, args))
  if origin in (typing.Union, types.UnionType):
    return ' | '.join(map(type_name, args))
  plain = isinstance(wanted, type) and not args
  name = wanted.__name__ if plain else str(wanted)
  return name.replace('typing.', '').replace('NoneType', 'None')


def literal(
  value: Any, called: Callable[[Any], str] = lambda cls: cls.__name__
) -> str:
  """`value` as gin reads it, or '' where gin cannot."""
  if isinstance(value, Reference):
    scope = f'{value.scope}/' if value.scope else ''
    return f'@{scope}{called(value.cls)}()'
  if type(value) in (tuple, list):
    items = [literal(item, called) for item in value]
    comma = ',' if len(items) == 1 and type(value) is tuple else ''
    inside = ', '.join(items) + comma
    whole = f'[{inside}]' if type(value) is list else f'({inside})'
    return whole if all(items) else ''
  if type(value) is dict:
    pairs = [(literal(k), literal(v, called)) for k, v in value.items()]
    inside = ', '.join(f'{key}: {item}' for key, item in pairs)
    return f'{{{inside}}}' if all(map(all, pairs)) else ''
  if type(value) is float:
    # gin has no word for infinity, but a number too large is one.
    return '' if math.isnan(value) else repr(value).replace('inf', '1e999')
  return repr(value) if value is None or type(value) in (bool, int, str) else ''


def map_leaves(function: Callable[[Any], Any], value: Any) -> Any:
  """`value` with `function` applied to all that is no tuple, list or dict."""
  if type(value) in (tuple, list):
    return type(value)(map_leaves(function, item) for item in value)
  if type(value) is dict:
    return {key: map_leaves(function, item) for key, item in value.items()}
  return function(value)


def leaves(value: Any) -> Iterator[Any]:
  """All within `value` that is no tuple, list or dict."""
  if type(value) in (tuple, list, dict):
    for item in value.values() if type(value) is dict else value:
      yield from leaves(item)
  else:
    yield value


def nearest(word: str, known: Iterable[str]) -> str:
  """The end of a sentence: what `word` may have meant, or what there is."""
  folded = {name.casefold(): name for name in sorted(known)}
  close = difflib.get_close_matches(word.casefold(), folded, cutoff=0.7)
  if close:
    return f'; did you mean {" or ".join(folded[name] for name in close)}?'
  some = ', '.join(list(folded.values())[:8])
  more = ', ...' if len(folded) > 8 else ''
  return f'; known here: {some}{more}.' if some else '.'
