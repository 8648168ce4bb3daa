"""Reads gin files into one frozen Run, and lets no mistake pass in silence.

gin's evaluator lives in module globals that outlast a failed parse, and it
accepts misspelt scopes, unused macros, wrong types, and bindings that nothing
receives. So gin's parser alone is used here, and what the statements mean
(dynamic registration, scopes, macros) is worked out here and in
`config_tree.py` on plain values that know their file and line. A test holds
that gin itself builds the same tree from the same files and from the operative
text.

Stricter than gin: configurables are dataclasses, references end in `()`, and a
macro holds a plain value.
"""

import dataclasses
import functools
import importlib
import pathlib
import pkgutil
import re
import tokenize
from collections.abc import Callable, Sequence
from typing import Any

from gin import config_parser

from gemb.config_tree import (
  Binding,
  Part,
  build,
  check_given_once,
  check_launched,
  check_received,
  check_type,
  substitute_macros,
  text,
)
from gemb.config_values import (
  ConfigError,
  Macro,
  Reference,
  leaves,
  map_leaves,
  nearest,
)

__all__ = ['ConfigError', 'load']

_REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
_COMMAND_LINE = 'command line'
_REGISTRATION = '__gin__.dynamic_registration'
_BARE_WORDS = re.compile(r'(?=.*[A-Za-z])[\w./~][\w ./~:|,-]*')
# The line of a syntax error may hold a good value, after an open bracket.
_NO_STRING = re.compile(r'None|True|False|[\d.]+e[-+]?\d+')


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Program:
  """All that the files and the command line say, in the order they say it."""

  bindings: list[Binding] = dataclasses.field(default_factory=list)
  names: dict[str, Any] = dataclasses.field(default_factory=dict)
  read_at: dict[pathlib.Path, str] = dataclasses.field(default_factory=dict)


def load(
  files: Sequence[str],
  bindings: Sequence[str] = (),
  *,
  root: str = 'Run',
  program_of: str = '',
) -> tuple[Any, str]:
  """Builds the frozen tree that the gin files and bindings describe.

  Args:
    files: paths of .gin files, relative to the working directory or to the
      folder that holds `configs/`. Later files win over earlier ones.
    bindings: `NAME=VALUE` strings from the command line, which win over the
      files. `OptimizerConfig.learning_rate=1e-4` needs no import: any module
      that a file imports is known.
    root: name of the dataclass at the root of the tree.
    program_of: name of one that the root refers to, whose gin program is
      returned in place of the root's: the run of a job, say.

  Returns:
    The tree, and the operative config: a gin program with every value that
    the tree was built from, which `load` reads to an equal tree.

  Raises:
    ConfigError: a name, a value or a file is wrong. It says where, and what
      is nearest.
  """
  program = _Program()
  for file in files:
    _read_file(file, program, where=_COMMAND_LINE)
  where = ', '.join(files) or _COMMAND_LINE
  check_launched(program.bindings, root=root, where=where)
  for binding in bindings:
    _read_command_line(binding, program)
  check_given_once(program.bindings)
  plain = substitute_macros(program.bindings)
  typed = [check_type(binding) for binding in plain]

  def build_all(name: str) -> tuple[Any, dict[Part, Any]]:
    part = ('', _find(name, program.names, where=where, exact=False))
    if name == root:
      check_received(typed, root=part)
    built: dict[Part, Any] = {}
    return build(part, bindings=typed, built=built, where=where), built

  tree, built = build_all(root)
  if program_of:
    _, built = build_all(program_of)
  return tree, text(built, bindings=typed)


# Reading: files and the command line become bindings with resolved names.


def _read_file(file: str, program: _Program, *, where: str) -> None:
  path = _locate(file, where=where)
  if path in program.read_at:
    raise ConfigError(
      f'{where}: {file} was already read ({program.read_at[path]}), and would '
      'override what stands between; name it once.'
    )
  program.read_at[path] = where
  names: dict[str, Any] | None = None
  for statement in _parse(_text_of(path, where=where), file):
    here = f'{file}:{statement.location.line_num}'
    match statement:
      case config_parser.ImportStatement(module=module):
        if names is None and module != _REGISTRATION:
          raise ConfigError(
            f'{here}: the first import must be '
            "'from __gin__ import dynamic_registration'; add it above."
          )
        names = (names or {}) | _import(statement, program.names, where=here)
      case config_parser.IncludeStatement(filename=included):
        _read_file(included, program, where=here)
      case config_parser.BindingStatement():
        binding = _bind(statement, names or {}, file, here, exact=True)
        program.bindings.append(binding)


def _read_command_line(given: str, program: _Program) -> None:
  statements = _parse(given, _COMMAND_LINE)
  if len(statements) != 1 or not isinstance(
    statements[0], config_parser.BindingStatement
  ):
    raise ConfigError(
      f'{_COMMAND_LINE}: got {given!r}, wanted one NAME=VALUE, for example '
      'Run.seed=1.'
    )
  program.bindings.append(
    _bind(
      statements[0], program.names, _COMMAND_LINE, _COMMAND_LINE, exact=False
    )
  )


def _locate(file: str, *, where: str) -> pathlib.Path:
  """Finds `file` beneath the working directory or the repository."""
  paths = [base / file for base in (pathlib.Path.cwd(), _REPOSITORY)]
  for path in paths:
    if path.is_file():
      return path.resolve()
  folder = next((p.parent for p in paths if p.parent.is_dir()), None)
  if folder is None:
    raise ConfigError(
      f'{where}: there is no file {file}, nor a folder '
      f'{pathlib.Path(file).parent}; the path is relative to the working '
      'directory or to the repository.'
    )
  raise ConfigError(
    f'{where}: there is no file {file}'
    + nearest(paths[0].name, (p.name for p in folder.glob('*.gin')))
  )


def _text_of(path: pathlib.Path, *, where: str) -> str:
  try:
    return path.read_text(encoding='utf-8')
  except (OSError, UnicodeDecodeError) as error:
    raise ConfigError(f'{where}: cannot read {path} ({error}).') from None


class _Delegate(config_parser.ParserDelegate):
  """Keeps gin's references and macros as values, to be resolved later."""

  def configurable_reference(self, scoped_configurable_name, evaluate) -> Any:
    scope, _, selector = scoped_configurable_name.rpartition('/')
    return Reference(scope=scope, selector=selector, called=evaluate)

  def macro(self, macro_name) -> Any:
    return Macro(name=macro_name)


def _parse(text: str, source: str) -> list[Any]:
  """The statements of one gin text."""
  statements = []
  try:
    parser = config_parser.ConfigParser(text, _Delegate())
    while statement := parser.parse_statement():
      statements.append(statement)
    return statements
  except SyntaxError as error:
    line, problem = error.lineno or 1, error.msg
  except tokenize.TokenError as error:
    line, problem = error.args[1][0], error.args[0]
  except (StopIteration, TypeError) as error:
    line, problem = text.count('\n') + 1, str(error) or 'unexpected end'
  raise ConfigError(_unreadable(text, source, line, problem))


def _unreadable(text: str, source: str, line: int, problem: str) -> str:
  """Says why a statement cannot be parsed, and how to write it."""
  lines = text.rstrip().splitlines() or ['']
  content = lines[min(line, len(lines)) - 1].strip()
  name, _, value = (part.strip() for part in content.partition('='))
  value = value.split(' #')[0].strip()
  by_hand = source == _COMMAND_LINE
  where = source if by_hand else f'{source}:{line}'
  if value in ('true', 'false', 'none'):
    return f'{where}: {name} got {value}; write {value.capitalize()}.'
  if _BARE_WORDS.fullmatch(value) and not _NO_STRING.fullmatch(value):
    fix = f'--gin.{name}="{value!r}"' if by_hand else f'{name} = {value!r}'
    return f'{where}: a string needs quotes; write {fix}.'
  problem = re.sub(r'(?s).*Failed to parse token', 'cannot read', problem)
  return f'{where}: cannot parse {content!r} ({" ".join(problem.split())}).'


def _import(
  statement: Any, known: dict[str, Any], *, where: str
) -> dict[str, Any]:
  """Imports a module; returns its dataclasses by the names the file sees."""
  module = statement.module
  if module == _REGISTRATION:
    return {}
  try:
    contents = vars(importlib.import_module(module))
  except ImportError as error:
    # A module that is there may itself lack another one: say which.
    name = error.name or ''
    missing = name and f'{module}.'.startswith(f'{name}.')
    problem = _no_module(name) if missing else f' fails: {error}.'
    raise ConfigError(f'{where}: importing {module}{problem}') from None
  whole = not statement.is_from and not statement.alias
  bound = module if whole else statement.bound_name()
  classes = {
    name: value
    for name, value in contents.items()
    if isinstance(value, type) and dataclasses.is_dataclass(value)
  }
  local = {f'{bound}.{name}': cls for name, cls in classes.items()}
  known |= local | {f'{module}.{name}': cls for name, cls in classes.items()}
  return local


def _no_module(module: str) -> str:
  parent, _, last = module.rpartition('.')
  package = importlib.import_module(parent) if parent else None
  folder = getattr(package, '__path__', []) if package else None
  beside = [found.name for found in pkgutil.iter_modules(folder)]
  return f': there is no module {module}' + nearest(last, beside)


def _bind(
  statement: Any, names: dict[str, Any], source: str, where: str, *, exact: bool
) -> Binding:
  """A statement's binding, once its configurables and parameter are known."""
  scope, selector, param, value, _ = statement
  name = '/'.join(filter(None, (scope, selector)))
  find = functools.partial(_find, names=names, where=where, exact=exact)
  if not param:
    if any(isinstance(leaf, Reference) for leaf in leaves(value)):
      raise ConfigError(
        f'{where}: the macro {name} holds a reference; a macro holds a plain '
        'value, so bind the reference where it belongs.'
      )
    cls, param, scope = None, name, ''
  else:
    cls, name = find(selector), f'{name}.{param}'
    fields = [field.name for field in dataclasses.fields(cls) if field.init]
    if param not in fields:
      raise ConfigError(
        f'{where}: {selector} has no parameter {param}' + nearest(param, fields)
      )
  return Binding(
    scope=scope,
    cls=cls,
    param=param,
    value=map_leaves(lambda leaf: _resolve(leaf, find, where), value),
    name=name,
    source=source,
    where=where,
  )


def _resolve(leaf: Any, find: Callable[[str], Any], where: str) -> Any:
  """Finds the class that a reference builds."""
  if not isinstance(leaf, Reference):
    return leaf
  if not leaf.called:
    raise ConfigError(
      f'{where}: @{leaf.selector} names a class and builds nothing; write '
      f'@{leaf.selector}().'
    )
  return dataclasses.replace(leaf, cls=find(leaf.selector))


def _find(
  selector: str, names: dict[str, Any], *, where: str, exact: bool
) -> Any:
  """The one class with this name, whole in a file, its end elsewhere."""
  found = {
    cls
    for name, cls in names.items()
    if name == selector or (not exact and name.endswith(f'.{selector}'))
  }
  if len(found) == 1:
    return found.pop()
  if found:
    full = sorted(f'{cls.__module__}.{cls.__qualname__}' for cls in found)
    raise ConfigError(
      f'{where}: {selector} may be {" or ".join(full)}; write more of the name.'
    )
  # Names are compared at the length they were written: X with Y, a.X with a.Y.
  length = selector.count('.') + 1
  alike = {'.'.join(name.split('.')[-length:]) for name in names}
  known = 'imported here' if exact else 'imported by the files'
  raise ConfigError(
    f'{where}: no configurable {selector} is {known}' + nearest(selector, alike)
  )
