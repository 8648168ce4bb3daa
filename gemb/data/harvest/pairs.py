"""From raw pairs to the examples of a corpus: clean, distinct, with negatives.

Readers yield a `Pair`, or a `Drop` for what they cannot pair; `harvest` does
the rest, the same for each corpus, and counts what is dropped by reason.
"""

import bisect
import collections
import dataclasses
import itertools
from collections.abc import Hashable, Iterable, Iterator

from gemb.data import choice, cleaning
from gemb.data.cleaning import Drop
from gemb.data.examples import Example

MAX_NEGATIVES = 4


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
  """A query and the text that answers it.

  Attributes:
    id: a readable name, unique and stable within the corpus.
    group: where the pair comes from (a component, a module); its negatives come
      from the same group, which is what makes them hard.
    language: BCP-47 tag of the query; 'python' for docstring and function.
    query: a translation, or a docstring.
    positive: the English text, or the function.
    label: where not empty, the positives of all pairs with the same one answer
      each other's queries too.
  """

  id: str
  group: str
  language: str
  query: str
  positive: str
  label: str = ''


@dataclasses.dataclass(frozen=True, kw_only=True)
class Harvest:
  """The examples of a corpus, and how many pairs were dropped, by reason."""

  examples: list[Example]
  dropped: dict[Drop, int]


def cleaned(pairs: Iterable[Pair | Drop]) -> Iterator[Pair | Drop]:
  """Cleans translations: see `gemb.data.cleaning`."""
  for pair in pairs:
    if isinstance(pair, Drop):
      yield pair
      continue
    clean = cleaning.clean_pair(pair.query, pair.positive)
    if isinstance(clean, Drop):
      yield clean
    else:
      query, positive = clean
      yield dataclasses.replace(pair, query=query, positive=positive)


def harvest(pairs: Iterable[Pair | Drop], *, one_sided: bool) -> Harvest:
  """Drops duplicates, counts all drops and adds negatives.

  Args:
    pairs: clean pairs, and the reasons for those already dropped.
    one_sided: True drops a pair as soon as one side was seen (docstring and
      function: a copy of either is no new information). False drops it where
      both sides were seen in the same language (translations: 'Password' stands
      in many components, and may be translated in many ways).

  Raises:
    ValueError: two pairs have the same id.
  """
  kept: dict[str, Pair] = {}
  dropped = collections.Counter()
  seen: set[Hashable] = set()
  for pair in pairs:
    if isinstance(pair, Drop):
      dropped[pair] += 1
      continue
    keys = _keys(pair, one_sided=one_sided)
    if not seen.isdisjoint(keys):
      dropped[Drop.DUPLICATE] += 1
      continue
    if pair.id in kept:
      raise ValueError(f'Two pairs have the id {pair.id!r}; ids are unique.')
    seen.update(keys)
    kept[pair.id] = pair
  return Harvest(examples=_with_negatives(kept.values()), dropped=dict(dropped))


def _keys(pair: Pair, *, one_sided: bool) -> list[Hashable]:
  if one_sided:
    return [('query', pair.query), ('positive', pair.positive)]
  return [(pair.language, pair.query, pair.positive)]


def _with_negatives(pairs: Iterable[Pair]) -> list[Example]:
  """Gives each pair up to MAX_NEGATIVES positives of other pairs of its group.

  None is an answer: neither the pair's own positive, compared by its letters,
  nor that of any pair with the same query in the same language, or the same
  label.
  """
  pairs = list(pairs)
  texts = collections.defaultdict(dict)
  answers = collections.defaultdict(set)
  for pair in pairs:
    key = cleaning.letters(pair.positive)
    texts[pair.group].setdefault(key, pair.positive)
    for question in _questions(pair):
      answers[question].add(key)
  order = {group: sorted(found) for group, found in texts.items()}
  examples = []
  for pair in pairs:
    answering = set().union(*(answers[q] for q in _questions(pair)))
    others = _others(pair, order[pair.group])
    keys = (key for key in others if key not in answering)
    negatives = [
      texts[pair.group][key] for key in itertools.islice(keys, MAX_NEGATIVES)
    ]
    examples.append(
      Example(
        id=pair.id,
        language=pair.language,
        query=pair.query,
        positive=pair.positive,
        negatives=tuple(negatives),
        label=pair.label,
      )
    )
  return examples


def _questions(pair: Pair) -> list[Hashable]:
  """Returns what a text must answer alike to be no negative of the pair."""
  query = pair.language, cleaning.letters(pair.query)
  return [query, pair.label] if pair.label else [query]


def _others(pair: Pair, keys: list[str]) -> Iterator[str]:
  """Yields the sorted keys but the pair's own, in an order of the pair's id."""
  own = bisect.bisect_left(keys, cleaning.letters(pair.positive))
  for i in choice.numbers(pair.id, len(keys) - 1):
    yield keys[i + (i >= own)]
