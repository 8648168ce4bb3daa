"""What gin bindings mean: values that know their line become one tree.

A `Binding` gives one parameter of one dataclass a value within a scope;
`build` makes the tree as gin would, `text` writes it down again, and the checks
raise where gin passes in silence. No gin and no files here: `gemb/config.py`
reads them.
"""

import dataclasses
import functools
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gemb.config_values import (
  ConfigError,
  Macro,
  Reference,
  fit,
  leaves,
  literal,
  map_leaves,
  nearest,
  remedy,
  type_name,
)

# What is built once: a scope, and a class within it.
Part = tuple[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Binding:
  """`name = value`, read at `where`; a macro's binding has no `cls`."""

  scope: str
  cls: Any
  param: str
  value: Any
  name: str
  source: str
  where: str


def check_given_once(bindings: Iterable[Binding]) -> None:
  """Raises ConfigError where one file, or the command line, repeats itself."""
  first: dict[Any, str] = {}
  for binding in bindings:
    key = (binding.source, binding.scope, binding.cls, binding.param)
    if key in first:
      raise ConfigError(
        f'{binding.where}: {binding.name} is given twice (first: '
        f'{first[key]}); keep one.'
      )
    first[key] = binding.where


def check_launched(
  bindings: Sequence[Binding], *, root: str, where: str
) -> None:
  """Raises ConfigError unless a job, and it alone, has a launch file behind.

  Args:
    bindings: of the files, in their order.
    root: the class that is wanted: a Job, or a Run and its like.
    where: the files.
  """
  classes = [b.cls.__name__ if b.cls else '' for b in bindings]
  if 'Job' not in classes:
    if root == 'Job':
      raise ConfigError(
        f'{where}: no file says where this is to run; name one of '
        'configs/launch last, such as configs/launch/local.gin.'
      )
    return
  first = classes.index('Job')
  job = bindings[first]
  if root != 'Job':
    raise ConfigError(
      f'{job.where}: a file of configs/launch is for `gemb launch`, and for '
      '`gemb sweep --job`; leave it out here.'
    )
  run = bindings[classes.index('Run')] if 'Run' in classes else job
  if 'Run' not in classes[:first] and run.source != job.source:
    raise ConfigError(
      f'{run.where}: the run stands behind {job.source}, and would override '
      'what that says of it; name the file of configs/launch last.'
    )


def substitute_macros(bindings: Iterable[Binding]) -> list[Binding]:
  """Puts the values of macros in their place.

  Args:
    bindings: those of parameters and those of macros.

  Returns:
    The bindings of parameters, now free of macros.

  Raises:
    ConfigError: a macro has no value, holds itself, or is never used.
  """
  macros = {b.param: b for b in bindings if b.cls is None}
  used: set[str] = set()

  def expand(leaf: Any, where: str, opened: tuple[str, ...] = ()) -> Any:
    if not isinstance(leaf, Macro):
      return leaf
    if leaf.name not in macros:
      raise ConfigError(
        f'{where}: the macro %{leaf.name} has no value'
        + nearest(leaf.name, macros)
      )
    if leaf.name in opened:
      raise ConfigError(f'{where}: the macro %{leaf.name} holds itself.')
    used.add(leaf.name)
    macro = macros[leaf.name]
    opened = (*opened, leaf.name)
    inner = functools.partial(expand, where=macro.where, opened=opened)
    return map_leaves(inner, macro.value)

  plain = []
  for b in bindings:
    value = map_leaves(functools.partial(expand, where=b.where), b.value)
    names = [leaf.name for leaf in leaves(b.value) if isinstance(leaf, Macro)]
    origins = (f' (%{name} from {macros[name].where})' for name in names)
    where = b.where + ''.join(origins)
    plain.append(dataclasses.replace(b, value=value, where=where))
  for macro in macros.values():
    if macro.param not in used:
      raise ConfigError(
        f'{macro.where}: nothing uses the macro {macro.param}'
        + nearest(macro.param, used)
      )
  return [binding for binding in plain if binding.cls is not None]


def check_type(binding: Binding) -> Binding:
  """Fits a binding's value to the type of its field.

  Args:
    binding: free of macros.

  Returns:
    The binding, with 1 as 1.0 where the field is a float.

  Raises:
    ConfigError: the value is of another type.
  """
  wanted = _types(binding.cls)[binding.param]
  try:
    value = fit(binding.value, wanted)
  except TypeError:
    got = binding.value
    kind = got.cls if isinstance(got, Reference) else type(got)
    raise ConfigError(
      f'{binding.where}: {binding.name} = {literal(got) or repr(got)} has type '
      f'{type_name(kind)}, wanted {type_name(wanted)}{remedy(got, wanted)}.'
    ) from None
  return dataclasses.replace(binding, value=value)


@functools.cache
def _types(cls: Any) -> dict[str, Any]:
  """Returns the types of a class's fields; working them out takes long."""
  return typing.get_type_hints(cls)


def check_received(bindings: Sequence[Binding], *, root: Part) -> None:
  """Raises where a binding reaches no part of the tree that `root` begins.

  A binding that a later or a more deeply scoped one overrides has done its
  duty, and so has all that hangs on it.

  Args:
    bindings: all of them, free of macros.
    root: the outermost part.

  Raises:
    ConfigError: a binding's scope or configurable is nowhere in the tree.
  """
  parts: set[Part] = set()
  waiting = [root]
  while waiting:
    part = waiting.pop()
    if part not in parts:
      parts.add(part)
      for binding in _visible(bindings, part):
        waiting += [
          (leaf.scope or part[0], leaf.cls)
          for leaf in leaves(binding.value)
          if isinstance(leaf, Reference)
        ]
  for b in bindings:
    if not any(b.cls is c and _within(s, b.scope) for s, c in parts):
      raise ConfigError(_unreceived(b, parts))


def _unreceived(binding: Binding, parts: Iterable[Part]) -> str:
  problem = f'{binding.where}: nothing receives {binding.name}'
  scopes = {s for s, _ in parts if s}
  if binding.scope and not any(_within(s, binding.scope) for s in scopes):
    near = nearest(binding.scope, scopes)
    return f'{problem}: no reference enters the scope {binding.scope}/{near}'
  name = binding.cls.__name__
  inside = f' in the scope {binding.scope}/' if binding.scope else ''
  there = ', '.join(sorted({c.__name__ for _, c in parts}))
  return f'{problem}: no reference builds {name}{inside}; in use: {there}.'


def _within(scope: str, outer: str) -> bool:
  return not outer or f'{scope}/'.startswith(f'{outer}/')


def _visible(bindings: Iterable[Binding], part: Part) -> list[Binding]:
  """The bindings for a part; the deepest, then the latest, comes last."""
  scope, cls = part
  seen = [b for b in bindings if b.cls is cls and _within(scope, b.scope)]
  return sorted(seen, key=lambda b: len(b.scope))


def _winners(bindings: Iterable[Binding], part: Part) -> dict[str, Binding]:
  # In the order of the fields, so that equal trees are written equally.
  last = {b.param: b for b in _visible(bindings, part)}
  names = [field.name for field in dataclasses.fields(part[1])]
  return {name: last[name] for name in names if name in last}


def build(
  part: Part,
  *,
  bindings: Sequence[Binding],
  built: dict[Part, Any],
  where: str,
) -> Any:
  """Builds a part, and first what it refers to; each part once.

  Args:
    part: scope and class of what to build.
    bindings: all of them, checked.
    built: every part that was built so far, outer parts first; added to.
    where: the reference to this part, for messages.

  Returns:
    An instance of the part's class.

  Raises:
    ConfigError: a field has no value, a part refers to itself, or the class
      refused its values.
  """
  scope, cls = part
  name = f'{scope}/{cls.__name__}' if scope else cls.__name__
  if part in built:
    if built[part] is None:
      raise ConfigError(f'{where}: {name} is a part of itself.')
    return built[part]
  built[part] = None
  winners = _winners(bindings, part)
  _check_complete(cls, winners, name=name, where=where)

  def resolve(leaf: Any, where: str) -> Any:
    if not isinstance(leaf, Reference):
      return leaf
    inner = (leaf.scope or scope, leaf.cls)
    return build(inner, bindings=bindings, built=built, where=where)

  values = {
    param: map_leaves(functools.partial(resolve, where=b.where), b.value)
    for param, b in winners.items()
  }
  try:
    built[part] = cls(**values)
  except ValueError as error:
    # The sentence names the fields it is about: send the reader to those.
    said = [b.where for param, b in winners.items() if param in str(error)]
    places = ', '.join(dict.fromkeys(said or [where]))
    raise ConfigError(f'{places}: {name}: {error}') from error
  return built[part]


def _check_complete(
  cls: Any, given: Iterable[str], *, name: str, where: str
) -> None:
  missing = [
    field.name
    for field in dataclasses.fields(cls)
    if field.init
    and field.name not in given
    and field.default is dataclasses.MISSING
    and field.default_factory is dataclasses.MISSING
  ]
  if missing:
    wanted = ', '.join(f'{name}.{param}' for param in missing)
    raise ConfigError(f'{where}: {name} lacks a value; bind {wanted}.')


def text(built: Iterable[Part], *, bindings: Sequence[Binding]) -> str:
  """Writes the operative config.

  Args:
    built: the parts of a tree, in the order to write them.
    bindings: those that the tree was built from.

  Returns:
    A gin program with every value of these parts, bound or default.
  """
  names = _module_names({cls.__module__ for _, cls in built})
  lines = ['from __gin__ import dynamic_registration', '']
  for module, name in sorted(names.items()):
    folder, _, last = module.rpartition('.')
    alias = '' if name == last else f' as {name}'
    lines.append(f'{f"from {folder} " * bool(folder)}import {last}{alias}')

  def called(cls: Any) -> str:
    return f'{names[cls.__module__]}.{cls.__qualname__}'

  for scope, cls in built:
    lines.append('')
    winners = _winners(bindings, (scope, cls))
    prefix = f'{scope}/{called(cls)}' if scope else called(cls)
    for field in dataclasses.fields(cls):
      if field.init:
        value = _value(field, winners)
        written = literal(value, called)
        # A default that gin cannot write comes from the class on each load.
        hidden = '' if written else '# '
        shown = written or ' '.join(repr(value).split())
        lines.append(f'{hidden}{prefix}.{field.name} = {shown}')
  return '\n'.join(lines) + '\n'


def _value(field: dataclasses.Field, winners: dict[str, Binding]) -> Any:
  if field.name in winners:
    return winners[field.name].value
  if field.default is not dataclasses.MISSING:
    return field.default
  return typing.cast(Callable[[], Any], field.default_factory)()


def _module_names(modules: Iterable[str]) -> dict[str, str]:
  """A name for each module: its last part, or all where that is ambiguous."""
  last = [module.rpartition('.')[2] for module in modules]
  return {
    module: module.replace('.', '_') if last.count(name) > 1 else name
    for module, name in zip(modules, last, strict=True)
  }
