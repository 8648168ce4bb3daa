"""Description and shell command: the AWS CLI; some services held out."""

import tensorflow_datasets as tfds

from gemb.data import archives, pinned
from gemb.data.corpora import building
from gemb.data.harvest import aws_commands, pairs

_KIND = 'description and command'
_HOMEPAGE = 'https://github.com/aws/aws-cli'
_CITATION = 'Amazon Web Services, awscli 1.46.3.'
_LICENCE = 'Apache-2.0'


class AwsCommands(tfds.core.GeneratorBasedBuilder):
  """What is to be done (query) and the shell command for it (positive)."""

  VERSION = building.VERSION
  RELEASE_NOTES = building.RELEASE_NOTES

  def _info(self) -> tfds.core.DatasetInfo:
    return building.info(
      self,
      kind=_KIND,
      description=(
        'What an example of awscli 1.46.3 does, in a sentence, and its '
        'command. The negatives are other commands of the same service.'
      ),
      homepage=_HOMEPAGE,
      citation=_CITATION,
      licence=_LICENCE,
    )

  def _split_generators(self, dl_manager):
    found = _harvest(held_out=False)
    building.record_counts(self, found)
    return {'train': self._generate_examples(found.examples)}

  def _generate_examples(self, examples):
    yield from building.rows(examples, corpus=self.name)


class AwsCommandsHeldOut(tfds.core.GeneratorBasedBuilder):
  """The same of every tenth service, of which nothing is trained on."""

  VERSION = building.VERSION
  RELEASE_NOTES = building.RELEASE_NOTES

  def _info(self) -> tfds.core.DatasetInfo:
    return building.info(
      self,
      kind=_KIND,
      description='As aws_commands, of services that no corpus is trained on.',
      homepage=_HOMEPAGE,
      citation=_CITATION,
      licence=_LICENCE,
    )

  def _split_generators(self, dl_manager):
    found = _harvest(held_out=True)
    building.record_counts(self, found)
    return {'test': self._generate_examples(found.examples)}

  def _generate_examples(self, examples):
    yield from building.rows(examples, corpus=self.name)


def _harvest(*, held_out: bool) -> pairs.Harvest:
  wheel = archives.fetch(pinned.AWSCLI)
  return pairs.harvest(
    aws_commands.read(wheel, held_out=held_out), one_sided=True
  )
