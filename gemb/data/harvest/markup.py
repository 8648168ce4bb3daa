r"""Plain text out of reStructuredText and HTML, and passages of like length.

What a reader sees is kept; marks, targets and addresses go. Nothing is
rendered: a handful of rules is enough for texts that are only to be embedded.
"""

import html
import re

# About 500 tokens, as with the translations of `gemb.data.cleaning`.
MAX_CHARACTERS = 2000

_ROLE = re.compile(r':[\w:+-]+:`[~!]?([^`<]+?)(?:\s*<[^`>]*>)?`')
_LINK = re.compile(r'(?<!`)`([^`<]+?)\s*<[^`>]*>`__?')
_LITERAL = re.compile(r'`{1,2}~?([^`]+)`{1,2}_{0,2}')
_EMPHASIS = re.compile(r'(?<![\w*])\*{1,2}(\w[^*]*)\*{1,2}(?![\w*])')

_BREAK = re.compile(r'</?(?:p|br|li|ul|ol|dl|dt|dd|div|h\d|tr|table)\b[^<>]*>')
_TAG = re.compile(r'</?[a-zA-Z][^<>]*>')
_ENDS = re.compile(r'\n\n'), re.compile(r'(?<=[.!?])\s'), re.compile(r'\s')


def plain_inline(text: str) -> str:
  """Returns reStructuredText without roles, links, literals and emphasis.

  Example:
    >>> plain_inline('Return the :class:`~a.Foo` of ``x``, *not* of `y <u>`_.')
    'Return the a.Foo of x, not of y.'
  """
  text = _LINK.sub(r'\1', _ROLE.sub(r'\1', text))
  return _EMPHASIS.sub(r'\1', _LITERAL.sub(r'\1', text))


def plain_html(text: str) -> str:
  r"""Returns HTML as text, a line for each paragraph or item of a list.

  Example:
    >>> plain_html('<p>Adds a <code>tag</code>.</p> <p>Tags&#160;stay.</p>')
    'Adds a tag.\nTags stay.'
  """
  text = _BREAK.sub('\n', text.replace('\n', ' '))
  text = html.unescape(_TAG.sub('', text))
  lines = (' '.join(line.split()) for line in text.split('\n'))
  return '\n'.join(filter(None, lines))


def shortened(text: str, *, limit: int = MAX_CHARACTERS) -> str:
  """Returns the text, cut where it is longer than a limit.

  The cut is at the last end of a paragraph that keeps half the limit, else at
  such an end of a sentence, else of a word.

  Args:
    text: paragraphs, with an empty line between them.
    limit: in characters.

  Example:
    >>> shortened('One. Two. Three is long.', limit=12)
    'One. Two.'
  """
  if len(text) <= limit:
    return text
  for end in _ENDS:
    found = [match.start() for match in end.finditer(text, 0, limit + 1)]
    if found and found[-1] >= limit // 2:
      return text[: found[-1]]
  return text[:limit]
