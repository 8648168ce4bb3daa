"""What the trainings of tools/chaos read: docstrings of Python's own library.

They are on every machine, so that nothing has to be fetched.
"""

import ast
import json
import pathlib
import sysconfig
from collections.abc import Iterator

from gemb import files

MODULES = (
  'argparse',
  'calendar',
  'configparser',
  'datetime',
  'difflib',
  'fractions',
  'imaplib',
  'inspect',
  'ipaddress',
  'mailbox',
  'pathlib',
  'shutil',
  'smtplib',
  'statistics',
  'subprocess',
  'tarfile',
  'textwrap',
  'threading',
  'turtle',
  'zipfile',
)
EVERY = 8  # one of so many pairs is held out
CHARACTERS = 300  # of a function, from its beginning


def write_pairs(folder: pathlib.Path) -> None:
  """Writes pairs.jsonl and pairs_held_out.jsonl, unless they are there."""
  pairs = list(read_pairs())
  held_out = pairs[::EVERY]
  rest = [pair for number, pair in enumerate(pairs) if number % EVERY]
  for name, part in (('pairs', rest), ('pairs_held_out', held_out)):
    text = ''.join(json.dumps(pair) + '\n' for pair in part)
    path = folder / f'{name}.jsonl'
    if not path.is_file() or path.read_text(encoding='utf-8') != text:
      files.write_file(path, text)


def read_pairs() -> Iterator[dict[str, str]]:
  """Yields the first line of each docstring, and the function that has it."""
  seen = set()
  for module in MODULES:
    for function in _functions(module):
      docstring = ast.get_docstring(function) or ''
      query = docstring.strip().partition('\n')[0].strip()
      if len(query) > 12 and query not in seen:
        seen.add(query)
        yield {'query': query, 'positive': _code(function)}


def _functions(module: str) -> Iterator[ast.FunctionDef]:
  library = pathlib.Path(sysconfig.get_path('stdlib'))
  path = library / f'{module}.py'
  if not path.is_file():  # later versions make packages of some
    path = library / module / '__init__.py'
  tree = ast.parse(path.read_text(encoding='utf-8'))
  return (x for x in ast.walk(tree) if isinstance(x, ast.FunctionDef))


def _code(function: ast.FunctionDef) -> str:
  """Returns the beginning of a function, without its docstring."""
  function.body = function.body[1:] or [ast.Pass()]
  function.decorator_list = []
  return ast.unparse(function)[:CHARACTERS]
