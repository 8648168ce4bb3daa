r"""What a method of a web service is called, and its documentation.

Two libraries carry machine-readable descriptions of hundreds of services:
botocore those of AWS, google-api-python-client those of Google. The query is
the name of the service and the method's name in words ('Amazon Simple Queue
Service: Create queue'). The positive is its documentation as plain text, cut at
the end of a sentence near 2,000 characters; what has fewer than 8 words says no
more than the name and is dropped.
"""

import json
import pathlib
import re
import zipfile
from collections.abc import Iterator

from gemb.data.cleaning import Drop
from gemb.data.harvest import aws, markup
from gemb.data.harvest.pairs import Pair

MIN_WORDS = 8

_FILE = re.compile(
  r'googleapiclient/discovery_cache/documents/(?P<document>[^/]+)\.json'
)
_WORD = re.compile(r'[A-Z]{2,}s?(?![a-z])|[A-Z]?[a-z]+|[A-Z]|\d+')
_MARKDOWN_LINK = re.compile(r'\[([^\[\]]+)\]\((?:[^()\s]*)\)')


def read_aws(wheel: pathlib.Path) -> Iterator[Pair | Drop]:
  """Yields the operations of AWS, without the services held out.

  An id is SERVICE:OPERATION: 'sqs:CreateQueue'.

  Args:
    wheel: the archive of botocore.
  """
  for operation in aws.operations(wheel):
    if not aws.held_out(operation.service):
      yield _pair(
        operation.name,
        service=operation.service,
        query=f'{operation.service_name}: {in_words(operation.name)}',
        documentation=operation.documentation,
      )


def read_google(wheel: pathlib.Path) -> Iterator[Pair | Drop]:
  """Yields the methods of Google's services.

  The versions of a service describe the same methods: all are read, those in
  use before trials, and the first is kept when duplicates are dropped. An id
  is DOCUMENT:METHOD: 'drive.v3:files.copy'.

  Args:
    wheel: the archive of google-api-python-client.
  """
  with zipfile.ZipFile(wheel) as archive:
    for name in sorted(archive.namelist(), key=_trials_last):
      if match := _FILE.fullmatch(name):
        service = json.loads(archive.read(name))
        for path, documentation in _methods(service, path=()):
          *_, resource, method = (service['title'], *path)
          words = in_words(method)
          if len(path) > 1:
            words = f'{words} {in_words(resource).lower()}'
          yield _pair(
            '.'.join(path),
            service=match['document'],
            query=f'{service["title"]}: {words}',
            documentation=documentation,
          )


def in_words(name: str) -> str:
  """Returns a name in camel case as words.

  Example:
    >>> in_words('CreateDBSnapshot'), in_words('batchGet')
    ('Create DB snapshot', 'Batch get')
  """
  words = _WORD.findall(name)
  acronym = [word.removesuffix('s').isupper() for word in words]
  text = ' '.join(
    word if kept else word.lower()
    for word, kept in zip(words, acronym, strict=True)
  )
  return text[:1].upper() + text[1:]


def _trials_last(name: str) -> tuple[bool, str]:
  return 'alpha' in name or 'beta' in name, name


def _methods(
  node: dict, *, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str]]:
  """Yields (path, documentation) of each method under a resource."""
  for name, method in sorted(node.get('methods', {}).items()):
    yield (*path, name), method.get('description', '')
  for name, resource in sorted(node.get('resources', {}).items()):
    yield from _methods(resource, path=(*path, name))


def _pair(
  name: str, *, service: str, query: str, documentation: str
) -> Pair | Drop:
  plain = markup.plain_html(documentation.replace('\n\n', '<p>'))
  plain = _MARKDOWN_LINK.sub(r'\1', plain).replace('`', '')
  if len(plain.split()) < MIN_WORDS:
    return Drop.SHORT_TEXT
  return Pair(
    id=f'{service}:{name}',
    group=service,
    language='en',
    query=query,
    positive=markup.shortened(plain),
  )
