"""Evaluation texts that a training text is, or contains, word by word."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64, UInt64

from gemb.data.contamination.minhash import Lookup
from gemb.data.contamination.words import Words

# Texts that have all their stretches in common are copies of one template;
# past so many, which of them it was does not matter.
_MOST_OWNERS = 1000


class WholeIndex:
  """Evaluation texts by the hash of their words, and of their rarest stretch.

  A text is looked for where its rarest stretch of some words occurs: then all
  its words are compared, by one hash more.
  """

  def __init__(self, chunks: Sequence[Words], *, stretch: int):
    """Hashes evaluation texts.

    Args:
      chunks: their words; texts are numbered through all of them.
      stretch: words of a stretch; texts of a lesser length are not looked
        for in others.
    """
    self._stretch = stretch
    self._hashes = np.concatenate([words.texts() for words in chunks])
    self._counts = np.concatenate([words.counts for words in chunks])
    self._same = Lookup(self._hashes, np.arange(len(self._hashes)))
    lengths = np.concatenate([words.lengths for words in chunks])
    long = np.flatnonzero(lengths >= stretch)
    stretches = np.concatenate([self._stretches(words) for words in chunks])
    sizes = self._counts[long] - stretch + 1
    begins = np.cumsum(sizes) - sizes
    rarest = _rarest(stretches, begins, sizes)
    self._before = np.zeros(len(self._hashes), np.int64)
    self._before[long] = rarest
    self._rarest = Lookup(stretches[begins + rarest], long)

  def same(
    self, words: Words
  ) -> tuple[Int64[np.ndarray, 'n'], Int64[np.ndarray, 'n']]:
    """Returns pairs of a training and an evaluation text of the same words."""
    texts = np.flatnonzero(words.counts)
    places, owners = self._same.find(words.texts()[texts], most=1)
    return texts[places], owners

  def contained(
    self, words: Words
  ) -> tuple[Int64[np.ndarray, 'n'], Int64[np.ndarray, 'n']]:
    """Returns pairs of a training text, and an evaluation text within it."""
    first, texts = words.in_a_row(self._stretch, least=self._stretch)
    places, owners = self._rarest.find(
      self._stretches(words), most=_MOST_OWNERS
    )
    texts = texts[places]
    begin = first[places] - self._before[owners]
    end = begin + self._counts[owners]
    fits = (begin >= words.starts[texts]) & (end <= words.starts[texts + 1])
    texts, owners = texts[fits], owners[fits]
    found = words.stretches(begin[fits], end[fits]) == self._hashes[owners]
    return texts[found], owners[found]

  def _stretches(self, words: Words) -> UInt64[np.ndarray, 'n']:
    first, _ = words.in_a_row(self._stretch, least=self._stretch)
    return words.stretches(first, first + self._stretch)


def _rarest(
  stretches: np.ndarray,
  begins: Int64[np.ndarray, 'n'],
  sizes: Int64[np.ndarray, 'n'],
) -> Int64[np.ndarray, 'n']:
  """Returns how many stretches of each text stand before its rarest one."""
  if not len(begins):
    return begins
  _, which, counts = np.unique(
    stretches, return_inverse=True, return_counts=True
  )
  within = np.arange(len(stretches)) - np.repeat(begins, sizes)
  # By count, then by place: the lowest of such a number tells both.
  rank = (counts[which] << 32) | within
  return np.minimum.reduceat(rank, begins) & 0xFFFFFFFF
