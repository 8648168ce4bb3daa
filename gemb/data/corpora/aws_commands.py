"""Description and shell command: the AWS CLI; some services held out."""

from gemb.data import archives, pinned
from gemb.data.corpora.building import Corpus
from gemb.data.harvest import aws_commands, pairs

_KIND = 'description and command'
_HOMEPAGE = 'https://github.com/aws/aws-cli'
_CITATION = 'Amazon Web Services, awscli 1.46.3.'
_LICENCE = 'Apache-2.0'


def _harvest(*, held_out: bool) -> pairs.Harvest:
  wheel = archives.fetch(pinned.AWSCLI)
  return pairs.harvest(
    aws_commands.read(wheel, held_out=held_out), one_sided=True
  )


CORPORA = (
  Corpus(
    name='aws_commands',
    kind=_KIND,
    split='train',
    description=(
      'What an example of awscli 1.46.3 does, in a sentence, and its command. '
      'The negatives are other commands of the same service.'
    ),
    homepage=_HOMEPAGE,
    citation=_CITATION,
    licence=_LICENCE,
    harvest=lambda: _harvest(held_out=False),
  ),
  Corpus(
    name='aws_commands_held_out',
    kind=_KIND,
    split='test',
    description='As aws_commands, of services that no corpus is trained on.',
    homepage=_HOMEPAGE,
    citation=_CITATION,
    licence=_LICENCE,
    harvest=lambda: _harvest(held_out=True),
  ),
)
