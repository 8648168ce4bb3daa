"""Operations of AWS and the service they belong to; some services held out."""

from gemb.data import archives, pinned
from gemb.data.corpora.building import Corpus
from gemb.data.harvest import aws, classes, pairs

_KIND = 'text and class'
_HOMEPAGE = 'https://github.com/boto/botocore'
_CITATION = 'Amazon Web Services, botocore 1.44.5.'
_LICENCE = 'Apache-2.0'
_MOST_OF_A_SERVICE = 30  # EC2 alone has eight hundred


def _harvest(*, held_out: bool) -> pairs.Harvest:
  operations = (
    operation
    for operation in aws.operations(archives.fetch(pinned.BOTOCORE))
    if aws.held_out(operation.service) == held_out
  )
  return classes.harvest(aws.services(operations), most=_MOST_OF_A_SERVICE)


CORPORA = (
  Corpus(
    name='aws_operations',
    kind=_KIND,
    split='train',
    description=(
      'The first paragraph about an operation of Amazon Web Services, with the '
      'full name of its service or with the paragraph about another operation, '
      'from botocore 1.44.5. The negatives are other services, or operations '
      'of others.'
    ),
    homepage=_HOMEPAGE,
    citation=_CITATION,
    licence=_LICENCE,
    harvest=lambda: _harvest(held_out=False),
  ),
  Corpus(
    name='aws_operations_held_out',
    kind=_KIND,
    split='test',
    description=(
      'As aws_operations, of services that no corpus is trained on; the '
      'negatives come from these services alone.'
    ),
    homepage=_HOMEPAGE,
    citation=_CITATION,
    licence=_LICENCE,
    harvest=lambda: _harvest(held_out=True),
  ),
)
