"""Bitext mining: does a sentence find its own translation?

The queries of one language are matched against the English texts of that
language's pairs, as in the similarity search of Artetxe and Schwenk
(arXiv:1812.10464, Tatoeba). The score is accuracy@1 in each language and the
plain mean over languages, so that a language with many pairs weighs no more
than one with few. (MTEB's bitext tasks report F1 instead, which differs a
little; numbers are not to be mixed.)

Selecting (`select_languages`) is apart from scoring, so that an embedding
model and BM25 see exactly the same sets.
"""

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Int

from gemb.evals import retrieval


@dataclasses.dataclass(frozen=True, kw_only=True)
class BitextPair:
  """A sentence and its English translation.

  Attributes:
    id: names the pair for good; decides whether it is selected.
    language: the language of the query, such as 'pt_BR'.
    query: the sentence.
    passage: its English translation.
  """

  id: str
  language: str
  query: str
  passage: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class LanguageSet:
  """The queries of one language and what they are searched in.

  Attributes:
    queries: sentences of the language.
    candidates: distinct English texts.
    positive: for each query the index of its translation in `candidates`.
  """

  queries: tuple[str, ...]
  candidates: tuple[str, ...]
  positive: Int[np.ndarray, 'Q']


def select_languages(
  pairs: Iterable[BitextPair],
  *,
  max_candidates: int = 500,
  min_candidates: int = 50,
) -> dict[str, LanguageSet]:
  """Chooses each language's candidates and the queries that go with them.

  The choice hashes the ids: it does not depend on the order of the pairs, and
  adding pairs to one language does not disturb another.

  Args:
    pairs: pairs of all languages.
    max_candidates: C, the most English texts a language is searched in.
    min_candidates: languages with fewer are left out, since guessing alone is
      right once in this many.

  Returns:
    A set for each language, by name in alphabetical order.

  Raises:
    ValueError: if the limits cannot hold, or no language has enough texts.
  """
  if not 1 <= min_candidates <= max_candidates:
    raise ValueError(
      f'min_candidates is {min_candidates} and max_candidates is '
      f'{max_candidates}: they must satisfy 1 <= min <= max.'
    )
  by_language = defaultdict(list)
  for pair in pairs:
    by_language[pair.language].append(pair)
  sets = {
    language: _select(by_language[language], max_candidates)
    for language in sorted(by_language)
  }
  enough = {
    language: chosen
    for language, chosen in sets.items()
    if len(chosen.candidates) >= min_candidates
  }
  if not enough:
    most = max((len(s.candidates) for s in sets.values()), default=0)
    raise ValueError(
      f'None of {len(sets)} languages has {min_candidates} distinct English '
      f'texts (the most is {most}): lower min_candidates or add pairs.'
    )
  return enough


def accuracy_by_language(
  ranks: Mapping[str, Int[np.ndarray, '_']],
) -> dict[str, float]:
  """Returns for each language the share of queries whose rank is 1.

  Args:
    ranks: the rank of each query's translation, by language.

  Raises:
    ValueError: if a language has no query.
  """
  for language, of_language in ranks.items():
    if not len(of_language):
      raise ValueError(f'Language {language!r} has no query to score.')
  return {
    language: float(np.mean(of_language == 1))
    for language, of_language in ranks.items()
  }


def mean_over_languages(by_language: Mapping[str, float]) -> float:
  """Returns the mean accuracy in which every language weighs the same.

  Raises:
    ValueError: if there is no language.
  """
  if not by_language:
    raise ValueError('There is no language to take the mean over.')
  return float(np.mean(list(by_language.values())))


def _select(pairs: Sequence[BitextPair], max_candidates: int) -> LanguageSet:
  # A text that stands in several pairs is as early as its earliest pair.
  earliest: dict[str, bytes] = {}
  for pair in pairs:
    key = _hash(pair.id)
    earliest[pair.passage] = min(key, earliest.get(pair.passage, key))
  by_hash = sorted(earliest, key=lambda text: (earliest[text], text))
  chosen = set(by_hash[:max_candidates])
  # A pair that two sources share is one query, not two.
  kept = sorted({(p.passage, p.query) for p in pairs if p.passage in chosen})
  candidates, positive = retrieval.index_passages([text for text, _ in kept])
  return LanguageSet(
    queries=tuple(query for _, query in kept),
    candidates=tuple(candidates),
    positive=positive,
  )


def _hash(text: str) -> bytes:
  # Python's own hash() differs from process to process.
  return hashlib.blake2b(text.encode(), digest_size=8).digest()
