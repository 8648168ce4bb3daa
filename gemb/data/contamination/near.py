"""Evaluation texts of which a training text has most words, in their order.

The texts are compared as sets A and B of word n-grams, by Jaccard similarity,
|A and B| / |A or B|, in which an n-gram of both counts by its rarity among N
evaluation texts, log(1 + N / df) / log(1 + N): 1 where df = 1 text has it, and
the less the more do, so that a common phrase makes no two texts alike. What
MinHash proposes is verified exactly.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64

from gemb.data.contamination.minhash import Lookup, band_keys
from gemb.data.contamination.settings import OverlapConfig
from gemb.data.contamination.words import Words, ranges

# Texts in one band are alike; past so many, any of them will do.
_MOST_OWNERS = 64
_PAIRS_AT_ONCE = 2000  # verified in one call


class NearIndex:
  """Evaluation texts by the bands of their n-grams."""

  def __init__(self, chunks: Sequence[Words], config: OverlapConfig):
    """Makes the bands of evaluation texts.

    Args:
      chunks: their words; texts are numbered through all of them.
      config: what is alike; texts of too few words are left out.
    """
    self._config = config
    found, count = [], 0
    for words in chunks:
      texts, grams = self._ngrams(words)
      found.append((texts + count, grams))
      count += len(words.counts)
    texts, grams = (np.concatenate(parts) for parts in zip(*found, strict=True))
    vocabulary, self._ids = np.unique(grams, return_inverse=True)
    self._vocabulary = Lookup(vocabulary, np.arange(len(vocabulary)))
    self._sizes = np.bincount(texts, minlength=count)
    self._starts = np.cumsum(self._sizes) - self._sizes
    long = np.flatnonzero(self._sizes)
    self._rarity = _rarity(np.bincount(self._ids), len(long))
    keys = self._bands(grams, self._starts[long])
    self._by_band = Lookup(keys, np.repeat(long, config.bands))

  def find(
    self, words: Words
  ) -> tuple[
    Int64[np.ndarray, 'n'], Int64[np.ndarray, 'n'], Float64[np.ndarray, 'n']
  ]:
    """Returns training texts, the most similar evaluation text, similarity."""
    all_texts, all_grams = self._ngrams(words)
    sizes = np.bincount(all_texts, minlength=len(words.counts))
    places, ids = self._vocabulary.find(all_grams)
    texts, grams = all_texts[places], all_grams[places]
    # Most texts end here, and nothing is lost: a similar one shares so much.
    most = np.bincount(texts, self._rarity[ids], minlength=len(words.counts))
    enough = (most >= self._config.similarity * sizes)[texts]
    texts, grams, ids = texts[enough], grams[enough], ids[enough]
    candidates, owners = self._propose(texts, grams)
    similarities = self._compare(texts, ids, sizes, candidates, owners)
    alike = similarities >= self._config.similarity
    candidates, owners = candidates[alike], owners[alike]
    similarities = similarities[alike]
    best = np.lexsort((owners, -similarities, candidates))
    best = best[_changes(candidates[best])]
    return candidates[best], owners[best], similarities[best]

  def _ngrams(self, words: Words) -> tuple[np.ndarray, np.ndarray]:
    c = self._config
    return words.ngrams(c.ngram, least=c.fewest_words)

  def _bands(self, grams: np.ndarray, starts: np.ndarray) -> np.ndarray:
    if not len(starts):
      return grams
    c = self._config
    return band_keys(grams, starts, bands=c.bands, rows=c.rows).ravel()

  def _propose(
    self, texts: np.ndarray, grams: np.ndarray
  ) -> tuple[np.ndarray, np.ndarray]:
    """Returns pairs that share a band, each once, ascending.

    Of the training text only n-grams that some evaluation text has are given:
    the others would only make a pair that is alike less likely to be proposed.
    """
    starts = np.flatnonzero(_changes(texts))
    places, owners = self._by_band.find(
      self._bands(grams, starts), most=_MOST_OWNERS
    )
    proposed = texts[starts[places // self._config.bands]]
    pairs = np.unique(proposed * len(self._sizes) + owners)
    return np.divmod(pairs, len(self._sizes))

  def _compare(
    self,
    texts: np.ndarray,
    ids: np.ndarray,
    sizes: np.ndarray,
    candidates: Int64[np.ndarray, 'pairs'],
    owners: Int64[np.ndarray, 'pairs'],
  ) -> Float64[np.ndarray, 'pairs']:
    """Returns the exact similarity of pairs."""
    # Ascending, since texts are, and the n-grams of each.
    there = texts * len(self._ids) + ids
    shared = np.zeros(len(candidates), np.int64)
    counted = np.zeros(len(candidates))
    for start in range(0, len(candidates), _PAIRS_AT_ONCE):
      part = slice(start, start + _PAIRS_AT_ONCE)
      counts = self._sizes[owners[part]]
      grams = self._ids[ranges(self._starts[owners[part]], counts)]
      wanted = grams + np.repeat(candidates[part] * len(self._ids), counts)
      place = np.minimum(np.searchsorted(there, wanted), len(there) - 1)
      found = (there[place] == wanted).astype(np.int64)
      starts = np.cumsum(counts) - counts
      shared[part] = np.add.reduceat(found, starts)
      counted[part] = np.add.reduceat(found * self._rarity[grams], starts)
    return counted / (sizes[candidates] + self._sizes[owners] - shared)


def _rarity(
  texts_with: Int64[np.ndarray, 'grams'], texts: int
) -> Float64[np.ndarray, 'grams']:
  """Returns what n-grams count, by how many of the texts have each."""
  return np.log1p(texts / texts_with) / np.log1p(texts)


def _changes(x: np.ndarray) -> Bool[np.ndarray, 'n']:
  """Returns where ascending numbers differ from the one before."""
  return np.diff(x, prepend=-1) != 0
