"""Docstring and function, from Python source that is parsed, never imported."""

import ast
import inspect
import pathlib
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator

from gemb.data.cleaning import Drop
from gemb.data.harvest import markup
from gemb.data.harvest.pairs import Pair

MIN_WORDS = 4
MIN_LINES = 4
MAX_LINES = 200

_SKIPPED_FOLDERS = frozenset(
  ['test', 'tests', 'idle_test', 'site-packages', 'dist-packages']
)
_TEST_FILE = re.compile(r'(?:test_.*|.*_tests?|conftest)\.py')

_NO_PROSE = re.compile(r'\.\. |>>>|:\w+')
_UNDERLINE = re.compile(r'[-=~^]{3,}')


def folder_modules(
  folder: pathlib.Path, *, package: str
) -> Iterator[tuple[str, bytes]]:
  """Yields (dotted name, source) of the modules under a folder, tests apart.

  Args:
    folder: a package's folder, or the standard library's.
    package: what the dotted names start with.
  """
  for path in sorted(folder.rglob('*.py')):
    relative = path.relative_to(folder)
    if _wanted(relative):
      yield _dotted(pathlib.PurePath(package) / relative), path.read_bytes()


def wheel_modules(wheel: pathlib.Path) -> Iterator[tuple[str, bytes]]:
  """Yields (dotted name, source) of the modules of a wheel, tests apart."""
  with zipfile.ZipFile(wheel) as archive:
    for name in sorted(archive.namelist()):
      path = pathlib.PurePosixPath(name)
      if path.suffix == '.py' and _wanted(path):
        yield _dotted(path), archive.read(name)


def read(modules: Iterable[tuple[str, bytes]]) -> Iterator[Pair | Drop]:
  """Yields the first paragraph of each docstring with its function.

  An id is MODULE:QUALIFIED_NAME, with '#2' behind a second definition:
  'shutil:copytree', 'abc:ABCMeta.register'.

  Args:
    modules: (dotted name, source) pairs.
  """
  for module, source in modules:
    try:
      text = source.decode('utf-8-sig')
      with warnings.catch_warnings():
        warnings.simplefilter('ignore', SyntaxWarning)
        warnings.simplefilter('ignore', DeprecationWarning)
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
      yield Drop.UNREADABLE
      continue
    lines = text.encode('utf-8').splitlines(keepends=True)
    names: dict[str, int] = {}
    for name, function in _functions(tree, prefix=''):
      names[name] = names.get(name, 0) + 1
      count = f'#{names[name]}' if names[name] > 1 else ''
      if ast.get_docstring(function, clean=False):
        yield _pair(function, lines, module=module, name=name + count)


def first_paragraph(docstring: str) -> str:
  r"""Returns the first paragraph on one line, without reST markup.

  A docstring that opens with code, a directive or a field has no such
  paragraph and gives the empty string.

  Example:
    >>> first_paragraph('Return the :class:`Foo` of ``x``.\n\nArgs: x.')
    'Return the Foo of x.'
  """
  paragraph = re.split(r'\n\s*\n', inspect.cleandoc(docstring))[0].strip()
  if _NO_PROSE.match(paragraph):
    return ''
  paragraph = _UNDERLINE.sub(' ', markup.plain_inline(paragraph))
  return ' '.join(paragraph.split())


def _pair(
  function: ast.FunctionDef | ast.AsyncFunctionDef,
  lines: list[bytes],
  *,
  module: str,
  name: str,
) -> Pair | Drop:
  query = first_paragraph(ast.get_docstring(function) or '')
  if len(query.split()) < MIN_WORDS:
    return Drop.SHORT_DOCSTRING
  positive = _without_docstring(function, lines)
  height = positive.count('\n') + 1
  if height < MIN_LINES:
    return Drop.SHORT_BODY
  if height > MAX_LINES:
    return Drop.LONG_BODY
  return Pair(
    id=f'{module}:{name}',
    group=module,
    language='python',
    query=query,
    positive=positive,
  )


def _without_docstring(
  function: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[bytes]
) -> str:
  """Returns the source with its decorators, dedented.

  Lines are bytes because `ast` counts columns in bytes of UTF-8.
  """
  docstring = function.body[0]
  start = min([function, *function.decorator_list], key=lambda n: n.lineno)
  head = lines[start.lineno - 1 : docstring.lineno]
  tail = lines[(docstring.end_lineno or 1) - 1 : function.end_lineno]
  around = head.pop()[: docstring.col_offset].rstrip()
  around += tail.pop(0)[docstring.end_col_offset :].lstrip(b' \t;')
  if around.strip():
    head.append(around)
  while tail and not tail[0].strip():
    del tail[0]
  source = b''.join([*head, *tail]).decode('utf-8')
  return _dedent(source, function.col_offset).strip()


def _dedent(source: str, columns: int) -> str:
  if not columns:
    return source
  return re.sub(rf'^[ \t]{{1,{columns}}}', '', source, flags=re.MULTILINE)


def _functions(
  node: ast.AST, *, prefix: str
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
  """Yields (qualified name, function) in the order of the source."""
  for child in ast.iter_child_nodes(node):
    if isinstance(child, ast.expr):
      continue  # Holds no definition, and is most of the tree.
    named = isinstance(
      child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    )
    name = f'{prefix}{child.name}' if named else ''
    if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
      yield name, child
    yield from _functions(child, prefix=f'{name}.' if named else prefix)


def _wanted(path: pathlib.PurePath) -> bool:
  return not _SKIPPED_FOLDERS.intersection(path.parts[:-1]) and not (
    _TEST_FILE.fullmatch(path.name)
  )


def _dotted(path: pathlib.PurePath) -> str:
  parts = path.with_suffix('').parts
  return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)
