r"""The declarations of a C++ header that have a comment directly above them.

No compiler: a scanner that knows comments, strings, brackets and statements,
and follows namespaces and types. It is right for headers of a usual style, and
what it does not understand it passes over.
"""

import dataclasses
import re
from collections.abc import Iterator

from gemb.data.harvest import cpp_heads

MAX_LINES = 40

_TOKEN = re.compile(
  r"""
  (?P<comment>//[^\n]*|/\*.*?\*/)
  |(?P<directive>^[ \t]*\#(?:\\\n|[^\n])*)
  |(?P<text>R"(?P<raw>[^(\s]*)\(.*?\)(?P=raw)"|"(?:\\.|[^"\\\n])*"
    |'(?:\\.|[^'\\\n])+')
  |(?P<label>\b(?:public|protected|private)\s*:(?!:))
  |(?P<bracket>[{}()])
  |(?P<end>;)
  |(?P<other>\d[\w'.]*|\w+|\S)
  """,
  re.VERBOSE | re.DOTALL | re.MULTILINE,
)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Declaration:
  """A declaration, and the comment above it.

  Attributes:
    comment: as it stands, with its marks.
    name: qualified by the types it is in, but not by namespaces.
    within: keyword and name of the type it is in, such as 'class Shape'; empty
      for what stands in a namespace.
    source: of the declaration, indented as it stands.
  """

  comment: str
  name: str
  within: str
  source: str


@dataclasses.dataclass(kw_only=True, slots=True)
class _Scope:
  """An open bracket.

  Attributes:
    bracket: '(' or '{'.
    start: where it stands.
    kind: 'class', 'struct' and the like for a type, 'namespace', or empty for
      all whose inside is passed over.
    name: of the type, qualified.
    statement: what opened a type.
    documented: whether a declaration of the type has a comment of its own.
  """

  bracket: str
  start: int
  kind: str = ''
  name: str = ''
  statement: '_Statement | None' = None
  documented: bool = False


@dataclasses.dataclass(kw_only=True, slots=True)
class _Statement:
  """What is being read: where it starts, and the comment directly above it."""

  start: int
  comment: str


def declarations(source: str) -> Iterator[Declaration]:
  r"""Yields the documented declarations of a header; a type after its members.

  Example:
    >>> [found] = declarations('// Adds one.\nint Add(int x) {\n  x;\n}\n')
    >>> found.name, found.source
    ('Add', 'int Add(int x)')
  """
  return _Scanner(source).scan()


class _Scanner:
  """Reads a header once, from its first to its last token."""

  def __init__(self, source: str):
    self.source = source
    self.scopes: list[_Scope] = []
    self.statement: _Statement | None = None
    self.block: tuple[int, int] | None = None  # The comment just read.

  def scan(self) -> Iterator[Declaration]:
    for token in _TOKEN.finditer(self.source):
      kind, start = token.lastgroup, token.start()
      if kind == 'comment':
        self._read_comment(start, token.end())
      elif kind in ('directive', 'label'):
        if kind == 'directive' or not self._passed_over():
          self.block = None
      elif token[0] in ')}':
        yield from self._close(token[0], token.end())
      elif token[0] in '({':
        self._begin(start)
        yield from self._open(token[0], start)
      elif kind == 'end':
        yield from self._end(start)
      else:
        self._begin(start)

  def _passed_over(self) -> bool:
    return any(not scope.kind for scope in self.scopes)

  def _read_comment(self, start: int, end: int) -> None:
    """Adds a comment to the lines just above it, or begins anew."""
    line = self.source.rfind('\n', 0, start) + 1
    if self.statement or self.source[line:start].strip():
      return
    if self.block and self._adjacent(self.block[1], start):
      self.block = self.block[0], end
    else:
      self.block = start, end

  def _adjacent(self, end: int, start: int) -> bool:
    between = self.source[end:start]
    return not between.strip() and between.count('\n') == 1

  def _begin(self, start: int) -> None:
    """Begins a statement with the comment above it, if none is begun."""
    if self.statement or self._passed_over():
      return
    comment = ''
    if self.block and self._adjacent(self.block[1], start):
      comment = self.source[slice(*self.block)]
    self.statement = _Statement(start=start, comment=comment)
    self.block = None

  def _open(self, bracket: str, start: int) -> Iterator[Declaration]:
    scope = _Scope(bracket=bracket, start=start)
    if bracket == '{' and self.statement and not self._passed_over():
      head = cpp_heads.plain(self.source[self.statement.start : start])
      if cpp_heads.is_namespace(head):
        scope.kind = 'namespace'
      elif found := cpp_heads.type_name(head):
        scope.kind, name = found
        scope.name = self._qualified(name)
        scope.statement = self.statement
      else:
        yield from self._function(head, start)
      self.statement = None if scope.kind else self.statement
    self.scopes.append(scope)

  def _close(self, bracket: str, end: int) -> Iterator[Declaration]:
    opening = '(' if bracket == ')' else '{'
    if opening == '{':
      while self.scopes and self.scopes[-1].bracket == '(':
        self.scopes.pop()  # Unbalanced: a macro.
    matching = self.scopes and self.scopes[-1].bracket == opening
    scope = self.scopes.pop() if matching else None
    if opening == '{' and not self._passed_over():
      self.statement = self.block = None
      if scope and scope.statement and scope.statement.comment:
        yield self._declare_type(scope, scope.statement, end)

  def _end(self, start: int) -> Iterator[Declaration]:
    if self._passed_over():
      return
    if self.statement:
      head = cpp_heads.plain(self.source[self.statement.start : start])
      yield from self._function(head, start + 1)
    self.statement = self.block = None

  def _function(self, head: str, end: int) -> Iterator[Declaration]:
    """Yields the statement up to `end`, if it is a documented function's."""
    types = [scope for scope in self.scopes if scope.name]
    of = types[-1].name.split('::')[-1] if types else ''
    name = cpp_heads.function_name(head, of=of)
    if name and self.statement and self.statement.comment:
      for scope in types:
        scope.documented = True
      yield self._declare(self.statement, name=name, end=end)

  def _declare_type(
    self, scope: _Scope, statement: _Statement, end: int
  ) -> Declaration:
    short = self.source.count('\n', statement.start, end) < MAX_LINES
    whole = short and not scope.documented
    for outer in self.scopes:
      outer.documented = True
    name = scope.name.split('::')[-1]
    end = end if whole else scope.start
    return self._declare(statement, name=name, end=end)

  def _declare(
    self, statement: _Statement, *, name: str, end: int
  ) -> Declaration:
    types = [scope for scope in self.scopes if scope.name]
    line = self.source.rfind('\n', 0, statement.start) + 1
    return Declaration(
      comment=statement.comment,
      name=self._qualified(name),
      within=f'{types[-1].kind} {types[-1].name}' if types else '',
      source=self.source[line:end].rstrip(),
    )

  def _qualified(self, name: str) -> str:
    types = [scope.name for scope in self.scopes if scope.name]
    return f'{types[-1]}::{name}' if types else name
