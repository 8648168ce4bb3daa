"""Conversations with a robot: answers, topics; four topics are held out."""

from collections.abc import Iterator

from gemb.data import archives, pinned
from gemb.data.corpora.building import Corpus
from gemb.data.harvest import classes, conversations, pairs

_HOMEPAGE = 'https://github.com/gunthercox/chatterbot-corpus'
_CITATION = 'Gunther Cox and contributors, chatterbot-corpus 1.3.3.'
_LICENCE = 'BSD-3-Clause'
_MOST_OF_A_TOPIC = 200  # of one language; technical support has two thousand


def _answers(*, held_out: bool) -> pairs.Harvest:
  answers = conversations.answers(_read(held_out=held_out))
  return pairs.harvest(answers, one_sided=False)


def _topics() -> pairs.Harvest:
  topics = conversations.topics(_read(held_out=False))
  return classes.harvest(topics, most=_MOST_OF_A_TOPIC)


def _read(*, held_out: bool) -> Iterator[conversations.Conversation]:
  for found in conversations.read(archives.fetch(pinned.CHATTERBOT)):
    if (found.topic in conversations.HELD_OUT_TOPICS) == held_out:
      yield found


CORPORA = (
  Corpus(
    name='conversations',
    kind='question and answer',
    split='train',
    description=(
      'What is said to a robot and what it answers, from ChatterBot 1.3.3. The '
      'negatives are other answers on the same topic.'
    ),
    homepage=_HOMEPAGE,
    citation=_CITATION,
    licence=_LICENCE,
    harvest=lambda: _answers(held_out=False),
  ),
  Corpus(
    name='conversations_held_out',
    kind='question and answer',
    split='test',
    description=(
      'What is said to a robot about history, money, politics and sports, and '
      'what it answers, from ChatterBot 1.3.3. The negatives are other answers '
      'on the same topic.'
    ),
    homepage=_HOMEPAGE,
    citation=_CITATION,
    licence=_LICENCE,
    harvest=lambda: _answers(held_out=True),
  ),
  Corpus(
    name='conversation_topics',
    kind='text and class',
    split='train',
    description=(
      'What is said in conversations with a robot, with the topic or with '
      'something else that is said about it, from ChatterBot 1.3.3. The '
      'negatives are other topics, or said about other topics.'
    ),
    homepage=_HOMEPAGE,
    citation=_CITATION,
    licence=_LICENCE,
    harvest=_topics,
  ),
)
