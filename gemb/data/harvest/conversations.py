"""ChatterBot's conversations: YAML files of questions and answers by topic.

`chatterbot_corpus/data/LANGUAGE/TOPIC.yml` holds lists of utterances. Only the
first two of a list are paired: what follows is another answer in one file, and
the answer to the answer in the next.
"""

import dataclasses
import pathlib
import re
import zipfile
from collections.abc import Iterable, Iterator

import yaml

from gemb.data import cleaning
from gemb.data.cleaning import Drop
from gemb.data.harvest.pairs import Pair
from gemb.data.labels import Labelled

_FILE = re.compile(r'chatterbot_corpus/data/(?P<name>\w+/(?P<topic>\w+))\.yml')
# libyaml's loader where it was compiled in: ten times as fast.
_LOADER = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)

# A dozen Latin letters or four Chinese characters: 'Who is Mozart' has a topic,
# 'Of course' has none.
_MIN_BYTES = 12

# Questions and answers on these are never trained on, in any language. No
# answer to them is given on another topic too.
HELD_OUT_TOPICS = frozenset({'history', 'money', 'politics', 'sports'})

_LANGUAGES = {
  'bengali': 'bn',
  'chinese': 'zh-Hans',
  'dutch': 'nl',
  'english': 'en',
  'french': 'fr',
  'german': 'de',
  'hebrew': 'he',
  'hindi': 'hi',
  'hinglish': 'hi-Latn',
  'indonesian': 'id',
  'italian': 'it',
  'japanese': 'ja',
  'korean': 'ko',
  'marathi': 'mr',
  'oriya': 'or',
  'persian': 'fa',
  'portuguese': 'pt',
  'russian': 'ru',
  'spanish': 'es',
  'swedish': 'sv',
  'tamil': 'ta',
  'telugu': 'te',
  'thai': 'th',
  'traditionalchinese': 'zh-Hant',
  'turkish': 'tr',
  'ukrainian': 'uk',
  'urdu': 'ur',
  'yoruba': 'yo',
}
# One name for one topic, in English; others are named as their files are.
_TOPICS = {
  'IA': 'artificial intelligence',
  'ai': 'artificial intelligence',
  'botprofile': 'the robot itself',
  'computer': 'computers',
  'compliment': 'compliments',
  'coversations': 'conversations',
  'dinero': 'money',
  'emociones': 'emotion',
  'emotions': 'emotion',
  'greeting': 'greetings',
  'history_brasil': 'history',
  'origen': 'the robot itself',
  'perfilbot': 'the robot itself',
  'profile': 'the robot itself',
  'psicologia': 'psychology',
  'sport': 'sports',
  'unilab': 'university',
}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
  """Utterances of two speakers in turn, or several answers to the first.

  Attributes:
    id: LANGUAGE/TOPIC:NUMBER, after the file.
    language: BCP-47 tag.
    topic: in English, the same in all languages.
    utterances: at least one.
  """

  id: str
  language: str
  topic: str
  utterances: tuple[str, ...]


def read(wheel: pathlib.Path) -> Iterator[Conversation]:
  """Yields all conversations, file by file in alphabetical order.

  Args:
    wheel: the archive of chatterbot-corpus.

  Raises:
    KeyError: a file is in a language that has no tag here.
  """
  with zipfile.ZipFile(wheel) as archive:
    for file in sorted(archive.namelist()):
      if match := _FILE.fullmatch(file):
        language = _LANGUAGES[match['name'].split('/')[0]]
        topic = _TOPICS.get(match['topic'], match['topic'].replace('_', ' '))
        content = yaml.load(archive.read(file), _LOADER)
        for i, found in enumerate(content['conversations']):
          utterances = found if isinstance(found, list) else [found]
          yield Conversation(
            id=f'{match["name"]}:{i}',
            language=language,
            topic=topic,
            utterances=tuple(str(text).strip() for text in utterances),
          )


def answers(conversations: Iterable[Conversation]) -> Iterator[Pair | Drop]:
  """Yields the question and the first answer of each conversation.

  Negatives come from the same file: answers on the same topic in the same
  language.
  """
  for conversation in conversations:
    if len(conversation.utterances) < 2:
      yield Drop.UNANSWERED
      continue
    query, positive = conversation.utterances[:2]
    yield cleaning.reason(query, positive) or Pair(
      id=conversation.id,
      group=conversation.id.rpartition(':')[0],
      language=conversation.language,
      query=query,
      positive=positive,
    )


def topics(
  conversations: Iterable[Conversation],
) -> Iterator[Labelled | Drop]:
  """Yields every utterance with its topic, where it is long enough to tell."""
  for conversation in conversations:
    for i, text in enumerate(conversation.utterances):
      if len(text.encode()) < _MIN_BYTES:
        yield Drop.SHORT_TEXT
        continue
      yield Labelled(
        id=f'{conversation.id}.{i}',
        language=conversation.language,
        text=text,
        label=conversation.topic,
      )
