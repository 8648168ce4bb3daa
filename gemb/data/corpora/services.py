"""Operations of AWS and the service they belong to; some services held out."""

import tensorflow_datasets as tfds

from gemb.data import archives, pinned
from gemb.data.corpora import building
from gemb.data.harvest import aws, classes, pairs

_KIND = 'text and class'
_HOMEPAGE = 'https://github.com/boto/botocore'
_CITATION = 'Amazon Web Services, botocore 1.44.5.'
_LICENCE = 'Apache-2.0'
_MOST_OF_A_SERVICE = 30  # EC2 alone has eight hundred


class AwsOperations(tfds.core.GeneratorBasedBuilder):
  """What an operation does, and its service or another operation of it."""

  VERSION = building.VERSION
  RELEASE_NOTES = building.RELEASE_NOTES

  def _info(self) -> tfds.core.DatasetInfo:
    return building.info(
      self,
      kind=_KIND,
      description=(
        'The first paragraph about an operation of Amazon Web Services, with '
        'the full name of its service or with the paragraph about another '
        'operation, from botocore 1.44.5. The negatives are other services, or '
        'operations of others.'
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


class AwsOperationsHeldOut(tfds.core.GeneratorBasedBuilder):
  """The same of every tenth service, of which nothing is trained on."""

  VERSION = building.VERSION
  RELEASE_NOTES = building.RELEASE_NOTES

  def _info(self) -> tfds.core.DatasetInfo:
    return building.info(
      self,
      kind=_KIND,
      description=(
        'As aws_operations, of services that no corpus is trained on; the '
        'negatives come from these services alone.'
      ),
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
  operations = (
    operation
    for operation in aws.operations(archives.fetch(pinned.BOTOCORE))
    if aws.held_out(operation.service) == held_out
  )
  return classes.harvest(aws.services(operations), most=_MOST_OF_A_SERVICE)
