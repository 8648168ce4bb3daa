"""From raw pairs to the examples of a corpus: clean, distinct, with negatives.

Readers yield a `Pair`, or a `Drop` for what they cannot pair; `harvest` does
the rest, the same for each corpus, and counts what is dropped by reason.
"""

import collections
import dataclasses
import zlib
from collections.abc import Hashable, Iterable, Iterator

from gemb.data import cleaning
from gemb.data.cleaning import Drop
from gemb.data.examples import Example


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
  """A query and the text that answers it.

  Attributes:
    id: a readable name, unique and stable within the corpus.
    group: where the pair comes from (a component, a module); its negative comes
      from the same group, which is what makes that hard.
    language: BCP-47 tag of the query; 'python' for docstring and function.
    query: a translation, or a docstring.
    positive: the English text, or the function.
  """

  id: str
  group: str
  language: str
  query: str
  positive: str


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
      yield Pair(
        id=pair.id,
        group=pair.group,
        language=pair.language,
        query=clean[0],
        positive=clean[1],
      )


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
  pairs = list(pairs)
  texts = collections.defaultdict(dict)
  for pair in pairs:
    texts[pair.group].setdefault(cleaning.letters(pair.positive), pair.positive)
  order = {group: sorted(found) for group, found in texts.items()}
  rank = {
    group: {key: i for i, key in enumerate(keys)}
    for group, keys in order.items()
  }
  examples = []
  for pair in pairs:
    keys, own = order[pair.group], cleaning.letters(pair.positive)
    other = _another(pair.id, len(keys), own=rank[pair.group][own])
    negatives = () if other is None else (texts[pair.group][keys[other]],)
    examples.append(
      Example(
        id=pair.id,
        language=pair.language,
        query=pair.query,
        positive=pair.positive,
        negatives=negatives,
      )
    )
  return examples


def _another(key: str, count: int, *, own: int) -> int | None:
  """Returns a number below `count` other than `own`, chosen by a hash of key.

  A hash, so that adding a pair elsewhere changes no other pair's negative.
  """
  if count < 2:
    return None
  index = zlib.crc32(key.encode()) % (count - 1)
  return index + (index >= own)
