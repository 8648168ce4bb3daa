"""Names of languages, territories, scripts and currencies, out of Babel.

`babel/locale-data/LOCALE.dat` is a pickle of what Unicode's CLDR knows about a
locale. A pickle may name any function to be called; here it may name the four
classes that Babel's files do, and gets an empty one in their place.
"""

import io
import pathlib
import pickle
import re
import zipfile
from collections.abc import Collection, Iterator

from gemb.data import cleaning
from gemb.data.cleaning import Drop
from gemb.data.harvest.catalogues import language_tag
from gemb.data.harvest.pairs import Pair

NAMES = ('languages', 'scripts', 'territories')
CURRENCIES = ('currency_names',)

_FILE = re.compile(r'babel/locale-data/(?P<locale>\w+)\.dat')
_CLASSES = {
  ('babel.dates', 'DateTimePattern'),
  ('babel.localedata', 'Alias'),
  ('babel.numbers', 'NumberPattern'),
  ('babel.plural', 'PluralRule'),
}


def read(
  wheel: pathlib.Path, *, kinds: Collection[str]
) -> Iterator[Pair | Drop]:
  """Yields every name of a locale with the English name of the same thing.

  An id is KIND:CODE:LANGUAGE, as in 'territories:JP:de'.

  Args:
    wheel: the archive of babel.
    kinds: `NAMES` or `CURRENCIES`.

  Raises:
    pickle.UnpicklingError: a file names another class than Babel's own.
  """
  with zipfile.ZipFile(wheel) as archive:
    english = load(archive.read('babel/locale-data/en.dat'))
    for file in sorted(archive.namelist()):
      match = _FILE.fullmatch(file)
      if not match or match['locale'] in ('en', 'root'):
        continue
      names = load(archive.read(file))
      for kind in kinds:
        for code, name in names.get(kind, {}).items():
          yield _pair(
            id_=f'{kind}:{code}',
            language=language_tag(match['locale']),
            name=name,
            english=english[kind].get(code),
          )


def load(content: bytes) -> dict:
  """Returns what a locale's file holds, with the names as text.

  Raises:
    pickle.UnpicklingError: it names another class than Babel's own.
  """
  return _Unpickler(io.BytesIO(content)).load()


class _Empty:
  """Takes the place of Babel's classes, whose contents are not wanted."""

  def __init__(self, *args: object):
    del args

  def __setstate__(self, state: object) -> None:
    del state


class _Unpickler(pickle.Unpickler):
  """Calls nothing that a file names."""

  def find_class(self, module: str, name: str) -> type:
    if (module, name) not in _CLASSES:
      raise pickle.UnpicklingError(
        f'A file of locale data names {module}.{name}; only classes of Babel '
        'that hold data were wanted. It is not read: the archive is not what '
        'it should be.'
      )
    return _Empty


def _pair(
  *, id_: str, language: str, name: object, english: object
) -> Pair | Drop:
  if language.split('-')[0] == 'en':
    return Drop.ENGLISH
  if not isinstance(name, str) or not isinstance(english, str):
    return Drop.UNPAIRED  # one is an alias of another locale's
  return cleaning.reason(name, english) or Pair(
    id=f'{id_}:{language}',
    group=id_.split(':')[0],
    language=language,
    query=name,
    positive=english,
  )
