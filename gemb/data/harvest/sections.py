r"""Title and text of a section, from reStructuredText documents.

The query is the document's title with the section's. The positive is the text
of that section alone, up to the next title of any level:

- paragraphs and items of lists, each on one line, without marks;
- notes, warnings, and the descriptions of functions and settings, with their
  signatures;
- code as it stands.

Left out are labels, targets, comments, tables, pictures, tables of contents,
field lists and every other directive. What is long is cut at a paragraph near
2,000 characters; what has fewer than 12 words is dropped.
"""

import itertools
import pathlib
import re
import tarfile
import textwrap
from collections.abc import Iterable, Iterator

from gemb.data.cleaning import Drop
from gemb.data.harvest import markup
from gemb.data.harvest.pairs import Pair

MIN_WORDS = 12

_RULE = re.compile(r'([=\-~^"\'`#*+.:_])\1{2,}\s*')
_DIRECTIVE = re.compile(r'\.\. (?:\w+:)?(?P<name>[\w-]+)::(?P<argument>.*)')
_ITEM = re.compile(r'(?:[*+-]|#\.|\d+[.)]) ')
_TABLE = re.compile(r'^[=+|-][=+| -]{4,}$', re.MULTILINE)
_FIELD = re.compile(r':[\w -]+:(?!`)')
_FOOTNOTE = re.compile(r'\s?\[#?\w*\]_')
_ANONYMOUS = re.compile(r'\b([A-Z]\w*?)__(?!\w)')

_CODE = re.compile(r'code|code-block|console|sourcecode|parsed-literal')
_CHANGES = re.compile(r'versionadded|versionchanged|deprecated')
_ASIDES = re.compile(
  r'admonition|attention|caution|danger|error|glossary|hint|important|note'
  r'|rubric|seealso|sidebar|tip|topic|warning'
)
_SIGNATURES = re.compile(
  r'attribute|class|classmethod|data|decorator|exception|function|method'
  r'|staticmethod'
)
_NAMES = re.compile(
  r'confval|directive|django-admin|django-admin-option|event|option|role'
  r'|setting|templatefilter|templatetag'
)


def documents(
  sdist: pathlib.Path, *, folder: str, suffix: str
) -> Iterator[tuple[str, str]]:
  """Yields (path without suffix, text) of the documents of a source archive.

  Args:
    sdist: a .tar.gz with one folder, NAME-VERSION, in it.
    folder: where the documents lie in that folder.
    suffix: of their names, such as '.rst'.
  """
  with tarfile.open(sdist, 'r:gz') as archive:
    for member in archive:
      path = pathlib.PurePosixPath(*member.name.split('/')[1:])
      wanted = path.suffix == suffix and path.parts[:1] == (folder,)
      if wanted and (file := archive.extractfile(member)):
        name = path.relative_to(folder).with_suffix('').as_posix()
        yield name, file.read().decode('utf-8')


def read(texts: Iterable[tuple[str, str]]) -> Iterator[Pair | Drop]:
  """Yields the titles of each document with their texts.

  An id is DOCUMENT:NUMBER-TITLE: 'topics/cache:2-memcached'. The number is the
  section's place in its document.

  Args:
    texts: (name, reStructuredText) of each document.
  """
  for name, text in texts:
    found = list(sections(text))
    for number, (title, lines) in enumerate(found):
      passage = '\n\n'.join(paragraphs(lines))
      if len(passage.split()) < MIN_WORDS:
        yield Drop.SHORT_TEXT
        continue
      words = '-'.join(re.findall(r'\w+', title.lower())[:5])
      whole = title if number == 0 else f'{found[0][0]}: {title}'
      yield Pair(
        id=f'{name}:{number}-{words}',
        group=name,
        language='en',
        query=whole,
        positive=markup.shortened(passage),
      )


def sections(text: str) -> Iterator[tuple[str, list[str]]]:
  r"""Yields (title, lines of its own text) of each section, in order.

  Example:
    >>> list(sections('Cache\n=====\nFast.\n\nRedis\n-----\nFaster.\n'))
    [('Cache', ['Fast.', '']), ('Redis', ['Faster.'])]
  """
  lines = text.expandtabs().splitlines()
  heads: list[tuple[int, int]] = []
  for i, (line, under) in enumerate(itertools.pairwise(lines)):
    over = i > 0 and bool(_RULE.fullmatch(lines[i - 1]))
    titled = over or not line.startswith(' ')
    ruled = _RULE.fullmatch(under) and not _RULE.fullmatch(line)
    if titled and ruled and 0 < len(line.strip()) <= len(under.rstrip()):
      heads.append((i - over, i))
  ends = [*heads, (len(lines), 0)]
  for (_, i), (end, _) in itertools.pairwise(ends):
    yield _inline(lines[i].strip()), lines[i + 2 : end]


def paragraphs(lines: list[str]) -> Iterator[str]:
  r"""Yields the paragraphs of a text, and its code, as a reader sees them.

  Example:
    >>> list(paragraphs(['.. note:: Use', '   *one*::', '', '       a = 1']))
    ['Use one:', 'a = 1']
  """
  i = 0
  while i < len(lines):
    line, end = lines[i], i + 1
    if line.startswith(('.. ', '__ ')) or line == '..':
      end = _indented_end(lines, i + 1)
      yield from _explicit(line, lines[i + 1 : end])
    elif line.startswith(' '):
      end = _indented_end(lines, i)
      yield from paragraphs(_dedented(lines[i:end]))
    elif line:
      end = _paragraph_end(lines, i)
      text = '\n'.join(lines[i:end])
      yield from _paragraph(text)
      if text.endswith('::'):
        start, end = end, _indented_end(lines, end)
        yield from _code(lines[start:end])
    i = end


def _paragraph(text: str) -> Iterator[str]:
  if text == '::' or _TABLE.search(text) or _FIELD.match(text):
    return
  plain = _inline(' '.join(text.split()))
  yield plain[:-1] if plain.endswith('::') else plain


def _explicit(line: str, body: list[str]) -> Iterator[str]:
  """Yields what is read of a directive, whose options are left out.

  Labels, targets, footnotes and comments are explicit markup too.
  """
  directive = _DIRECTIVE.fullmatch(line)
  if not directive:
    return
  name, argument = directive['name'], directive['argument'].strip()
  body = _dedented(body)
  while body and (not body[0] or _FIELD.match(body[0])):
    body = body[1:]
  if _CODE.fullmatch(name):
    yield from _code(body)
  elif _ASIDES.fullmatch(name):
    yield from paragraphs([argument, *body])
  elif _CHANGES.fullmatch(name):
    yield from paragraphs(body)
  elif _SIGNATURES.fullmatch(name) or (_NAMES.fullmatch(name) and any(body)):
    yield _inline(argument)  # A name alone is the anchor of the next title.
    yield from paragraphs(body)


def _code(lines: list[str]) -> Iterator[str]:
  code = '\n'.join(_dedented(lines)).strip('\n')
  if code:
    yield code


def _inline(text: str) -> str:
  text = _FOOTNOTE.sub('', text.replace('\\ ', ''))
  return markup.plain_inline(_ANONYMOUS.sub(r'\1', text))


def _indented_end(lines: list[str], start: int) -> int:
  """Returns where the blank and indented lines from `start` on end."""
  for i in range(start, len(lines)):
    if lines[i] and not lines[i].startswith(' '):
      return i
  return len(lines)


def _paragraph_end(lines: list[str], start: int) -> int:
  """Returns where the paragraph at `start` ends: a list's items are many."""
  listed = _ITEM.match(lines[start])
  for i in range(start + 1, len(lines)):
    if not lines[i].strip() or (listed and _ITEM.match(lines[i])):
      return i
  return len(lines)


def _dedented(lines: list[str]) -> list[str]:
  return textwrap.dedent('\n'.join(lines)).split('\n')
