"""Classification as contrast: texts of a class are drawn to each other.

Source: Gemini Embedding (arXiv:2503.07891), section 4.1, and NV-Embed
(arXiv:2405.17428), section 4.2.2. Each text gives two examples: one to be found
is the name of its class, as in a zero-shot classifier; the other is another
text of the class, as in a classifier by examples or a clustering. Both carry
the class as their `Example.label`, since all texts of a class answer for it:
in one batch they are never contrasted.

Every choice is made by a hash of the row's id, so it is the same in any order.
"""

import collections
import dataclasses
import itertools
from collections.abc import Iterable, Iterator

from gemb.data import choice
from gemb.data.cleaning import letters
from gemb.data.examples import Example
from gemb.data.harvest.pairs import MAX_NEGATIVES


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Labelled:
  """A text and its class.

  Attributes:
    id: readable, unique within the corpus.
    language: BCP-47 tag of the text.
    text: what is classified.
    label: the name of its class, in words that a reader understands. A text of
      several classes is given once with each.
  """

  id: str
  language: str
  text: str
  label: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Language:
  """The texts of one language by class, and the classes of each text.

  A text is known by its letters; all lists are in alphabetical order.
  """

  classes: list[str]
  texts: dict[str, list[str]]
  labels: dict[str, set[str]]


def contrast(
  rows: Iterable[Labelled], *, negatives: int = MAX_NEGATIVES
) -> Iterator[Example]:
  """Yields the examples of classified texts, up to two for each.

  ID:label has the class as its positive, and other classes as negatives;
  ID:text has another text of the class, and texts of other classes. Positives
  and negatives are in the language of the text, but for the names of classes.
  Where its language has no other text of the class, there is no ID:text; where
  a text is the name of its class, no ID:label.

  Args:
    rows: in any order; all are held in memory.
    negatives: most for an example, from as many classes as there are.
  """
  rows = list(rows)
  languages = _languages(rows)
  for row in rows:
    language = languages[row.language]
    labels = list(itertools.islice(_others(row, language), negatives))
    if _key(row.text) != _key(row.label):
      yield _example(row, 'label', row.label, labels)
    if (positive := _another(row, language)) is not None:
      texts = itertools.islice(_texts(row, language, labels), negatives)
      yield _example(row, 'text', positive, texts)


def _languages(rows: list[Labelled]) -> dict[str, _Language]:
  texts = collections.defaultdict(lambda: collections.defaultdict(dict))
  labels = collections.defaultdict(lambda: collections.defaultdict(set))
  for row in sorted(rows, key=lambda row: (_key(row.text), row.text)):
    texts[row.language][row.label].setdefault(_key(row.text), row.text)
    labels[row.language][_key(row.text)].add(row.label)
  return {
    name: _Language(
      classes=sorted(classes),
      texts={label: list(found.values()) for label, found in classes.items()},
      labels=labels[name],
    )
    for name, classes in texts.items()
  }


def _key(text: str) -> str:
  return letters(text) or text


def _others(row: Labelled, language: _Language) -> Iterator[str]:
  """Yields the classes that the text is not of."""
  own = language.labels[_key(row.text)]
  for i in choice.numbers(row.id, len(language.classes)):
    if language.classes[i] not in own:
      yield language.classes[i]


def _another(row: Labelled, language: _Language) -> str | None:
  """Returns another text of the class, if there is one."""
  texts = _shuffled(row, language.texts[row.label])
  return next((text for text in texts if _key(text) != _key(row.text)), None)


def _texts(
  row: Labelled, language: _Language, labels: list[str]
) -> Iterator[str]:
  """Yields texts of the labels, one of each in turn, but those of the class."""
  own = language.labels[_key(row.text)]
  walks = (_shuffled(row, language.texts[label]) for label in labels)
  for text in itertools.chain.from_iterable(itertools.zip_longest(*walks)):
    if text is not None and own.isdisjoint(language.labels[_key(text)]):
      yield text


def _shuffled(row: Labelled, texts: list[str]) -> Iterator[str]:
  return (texts[i] for i in choice.numbers(row.id, len(texts)))


def _example(
  row: Labelled, kind: str, positive: str, negatives: Iterable[str]
) -> Example:
  return Example(
    id=f'{row.id}:{kind}',
    language=row.language,
    query=row.text,
    positive=positive,
    negatives=tuple(negatives),
    label=row.label,
  )
