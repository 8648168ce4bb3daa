r"""Cleaning of a sentence and its translation.

Program texts hold markup and placeholders: '<b>{title}</b> was locked',
'%(n)s pages', '[docs]({url})'. Both are stripped from both sides. They could be
kept, being equal on both sides, but then a model (or BM25) could match a
sentence with its translation by the name of a placeholder, and understand
neither. What is left reads like speech with a name left out ('The {name} device
requires a password' -> 'The device requires a password').

Left alone: URLs in plain text and identifiers, which are part of the sentence.
"""

import enum
import functools
import html
import re
import unicodedata

MIN_LETTERS = 2
MAX_CHARACTERS = 2000


class Drop(enum.StrEnum):
  """Why a pair was dropped; the value heads a column of the corpora' table."""

  ENGLISH = 'English variant'
  UNPAIRED = 'no English text'
  UNANSWERED = 'no answer'
  NEAR_EMPTY = 'near-empty'
  OVERLONG = 'overlong'
  IDENTICAL = 'identical sides'
  SHORT_DOCSTRING = 'short docstring'
  NO_PROSE = 'no prose'
  SHORT_BODY = 'short body'
  LONG_BODY = 'long body'
  SHORT_TEXT = 'short text'
  SURPLUS = 'surplus of a class'
  SKIN_TONE = 'skin tone'
  DUPLICATE = 'duplicate'
  UNREADABLE = 'unreadable file'


_BREAKS = re.compile(r'</?(?:br|p|li|ul|ol|div|h\d|td|tr)\b[^<>]*>')
_TAGS = re.compile(r'</?[a-zA-Z][^<>]*>')
_LINKS = re.compile(r'!?\[([^\[\]]*)\]\([^()\s]*\)')
# Home Assistant's [%key:...%], {name}, {{ name }}, %(name)s, %s and %1$s.
_PLACEHOLDER = (
  r'(?:\[%key:[^\[\]]*%\]|\{\{[^{}]*\}\}|\{[^{}]*\}'
  r'|%\(\w+\)[#0+-]*[\d.]*[a-zA-Z]|%(?:\d+\$)?[sdrif](?!\w))'
)
# A run such as '{host}:{port}', with the quotes or brackets it leaves empty.
_RUN = rf'{_PLACEHOLDER}(?:[\s:,/@-]*{_PLACEHOLDER})*'
_QUOTED = re.compile(rf'["\'`«„“”‘「『(\[]\s*{_RUN}\s*["\'`»“”’」』)\]]|{_RUN}')
_EMPHASIS = re.compile(r'[*`]+')
# Byte order marks, soft hyphens and direction marks; the joiners of Persian and
# of Indic scripts are letters of their words and stay.
_INVISIBLE = re.compile('[\u200b\u200e\u200f\u2060\ufeff\u00ad]')
_STRAY_SPACE = re.compile(r'\s+(?=[.,)。、])')
_EDGE = ' :;,-–—/|'


@functools.lru_cache(maxsize=2**16)
def clean_text(text: str) -> str:
  """Returns the text without markup and placeholders, on one line.

  Args:
    text: one message of a program, in any language.

  Example:
    >>> clean_text('Open the [docs]({url}) of <b>{name}</b>.')
    'Open the docs of.'
    >>> clean_text("{entity}: update to '%(version)s' &amp; restart")
    'update to & restart'
  """
  text = unicodedata.normalize('NFC', _INVISIBLE.sub('', text))
  text = _LINKS.sub(r'\1', _TAGS.sub('', _BREAKS.sub(' ', text)))
  text = html.unescape(_EMPHASIS.sub('', _QUOTED.sub('', text)))
  text = _STRAY_SPACE.sub('', text.replace('%%', '%'))
  return ' '.join(text.split()).strip(_EDGE)


@functools.lru_cache(maxsize=2**16)
def letters(text: str) -> str:
  """Returns the letters and digits, casefolded: two equal ones say the same.

  Example:
    >>> letters('Wi-Fi 6!')
    'wifi6'
  """
  return ''.join(filter(str.isalnum, text)).casefold()


def clean_pair(query: str, positive: str) -> tuple[str, str] | Drop:
  """Cleans both sides of a pair.

  A text is near-empty below two letters: what lies below are initials of months
  ('M') and units ('°'), the same in many languages and a match for anything. A
  text over 2,000 characters (about 500 tokens) is a legal notice or a log.

  Args:
    query: the translation.
    positive: the English text.

  Returns:
    The clean (query, positive), or the reason to drop the pair.
  """
  query, positive = clean_text(query), clean_text(positive)
  return reason(query, positive) or (query, positive)


def reason(query: str, positive: str) -> Drop | None:
  """Returns why a pair of clean texts has to be dropped, if it has to."""
  for text in query, positive:
    if sum(map(str.isalpha, text)) < MIN_LETTERS:
      return Drop.NEAR_EMPTY
    if len(text) > MAX_CHARACTERS:
      return Drop.OVERLONG
  if letters(query) == letters(positive):
    return Drop.IDENTICAL
  return None
