r"""Comment and declaration, from C++ headers.

The query is the first paragraph of the comment directly above a function, a
method, a class, a struct or an enum, in plain words. The positive is the
declaration up to its ';' or '{', under a line that names the class it is in. A
type has its members too where none of them has a comment of its own (which
makes it the answer to another query) and they take no more than 40 lines.

Only what stands in namespaces and types is read, not the inside of functions.
Left out are fields, macros, `using` and forward declarations. Dropped are
comments of fewer than four words of prose and declarations of fewer than three
names, and, as no prose: licences, titles of sections (with rules), tasks to be
done, and code.
"""

import pathlib
import re
import textwrap
from collections.abc import Iterable, Iterator

from gemb.data.cleaning import Drop
from gemb.data.harvest import cpp_declarations
from gemb.data.harvest.pairs import Pair

MIN_WORDS = 4
MIN_NAMES = 3
# Of the characters of prose: code, formulas and drawings have more.
MAX_SIGNS = 0.12

_SKIPPED_FOLDERS = frozenset(['external', 'third_party', 'testing', 'vendored'])
_SKIPPED_FILE = re.compile(
  r'.*(?:\.pb|\.proto|_generated|_test|_testlib|test_utils?|_pb)\.h|test_.*\.h'
)

_MARKS = re.compile(r'^[ \t]*(?://[/!]?<?|/\*+<?|\*(?!/))?[ \t]?', re.MULTILINE)
_END = re.compile(r'\s*\*+/\s*$')
_LEGAL = re.compile(r'copyright|licensed under|\bSPDX\b', re.IGNORECASE)
_RULE = re.compile(r'^\W*([-=*#~/+_])\1{3,}', re.MULTILINE)
_TOOLS = re.compile(
  r'(?://\s*)?(?:NOLINT\w*|IWYU pragma|clang-format o|LINT\.)[^\n]*'
)
_TASK = re.compile(r'\b(?:TODO|FIXME|XXX|HACK)\b.*', re.DOTALL)
_NOTE = re.compile(r'\bNOTE\s?(?:\([\w., -]*\))?:?\s*')
_STATEMENT = re.compile(r'[(=<].*[;{}]$', re.DOTALL)
_SIGNS = re.compile(r'[(){}\[\]<>;=|&*+/\\_#^~]')
_GROUP = re.compile(
  r'[\\@](?:(?:in|addto|def|weak)group|class|struct|enum|fn|name|file|[{}])[^\n]*',
  re.MULTILINE,
)
_SECTION = re.compile(
  r'(?:[\\@](?:t?param|returns?|throws?|note|pre|post|see|sa|since|code|remark'
  r'|deprecated|warning|example|li|tparam|relates|overload|copydoc|internal)\b'
  r'|^[A-Z]\w+:$).*',
  re.DOTALL | re.MULTILINE,
)
_COMMAND = re.compile(
  r'[\\@](?:brief|short|details|[abcep]|ref|link|endlink)\b ?'
)
_QUOTES = re.compile(r'`+|\\\\[()]|\$')


def headers(folder: pathlib.Path) -> Iterator[tuple[str, str]]:
  """Yields (path, text) of the headers under a folder, sorted.

  Headers for tests, copies of other projects' and those that a program wrote
  are left out.

  Args:
    folder: one of an include path; paths start with its name.
  """
  for path in sorted(folder.rglob('*.h')):
    name = path.relative_to(folder.parent)
    if _SKIPPED_FOLDERS.isdisjoint(name.parts) and not (
      _SKIPPED_FILE.fullmatch(path.name)
    ):
      yield name.as_posix(), path.read_text('utf-8', errors='replace')


def read(texts: Iterable[tuple[str, str]]) -> Iterator[Pair | Drop]:
  """Yields the comments of headers with what they are about.

  An id is HEADER:NAME, with '#2' behind a second declaration of it:
  'xla/shape_util.h:ShapeUtil::IsScalar'.

  Args:
    texts: (path, source) of each header.
  """
  for header, source in texts:
    names: dict[str, int] = {}
    for found in cpp_declarations.declarations(source):
      names[found.name] = names.get(found.name, 0) + 1
      count = f'#{names[found.name]}' if names[found.name] > 1 else ''
      query = prose(found.comment)
      positive = textwrap.dedent(found.source)
      if not query:
        yield Drop.NO_PROSE
      elif len(re.findall(r'[A-Za-z]{2,}', query)) < MIN_WORDS:
        yield Drop.SHORT_DOCSTRING
      elif len(re.findall(r'\w+', positive)) < MIN_NAMES:
        yield Drop.SHORT_BODY
      else:
        within = f'// {found.within}\n' if found.within else ''
        yield Pair(
          id=f'{header}:{found.name}{count}',
          group=header,
          language='c++',
          query=query,
          positive=within + positive,
        )


def prose(comment: str) -> str:
  r"""Returns the first paragraph of a comment on one line, without marks.

  It is empty where the comment is no prose.

  Example:
    >>> prose('/// \\brief Number of\n/// `rows`.\n///\n/// \\param x: no')
    'Number of rows.'
    >>> prose('// return (x);')
    ''
  """
  text = _MARKS.sub('', _END.sub('', comment))
  if _LEGAL.search(text) or _RULE.search(text):
    return ''
  text = _GROUP.sub('', _TOOLS.sub('', text)).strip()
  for paragraph in re.split(r'\n\s*\n', text):
    paragraph = _TASK.sub('', _SECTION.sub('', paragraph)).strip()
    if paragraph:
      break
  else:
    return ''
  signs = len(_SIGNS.findall(paragraph)) / len(paragraph)
  if signs > MAX_SIGNS or _STATEMENT.search(paragraph):
    return ''
  paragraph = _QUOTES.sub('', _COMMAND.sub('', paragraph))
  return ' '.join(_NOTE.sub('', paragraph).split())
