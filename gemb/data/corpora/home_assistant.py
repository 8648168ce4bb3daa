"""Home Assistant: texts of a home automation program in dozens of languages."""

from gemb.data import archives, pinned
from gemb.data.corpora.building import Corpus
from gemb.data.harvest import home_assistant, pairs


def _harvest() -> pairs.Harvest:
  wheel = archives.fetch(pinned.HOME_ASSISTANT)
  texts = pairs.cleaned(home_assistant.read(wheel))
  return pairs.harvest(texts, one_sided=False)


CORPORA = (
  Corpus(
    name='home_assistant',
    kind='sentence and translation',
    split='train',
    description=(
      'Texts of Home Assistant 2024.3.3 (set-up dialogues, errors, names and '
      'states of devices) in their translations, with the English text. The '
      'negatives are English texts of other keys of the same component.'
    ),
    homepage='https://www.home-assistant.io',
    citation='Home Assistant contributors, homeassistant 2024.3.3 (PyPI).',
    licence='Apache-2.0',
    harvest=_harvest,
  ),
)
