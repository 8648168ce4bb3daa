r"""What is to be done, and the shell command for it: examples of the AWS CLI.

Each command of the AWS CLI has a file of examples in reStructuredText: a
heading ('**To delete a bucket**'), an introduction ('The following
``delete-bucket`` example deletes a bucket. ::') and a literal block.

- The positive is the first command of a block that opens with one; lines that
  the shell would join are joined.
- The query is the first sentence of the introduction from its verb on ('Deletes
  a bucket.'), so that it does not name the command. Where the introduction does
  not open in this way, it is the heading without 'Example 1: To'.
- Dropped are queries of fewer than four words, commands of more than 2,000
  characters, and those that a quotation mark leaves open.
"""

import pathlib
import re
import textwrap
import zipfile
from collections.abc import Iterator

from gemb.data.cleaning import Drop
from gemb.data.harvest import aws, markup
from gemb.data.harvest.pairs import Pair

MIN_WORDS = 4

_FILE = re.compile(r'awscli/examples/(?P<service>[\w-]+)/(?P<name>.+)\.rst')
_BLOCK = re.compile(r'(?:^[ \t]+\S.*\n|^[ \t]*\n)+', re.MULTILINE)
_HEADING = re.compile(r'^\*\*(.+?)\*\*', re.MULTILINE)
_NUMBER = re.compile(r'^(?:Examples? ?\d*\s*[:.-]*\s*)?(?:\(?\d+[.):]\s*)?')
_OPENING = re.compile(
  r'(?:In )?(?:the following|this|the) (?:code )?examples? '
  r'(?:(?:shows|demonstrates|illustrates)(?: you)? how to |uses example to )?'
  r'(?=[a-z]{3,} )',
  re.IGNORECASE,
)
_NOT_SAID = re.compile(r'(?:runs|is|are|was|output|assumes|requires|shows)\b')
_SENTENCE_END = re.compile(r'(?<=[a-z0-9)][.:])\s+(?=[A-Z])')


def read(wheel: pathlib.Path, *, held_out: bool) -> Iterator[Pair | Drop]:
  """Yields description and command of each example.

  An id is SERVICE/COMMAND:NUMBER: 's3api/create-bucket:2'.

  Args:
    wheel: the archive of awscli.
    held_out: whether to read the services that are never trained on, or all
      others; see `aws.held_out`.
  """
  with zipfile.ZipFile(wheel) as archive:
    for file in sorted(archive.namelist()):
      match = _FILE.fullmatch(file)
      if match and held_out == aws.held_out(match['service']):
        text = archive.read(file).decode('utf-8')
        yield from _pairs(text, service=match['service'], name=match['name'])


def _pairs(text: str, *, service: str, name: str) -> Iterator[Pair | Drop]:
  found = examples(text, name=name.split('/')[-1])
  for number, (query, command) in enumerate(found, start=1):
    if len(query.split()) < MIN_WORDS:
      yield Drop.SHORT_TEXT
    elif not command:
      yield Drop.UNREADABLE
    elif len(command) > markup.MAX_CHARACTERS:
      yield Drop.OVERLONG
    else:
      yield Pair(
        id=f'{service}/{name}:{number}',
        group=service,
        language='shell',
        query=query,
        positive=command,
      )


def examples(text: str, *, name: str) -> Iterator[tuple[str, str]]:
  r"""Yields (description, command) of each example of a file.

  Either may be empty: the example then has none that could be read.

  Args:
    text: reStructuredText.
    name: of the command that the file is about.

  Example:
    >>> intro = 'The following ``rb`` example removes a bucket. ::'
    >>> list(examples(f'{intro}\n\n  aws s3 rb \\\n    s3://b\n', name='rb'))
    [('Removes a bucket.', 'aws s3 rb s3://b')]
  """
  text = text.replace('\r\n', '\n') + '\n'
  end = 0
  for block in _BLOCK.finditer(text):
    lines = textwrap.dedent(block[0]).strip('\n').split('\n')
    if lines[0].startswith('aws '):
      before = text[end : block.start()]
      headings = _HEADING.findall(before)
      introduction = before.strip().split('\n\n')[-1]
      query = description(introduction, name=name)
      yield query or (title(headings[-1]) if headings else ''), joined(lines)
      end = block.end()


def description(introduction: str, *, name: str) -> str:
  """Returns what an introduction says that an example does.

  It is empty where the introduction opens in no known way.

  Args:
    introduction: one paragraph of reStructuredText.
    name: of the command, which is left out.

  Example:
    >>> description('The ``tag`` command adds a tag to it. ::', name='tag')
    'Adds a tag to it.'
    >>> description('This runs in a shell.', name='tag')
    ''
  """
  text = ' '.join(markup.plain_inline(introduction).split())
  called = rf'(?:the )?\b{re.escape(name)}\b'
  for pattern, plain in (
    (rf'{called} (?:code )?(?:command|example|operation)s?', 'example'),
    (rf'^(The following) {called}(?= [a-z])', r'\1 example'),
    (rf'\buses {called} to ', 'uses example to '),
    (r'\b(?:example|command)(?: (?:example|command))+', 'example'),
    (r'^(The following|This|The) command\b', r'\1 example'),
  ):
    text = re.sub(pattern, plain, text)
  opening = _OPENING.match(text)
  if not opening or _NOT_SAID.match(text, opening.end()):
    return ''
  said = _SENTENCE_END.split(text[opening.end() :])[0].rstrip(' :')
  return f'{said[0].upper()}{said[1:].removesuffix(".")}.'


def title(heading: str) -> str:
  """Returns what a heading says, without a number and 'To'.

  Example:
    >>> title('Example 2: To delete a bucket:')
    'Delete a bucket.'
  """
  text = ' '.join(_NUMBER.sub('', markup.plain_inline(heading)).split())
  text = text.removeprefix('To ').rstrip(' .:')
  return f'{text[:1].upper()}{text[1:]}.'


def joined(lines: list[str]) -> str:
  r"""Returns the first command of a shell session, on one line.

  It is empty where a quotation mark is left open.

  Example:
    >>> joined(["aws sns publish \\", "  --message 'Two", "  lines'", 'Output'])
    "aws sns publish --message 'Two lines'"
  """
  command, quoted = '', False
  for line in lines:
    command = f'{command} {line.strip()}'
    quoted = any(command.count(mark) % 2 for mark in '\'"')
    if command.endswith(('\\', ' /', ' ^')):
      command = command[:-1].rstrip()
    elif not quoted:
      break
  return '' if quoted else command.strip()
