"""Texts as numbers: a chunk of them at once, the same on every machine.

A text's words are what `gemb.data.examples.normalise` leaves. Scripts that put
no spaces between words (Han, Kana, Thai and their like) have a word a
character. Everything is arithmetic modulo 2^64 on one array of characters: a
polynomial hash of words, of whole texts, and of any words in a row, whose
prefix sums give the hash of each stretch in constant time.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt64

# First and last characters of scripts without spaces between words.
_WITHOUT_SPACES = (
  (0x0E00, 0x0EFF),  # Thai, Lao
  (0x0F00, 0x109F),  # Tibetan, Burmese
  (0x1780, 0x17FF),  # Khmer
  (0x3005, 0x312F),  # Kana, and signs among Han
  (0x31F0, 0x31FF),  # small Kana
  (0x3400, 0x4DBF),  # Han, as are those below
  (0x4E00, 0x9FFF),
  (0xF900, 0xFAFF),
  (0xFF66, 0xFF9D),  # half-width Kana
  (0x20000, 0x3FFFF),
)
_LAST_CHARACTER = 0x10FFFF
# An n-gram is one of 2^44 numbers; that of its text takes the other bits.
_NGRAM_BITS, _TEXT_BITS = 44, 20
# Odd, so that it has an inverse modulo 2^64.
_BASE = 0xD6E8FEB86659FD93
_INVERSE = pow(_BASE, -1, 2**64)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Words:
  """The words of a chunk of texts, one after the other.

  Attributes:
    hashes: of each word.
    starts: the first word of each text, and at last the number of words.
    lengths: of each text in words, where two characters of a script without
      spaces between words count as one.
    sums: hashes[0] * b^0 + ... + hashes[i - 1] * b^(i - 1), for each i.
  """

  hashes: UInt64[np.ndarray, 'words']
  starts: Int64[np.ndarray, 'texts_and_1']
  lengths: Float64[np.ndarray, 'texts']
  sums: UInt64[np.ndarray, 'words_and_1']

  @property
  def counts(self) -> Int64[np.ndarray, 'texts']:
    """The number of words of each text."""
    return np.diff(self.starts)

  def texts(self) -> UInt64[np.ndarray, 'texts']:
    """Returns the hash of each text; that of no word is always the same."""
    return self.stretches(self.starts[:-1], self.starts[1:])

  def stretches(
    self, first: Int64[np.ndarray, 'n'], last: Int64[np.ndarray, 'n']
  ) -> UInt64[np.ndarray, 'n']:
    """Returns hashes of the words from `first` to before `last`."""
    _, inverse = powers(len(self.hashes))
    return mix((self.sums[last] - self.sums[first]) * inverse[first])

  def in_a_row(
    self, size: int, *, least: int = 0
  ) -> tuple[Int64[np.ndarray, 'n'], Int64[np.ndarray, 'n']]:
    """Returns first words, and texts, of each `size` words of one text.

    Args:
      size: number of words.
      least: length of a text; shorter ones are left out.
    """
    rows = np.maximum(self.counts - size + 1, 0) * (self.lengths >= least)
    texts = np.repeat(np.arange(len(rows)), rows)
    return ranges(self.starts[:-1], rows), texts

  def ngrams(
    self, size: int, *, least: int = 0
  ) -> tuple[Int64[np.ndarray, 'n'], UInt64[np.ndarray, 'n']]:
    """Returns the set of each text's n-grams: text and n-gram, ascending.

    Args:
      size: words of an n-gram.
      least: length of a text; shorter ones are left out.
    """
    first, texts = self.in_a_row(size, least=least)
    hashes = self.stretches(first, first + size)
    both = (texts.astype(np.uint64) << _NGRAM_BITS) | (hashes >> _TEXT_BITS)
    both.sort()
    both = both[np.diff(both, prepend=~both[:1]) != 0]
    return (both >> _NGRAM_BITS).astype(np.int64), both << _TEXT_BITS


def read_words(texts: Sequence[str]) -> Words:
  """Returns the words of texts that were normalised.

  Args:
    texts: words of letters and digits, single-spaced.

  Raises:
    ValueError: if there are too many texts for one chunk.
  """
  if len(texts) > 1 << _TEXT_BITS:
    raise ValueError(
      f'{len(texts):,} texts were given at once; give at most '
      f'{1 << _TEXT_BITS:,}.'
    )
  joined = ''.join(f'{text}\n' for text in texts).encode('utf-32-le')
  characters = np.frombuffer(joined, '<u4').astype(np.uint64)
  ends = characters == ord('\n')
  letters = ~ends & (characters != ord(' '))
  alone = _without_spaces()[characters]
  after_word = np.ones(len(characters), bool)
  after_word[1:] = ~letters[:-1] | alone[:-1]
  begins = letters & (alone | after_word)
  starts, single = (
    np.concatenate([[0], np.cumsum(x)[ends]]).astype(np.int64)
    for x in (begins, letters & alone)
  )
  base, inverse = powers(len(characters))
  places = np.flatnonzero(begins)
  terms = np.where(letters, mix(characters), 0) * base[:-1]
  # reduceat has no answer for no words.
  sums = np.add.reduceat(terms, places) if len(places) else terms[:0]
  hashes = mix(sums * inverse[places])
  return Words(
    hashes=hashes,
    starts=starts,
    lengths=np.diff(starts) - np.diff(single) / 2,
    sums=_prefix_sums(hashes * powers(len(hashes))[0][:-1]),
  )


def mix(x: UInt64[np.ndarray, '*shape']) -> UInt64[np.ndarray, '*shape']:
  """Returns numbers all of whose bits depend on all bits (splitmix64)."""
  x = x + np.uint64(0x9E3779B97F4A7C15)
  x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
  x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
  return x ^ (x >> np.uint64(31))


def ranges(
  first: Int64[np.ndarray, 'n'], counts: Int64[np.ndarray, 'n']
) -> Int64[np.ndarray, 'total']:
  """Returns first, first + 1, ... of each, `counts` of them, in one row."""
  before = np.cumsum(counts) - counts
  return np.repeat(first - before, counts) + np.arange(counts.sum())


def powers(
  count: int,
) -> tuple[UInt64[np.ndarray, 'n'], UInt64[np.ndarray, 'n']]:
  """Returns b^0, ..., b^count modulo 2^64, and their inverses."""
  found = _powers(1 << max(count, 1).bit_length())
  return found[0, : count + 1], found[1, : count + 1]


@functools.lru_cache(maxsize=2)
def _powers(count: int) -> np.ndarray:
  factors = np.ones((2, count + 1), np.uint64)
  factors[0, 1:], factors[1, 1:] = _BASE, _INVERSE
  return np.cumprod(factors, axis=1)


def _prefix_sums(x: UInt64[np.ndarray, 'n']) -> UInt64[np.ndarray, 'n_and_1']:
  sums = np.zeros(len(x) + 1, np.uint64)
  np.cumsum(x, out=sums[1:])
  return sums


@functools.cache
def _without_spaces() -> Bool[np.ndarray, 'characters']:
  table = np.zeros(_LAST_CHARACTER + 1, bool)
  for first, last in _WITHOUT_SPACES:
    table[first : last + 1] = True
  return table
