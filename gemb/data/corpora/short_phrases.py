"""Names of things: emoji, languages and places; currencies are held out."""

import tensorflow_datasets as tfds

from gemb.data import archives, pinned
from gemb.data.corpora import building
from gemb.data.harvest import cldr, emoji, pairs

_KIND = 'short phrase and translation'


class CldrNames(tfds.core.GeneratorBasedBuilder):
  """Name of a language, territory or script, and its English name."""

  VERSION = building.VERSION
  RELEASE_NOTES = building.RELEASE_NOTES

  def _info(self) -> tfds.core.DatasetInfo:
    return building.info(
      self,
      kind=_KIND,
      description=(
        'What a language calls languages, territories and scripts, with the '
        'English name, from the locale data of Babel 2.18.0. The negatives are '
        'English names of other languages, territories or scripts.'
      ),
      homepage='https://cldr.unicode.org',
      citation='Unicode, Inc., CLDR, in Babel 2.18.0 (PyPI).',
      licence='Unicode-3.0',
    )

  def _split_generators(self, dl_manager):
    found = _locale_names(cldr.NAMES)
    building.record_counts(self, found)
    return {'train': self._generate_examples(found.examples)}

  def _generate_examples(self, examples):
    yield from building.rows(examples, corpus=self.name)


class CldrCurrencies(tfds.core.GeneratorBasedBuilder):
  """Name of a currency, and its English name; held out."""

  VERSION = building.VERSION
  RELEASE_NOTES = building.RELEASE_NOTES

  def _info(self) -> tfds.core.DatasetInfo:
    return building.info(
      self,
      kind=_KIND,
      description=(
        'What a language calls currencies, with the English name, from the '
        'locale data of Babel 2.18.0. The negatives are English names of other '
        'currencies.'
      ),
      homepage='https://cldr.unicode.org',
      citation='Unicode, Inc., CLDR, in Babel 2.18.0 (PyPI).',
      licence='Unicode-3.0',
    )

  def _split_generators(self, dl_manager):
    found = _locale_names(cldr.CURRENCIES)
    building.record_counts(self, found)
    return {'test': self._generate_examples(found.examples)}

  def _generate_examples(self, examples):
    yield from building.rows(examples, corpus=self.name)


class EmojiNames(tfds.core.GeneratorBasedBuilder):
  """Name of an emoji, and its English name."""

  VERSION = building.VERSION
  RELEASE_NOTES = building.RELEASE_NOTES

  def _info(self) -> tfds.core.DatasetInfo:
    return building.info(
      self,
      kind=_KIND,
      description=(
        'What a language calls emoji, with the English name, from emoji '
        '2.16.0. The negatives are English names of emoji that are neighbours '
        'in Unicode.'
      ),
      homepage='https://github.com/carpedm20/emoji',
      citation='Taehoon Kim, Kevin Wurster and contributors, emoji 2.16.0.',
      licence='BSD-3-Clause',
    )

  def _split_generators(self, dl_manager):
    wheel = archives.fetch(pinned.EMOJI)
    found = pairs.harvest(emoji.read(wheel), one_sided=False)
    building.record_counts(self, found)
    return {'train': self._generate_examples(found.examples)}

  def _generate_examples(self, examples):
    yield from building.rows(examples, corpus=self.name)


def _locale_names(kinds: tuple[str, ...]) -> pairs.Harvest:
  wheel = archives.fetch(pinned.BABEL)
  return pairs.harvest(cldr.read(wheel, kinds=kinds), one_sided=False)
