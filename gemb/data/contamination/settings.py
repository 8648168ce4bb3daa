"""When a training text counts as one of an evaluation set."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class OverlapConfig:
  """What is found beside texts of the very same words.

  Measured on Banking77, CoSQA, STS-B and Tatoeba: where the last fifth of the
  words is another, at least 99.6% of the texts are found, and where every fifth
  is, 97.0% (without spaces between words: 94.3%); at most 0.091% of the texts
  of one set are taken for near ones of another.

  Attributes:
    fewest_words: of both texts, and of an evaluation text that is looked for
      within longer ones; shorter ones, such as messages of an interface, often
      differ in the one word that matters. Two characters of a script without
      spaces between words count as one.
    ngram: words in a row that are compared together.
    similarity: least |A and B| / |A or B| of the n-grams of two texts, where
      those of both count by their rarity, as `near` tells. At 0.31 false
      alarms are as few; at 0.30 those of Banking77 in Tatoeba are 5, not 2.
    bands: of MinHash; the more, the fewer similar texts are missed.
    rows: n-grams that have to agree in a band.
  """

  fewest_words: int = 8
  ngram: int = 2
  similarity: float = 0.32
  bands: int = 42
  rows: int = 3
