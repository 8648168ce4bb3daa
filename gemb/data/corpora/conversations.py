"""Conversations with a robot: answers, topics; four topics are held out."""

from collections.abc import Iterator

import tensorflow_datasets as tfds

from gemb.data import archives, pinned
from gemb.data.corpora import building
from gemb.data.harvest import classes, conversations, pairs

_HOMEPAGE = 'https://github.com/gunthercox/chatterbot-corpus'
_CITATION = 'Gunther Cox and contributors, chatterbot-corpus 1.3.3.'
_LICENCE = 'BSD-3-Clause'
_MOST_OF_A_TOPIC = 200  # of one language; technical support has two thousand


class Conversations(tfds.core.GeneratorBasedBuilder):
  """Question and answer, in 28 languages."""

  VERSION = building.VERSION
  RELEASE_NOTES = building.RELEASE_NOTES

  def _info(self) -> tfds.core.DatasetInfo:
    return building.info(
      self,
      kind='question and answer',
      description=(
        'What is said to a robot and what it answers, from ChatterBot 1.3.3. '
        'The negatives are other answers on the same topic.'
      ),
      homepage=_HOMEPAGE,
      citation=_CITATION,
      licence=_LICENCE,
    )

  def _split_generators(self, dl_manager):
    found = pairs.harvest(
      conversations.answers(_read(held_out=False)), one_sided=False
    )
    building.record_counts(self, found)
    return {'train': self._generate_examples(found.examples)}

  def _generate_examples(self, examples):
    yield from building.rows(examples, corpus=self.name)


class ConversationsHeldOut(tfds.core.GeneratorBasedBuilder):
  """Question and answer on history, money, politics and sports; held out."""

  VERSION = building.VERSION
  RELEASE_NOTES = building.RELEASE_NOTES

  def _info(self) -> tfds.core.DatasetInfo:
    return building.info(
      self,
      kind='question and answer',
      description=(
        'What is said to a robot about history, money, politics and sports, '
        'and what it answers, from ChatterBot 1.3.3. The negatives are other '
        'answers on the same topic.'
      ),
      homepage=_HOMEPAGE,
      citation=_CITATION,
      licence=_LICENCE,
    )

  def _split_generators(self, dl_manager):
    found = pairs.harvest(
      conversations.answers(_read(held_out=True)), one_sided=False
    )
    building.record_counts(self, found)
    return {'test': self._generate_examples(found.examples)}

  def _generate_examples(self, examples):
    yield from building.rows(examples, corpus=self.name)


class ConversationTopics(tfds.core.GeneratorBasedBuilder):
  """Utterance and its topic, or another utterance on it."""

  VERSION = building.VERSION
  RELEASE_NOTES = building.RELEASE_NOTES

  def _info(self) -> tfds.core.DatasetInfo:
    return building.info(
      self,
      kind='text and class',
      description=(
        'What is said in conversations with a robot, with the topic or with '
        'something else that is said about it, from ChatterBot 1.3.3. The '
        'negatives are other topics, or said about other topics.'
      ),
      homepage=_HOMEPAGE,
      citation=_CITATION,
      licence=_LICENCE,
    )

  def _split_generators(self, dl_manager):
    found = classes.harvest(
      conversations.topics(_read(held_out=False)), most=_MOST_OF_A_TOPIC
    )
    building.record_counts(self, found)
    return {'train': self._generate_examples(found.examples)}

  def _generate_examples(self, examples):
    yield from building.rows(examples, corpus=self.name)


def _read(*, held_out: bool) -> Iterator[conversations.Conversation]:
  for found in conversations.read(archives.fetch(pinned.CHATTERBOT)):
    if (found.topic in conversations.HELD_OUT_TOPICS) == held_out:
      yield found
