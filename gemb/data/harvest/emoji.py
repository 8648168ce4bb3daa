"""The names of emoji in many languages.

`emoji/unicode_codes/emoji.json` holds the English names, and
`emoji_LANGUAGE.json` the others: ':smiling_face:' by emoji.
"""

import json
import pathlib
import re
import zipfile
from collections.abc import Iterator

from gemb.data import cleaning
from gemb.data.cleaning import Drop
from gemb.data.harvest.pairs import Pair

_FOLDER = 'emoji/unicode_codes'
_FILE = re.compile(rf'{_FOLDER}/emoji_(?P<language>\w+)\.json')
_SKIN_TONES = re.compile('[\U0001f3fb-\U0001f3ff]')
# Unicode puts like things together: this many code points are about a group of
# animals, of food, of faces.
_GROUP = 64


def read(wheel: pathlib.Path) -> Iterator[Pair | Drop]:
  """Yields the names of every emoji with its English name.

  An id is CODE-POINTS:LANGUAGE, as in '1f355:de'. Emoji of a skin tone are left
  out: half of all, and named like the one without.

  Args:
    wheel: the archive of emoji.
  """
  with zipfile.ZipFile(wheel) as archive:
    english = json.loads(archive.read(f'{_FOLDER}/emoji.json'))
    for file in sorted(archive.namelist()):
      if match := _FILE.fullmatch(file):
        for emoji, name in json.loads(archive.read(file)).items():
          yield _pair(emoji, name, english[emoji]['en'], match['language'])


def _pair(emoji: str, name: str, english: str, language: str) -> Pair | Drop:
  if _SKIN_TONES.search(emoji):
    return Drop.SKIN_TONE
  query, positive = _plain(name), _plain(english)
  return cleaning.reason(query, positive) or Pair(
    id=f'{"-".join(f"{ord(character):x}" for character in emoji)}:{language}',
    group=f'{ord(emoji[0]) // _GROUP:x}',
    language=language,
    query=query,
    positive=positive,
  )


def _plain(name: str) -> str:
  """Returns a name as one writes it.

  >>> _plain(':smiling_face_with_halo:')
  'smiling face with halo'
  """
  return ' '.join(name.strip(':').replace('_', ' ').split())
