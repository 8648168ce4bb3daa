"""Evaluation sets, in which training texts are looked up."""

import dataclasses
import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from gemb.data.contamination.near import NearIndex
from gemb.data.contamination.settings import OverlapConfig
from gemb.data.contamination.whole import WholeIndex
from gemb.data.contamination.words import read_words
from gemb.data.examples import normalise

T = TypeVar('T')

# The surest first; a text is told by the first that it is.
KINDS = EXACT, CONTAINING, NEAR = 'exact', 'containing', 'near'

_TEXTS_AT_ONCE = 8192
_CHARACTERS_AT_ONCE = 2_000_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Match:
  """What a training text has in common with an evaluation text.

  Attributes:
    kind: of the same words; containing all of them in a row; or near.
    similarity: 1.0 but for near ones.
    text: the evaluation text.
    sets: that have it.
  """

  kind: str
  similarity: float
  text: str
  sets: tuple[str, ...]


class Index:
  """The texts of evaluation sets.

  Attributes:
    sets: {name: number of different texts, and a checksum of them that does
      not depend on their order}.
    config: when texts count as the same.
  """

  def __init__(
    self,
    sets: Mapping[str, Iterable[str]],
    config: OverlapConfig | None = None,
  ):
    """Reads the texts, which stay in memory.

    Args:
      sets: texts by the name of the set. Those without letters and digits
        are left out.
      config: when texts count as the same.

    Raises:
      ValueError: if a set has no texts.
    """
    self.config = config or OverlapConfig()
    self.sets: dict[str, dict[str, Any]] = {}
    self._texts: list[str] = []
    self._sets_of: list[tuple[str, ...]] = []
    chunks = [
      read_words(chunk) for chunk in chunks_of(self._collect(sets), len)
    ]
    self._whole = WholeIndex(chunks, stretch=self.config.fewest_words)
    self._near = NearIndex(chunks, self.config)

  def find(self, texts: Sequence[str]) -> list[Match | None]:
    """Returns for each training text what it matches, or None."""
    words = read_words([normalise(text) for text in texts])
    found: list[Match | None] = [None] * len(texts)
    near = zip(*(x.tolist() for x in self._near.find(words)), strict=True)
    for text, owner, similarity in near:
      found[text] = self._match(NEAR, owner, similarity)
    for kind, pairs in (
      (CONTAINING, self._whole.contained(words)),
      (EXACT, self._whole.same(words)),
    ):
      for text, owner in zip(*(x.tolist() for x in pairs), strict=True):
        found[text] = self._match(kind, owner, 1.0)
    return found

  def _match(self, kind: str, owner: int, similarity: float) -> Match:
    return Match(
      kind=kind,
      similarity=similarity,
      text=self._texts[owner],
      sets=self._sets_of[owner],
    )

  def _collect(self, sets: Mapping[str, Iterable[str]]) -> list[str]:
    """Takes the different texts of all sets; returns them normalised."""
    number: dict[str, int] = {}
    for name, texts in sets.items():
      of_set = set()
      for text in texts:
        normal = normalise(text)
        if not normal or normal in of_set:
          continue
        of_set.add(normal)
        place = number.setdefault(normal, len(number))
        if place == len(self._texts):
          self._texts.append(text)
          self._sets_of.append(())
        self._sets_of[place] += (name,)
      if not of_set:
        raise ValueError(f'The evaluation set {name!r} has no texts.')
      self.sets[name] = {'texts': len(of_set), 'content': _checksum(of_set)}
    if not self.sets:
      raise ValueError('There is no evaluation set to look texts up in.')
    return list(number)


def chunks_of(
  items: Iterable[T], length: Callable[[T], int]
) -> Iterator[list[T]]:
  """Yields as many items at once as take moderate memory.

  Args:
    items: texts, or what has some.
    length: tells the characters of one.
  """
  items = iter(items)
  while chunk := list(itertools.islice(items, 1)):
    characters = length(chunk[0])
    for item in items:
      chunk.append(item)
      characters += length(item)
      if len(chunk) >= _TEXTS_AT_ONCE or characters >= _CHARACTERS_AT_ONCE:
        break
    yield chunk


def _checksum(texts: Iterable[str]) -> str:
  digest = hashlib.blake2b(digest_size=16)
  for text in sorted(texts):
    digest.update(f'{text}\n'.encode())
  return digest.hexdigest()
