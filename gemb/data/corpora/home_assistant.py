"""Home Assistant: texts of a home automation program in dozens of languages."""

import tensorflow_datasets as tfds

from gemb.data import archives, pinned
from gemb.data.corpora import building
from gemb.data.harvest import home_assistant, pairs


class HomeAssistant(tfds.core.GeneratorBasedBuilder):
  """Translation (query) and English text (positive), by component and key."""

  VERSION = building.VERSION
  RELEASE_NOTES = building.RELEASE_NOTES

  def _info(self) -> tfds.core.DatasetInfo:
    return building.info(
      self,
      kind='sentence and translation',
      description=(
        'Texts of Home Assistant 2024.3.3 (set-up dialogues, errors, names and '
        'states of devices) in their translations, with the English text. The '
        'negatives are English texts of other keys of the same component.'
      ),
      homepage='https://www.home-assistant.io',
      citation='Home Assistant contributors, homeassistant 2024.3.3 (PyPI).',
      licence='Apache-2.0',
    )

  def _split_generators(self, dl_manager):
    wheel = archives.fetch(pinned.HOME_ASSISTANT)
    found = pairs.harvest(
      pairs.cleaned(home_assistant.read(wheel)), one_sided=False
    )
    building.record_counts(self, found)
    return {'train': self._generate_examples(found.examples)}

  def _generate_examples(self, examples):
    yield from building.rows(examples, corpus=self.name)
