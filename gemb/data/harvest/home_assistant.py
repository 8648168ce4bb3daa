"""Home Assistant's translations: JSON files that mirror an English one.

`components/DOMAIN/translations/LANGUAGE.json` holds the texts of one
integration; `PLATFORM.LANGUAGE.json` those of the states of its entities. The
same path in the English file holds the text that was translated.
"""

import collections
import functools
import json
import pathlib
import re
import zipfile
from collections.abc import Iterator

from gemb.data.cleaning import Drop
from gemb.data.harvest.pairs import Pair

_FILE = re.compile(
  r'homeassistant/components/(?P<domain>\w+)/translations/'
  r'(?P<platform>\w+\.)?(?P<language>[\w-]+)\.json'
)


def read(wheel: pathlib.Path) -> Iterator[Pair | Drop]:
  """Yields every translated text of the wheel with its English text.

  An id is DOMAIN:PATH:LANGUAGE, where the platform, if any, opens the path:
  'sensor:config.step.user.title:de', 'moon:sensor.state.moon__phase.full:de'.

  Args:
    wheel: the archive of homeassistant.
  """
  with zipfile.ZipFile(wheel) as archive:
    for (domain, platform), files in _by_source(archive).items():
      texts = functools.partial(_texts, archive, path=platform)
      english = dict(texts(files['en'])) if 'en' in files else {}
      for language in sorted(set(files) - {'en'}):
        for path, text in texts(files[language]):
          if language.startswith('en-'):
            yield Drop.ENGLISH
          elif path not in english:
            yield Drop.UNPAIRED
          else:
            yield Pair(
              id=f'{domain}:{path}:{language}',
              group=domain,
              language=language,
              query=text,
              positive=english[path],
            )


def _by_source(
  archive: zipfile.ZipFile,
) -> dict[tuple[str, str], dict[str, str]]:
  """Returns {(domain, platform): {language: file}}; the platform may be ''."""
  found = collections.defaultdict(dict)
  for name in sorted(archive.namelist()):
    if match := _FILE.fullmatch(name):
      source = match['domain'], (match['platform'] or '').rstrip('.')
      found[source][match['language']] = name
  return found


def _texts(
  archive: zipfile.ZipFile, name: str, *, path: str
) -> Iterator[tuple[str, str]]:
  return _leaves(json.loads(archive.read(name)), path)


def _leaves(node: object, path: str) -> Iterator[tuple[str, str]]:
  """Yields (path, text) of each text in a tree of dictionaries."""
  if isinstance(node, dict):
    for key, child in node.items():
      yield from _leaves(child, f'{path}.{key}' if path else key)
  elif isinstance(node, str):
    yield path, node
