"""Names of things: emoji, languages and places; currencies are held out."""

from gemb.data import archives, pinned
from gemb.data.corpora.building import Corpus
from gemb.data.harvest import cldr, emoji, pairs

_KIND = 'short phrase and translation'


def _locale_names(kinds: tuple[str, ...]) -> pairs.Harvest:
  wheel = archives.fetch(pinned.BABEL)
  return pairs.harvest(cldr.read(wheel, kinds=kinds), one_sided=False)


def _emoji_names() -> pairs.Harvest:
  wheel = archives.fetch(pinned.EMOJI)
  return pairs.harvest(emoji.read(wheel), one_sided=False)


CORPORA = (
  Corpus(
    name='cldr_names',
    kind=_KIND,
    split='train',
    description=(
      'What a language calls languages, territories and scripts, with the '
      'English name, from the locale data of Babel 2.18.0. The negatives are '
      'English names of other languages, territories or scripts.'
    ),
    homepage='https://cldr.unicode.org',
    citation='Unicode, Inc., CLDR, in Babel 2.18.0 (PyPI).',
    licence='Unicode-3.0',
    harvest=lambda: _locale_names(cldr.NAMES),
  ),
  Corpus(
    name='emoji_names',
    kind=_KIND,
    split='train',
    description=(
      'What a language calls emoji, with the English name, from emoji 2.16.0. '
      'The negatives are English names of emoji that are neighbours in Unicode.'
    ),
    homepage='https://github.com/carpedm20/emoji',
    citation='Taehoon Kim, Kevin Wurster and contributors, emoji 2.16.0.',
    licence='BSD-3-Clause',
    harvest=_emoji_names,
  ),
  Corpus(
    name='cldr_currencies',
    kind=_KIND,
    split='test',
    description=(
      'What a language calls currencies, with the English name, from the '
      'locale data of Babel 2.18.0. The negatives are English names of other '
      'currencies.'
    ),
    homepage='https://cldr.unicode.org',
    citation='Unicode, Inc., CLDR, in Babel 2.18.0 (PyPI).',
    licence='Unicode-3.0',
    harvest=lambda: _locale_names(cldr.CURRENCIES),
  ),
)
