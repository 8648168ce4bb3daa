r"""What a C++ statement declares, told by its head: all up to ';' or '{'."""

import re

_COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/', re.DOTALL)
# Also a macro with arguments in front of a declaration: DEPRECATED("Use g.").
_ATTRIBUTE = re.compile(
  r'\[\[.*?\]\]|(?:__attribute__|alignas|__declspec)\s*\(+[^()]*\)+'
  r'|^[A-Z][A-Z0-9_]+\((?:[^()]|\([^()]*\))*\)(?=\s*\w)'
)
_TEMPLATE = re.compile(r'template\s*(?=<)')
_ARGUMENTS = re.compile(r'<[^<>]*>')

_NAMESPACE = re.compile(r'(?:inline )?namespace\b.*|extern\s*"[^"]*"')
_TYPE = re.compile(
  r'(?:typedef )?(?P<kind>enum(?: class| struct)?|class|struct|union)\b'
  r'(?P<name>[^:<(={]*)(?P<next>.?)'
)
_OPERATOR = re.compile(r'\boperator\s*(?:\(\)|\[\]|[^\w\s(]+|[\w:<>* ]+?)\s*\(')
_FUNCTION = re.compile(r'(?P<before>[^(=]*?)(?P<name>~?\b[A-Za-z_]\w*)\s*\(')
_KEYWORD = re.compile(
  r'asm|case|decltype|delete|do|else|for|friend|goto|if|namespace|new|return'
  r'|sizeof|static_assert|switch|throw|typedef|using|while'
)


def plain(head: str) -> str:
  r"""Returns a head on one line, without comments, templates and attributes.

  Example:
    >>> plain('template <typename T>\n[[nodiscard]] T* Get()')
    'T* Get()'
  """
  head = ' '.join(_COMMENT.sub('', head).split())
  while _TEMPLATE.match(head):
    head = head[_list_end(head) :].strip()
  return _ATTRIBUTE.sub('', head).strip()


def is_namespace(head: str) -> bool:
  """Says whether a plain head opens what may hold declarations, but no type."""
  return bool(_NAMESPACE.fullmatch(head))


def type_name(head: str) -> tuple[str, str] | None:
  """Returns (keyword, name) of the type that a plain head and '{' define.

  Example:
    >>> type_name('class EXPORT Shape final : public Base')
    ('class', 'Shape')
    >>> type_name('struct tm Now()')
  """
  found = _TYPE.match(head)
  if not found or found['next'] in ('(', '='):
    return None
  names = [name for name in found['name'].split() if name != 'final']
  return (found['kind'], names[-1]) if names else None


def function_name(head: str, *, of: str) -> str:
  """Returns the name of the function that a plain head declares.

  It is empty where it declares none: a field, a macro, a statement.

  Args:
    head: a plain head.
    of: the type it is in, whose constructor has no type of its own; may be
      empty.

  Example:
    >>> function_name('virtual ~Shape()', of='Shape')
    '~Shape'
    >>> function_name('std::function<int(int)> callback', of='Shape')
    ''
  """
  words = head.split(maxsplit=1)
  if not words or _KEYWORD.fullmatch(words[0]):
    return ''
  if operator := _OPERATOR.search(head):
    return operator[0][:-1].strip()
  before = ''
  while before != head:
    before, head = head, _ARGUMENTS.sub('', head)
  found = _FUNCTION.match(head)
  if not found:
    return ''
  name, before = found['name'], found['before']
  if name.isupper() or _KEYWORD.fullmatch(name):
    return ''
  own = name.removeprefix('~') == of
  typed = before.strip() and '.' not in before and '->' not in before
  return name if own or typed else ''


def _list_end(head: str) -> int:
  """Returns where the first list in angle brackets ends."""
  depth = 0
  for i, character in enumerate(head):
    depth += (character == '<') - (character == '>' and head[i - 1] != '-')
    if character == '>' and depth == 0:
      return i + 1
  return len(head)
