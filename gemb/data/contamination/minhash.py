"""Which sets of numbers are alike: MinHash in bands, and looking numbers up.

Source: Broder, On the resemblance and containment of documents (1997): under a
random order two sets have the same first member with the probability of their
Jaccard similarity, |A and B| / |A or B|. With b bands of r first members each,
sets of similarity s share a whole band with probability 1 - (1 - s^r)^b.
"""

import numpy as np
from jaxtyping import Int64, UInt64

from gemb.data.contamination.words import mix, ranges


class Lookup:
  """Numbers with their owners: which of many others are among them?"""

  def __init__(
    self, keys: UInt64[np.ndarray, 'n'], owners: Int64[np.ndarray, 'n']
  ):
    """Sorts the keys.

    Args:
      keys: whose upper bits are as good as random.
      owners: of each; the same key may have several.
    """
    order = np.argsort(keys, kind='stable')
    self._keys, self._owners = keys[order], owners[order]
    # Most that are asked for are not there: a table of their upper bits tells
    # so in a small part of the time that a search takes.
    bits = min(max((8 * len(keys)).bit_length(), 10), 26)
    self._shift = np.uint64(64 - bits)
    self._maybe = np.zeros(1 << bits, bool)
    self._maybe[keys >> self._shift] = True

  def find(
    self, keys: UInt64[np.ndarray, 'm'], *, most: int | None = None
  ) -> tuple[Int64[np.ndarray, 'found'], Int64[np.ndarray, 'found']]:
    """Returns pairs: a place in `keys`, ascending, and an owner of that key.

    Args:
      keys: to be looked up.
      most: owners of each that are returned; None: all.
    """
    places = np.flatnonzero(self._maybe[keys >> self._shift])
    wanted = keys[places]
    first = np.searchsorted(self._keys, wanted, 'left')
    counts = np.searchsorted(self._keys, wanted, 'right') - first
    counts = counts if most is None else np.minimum(counts, most)
    return np.repeat(places, counts), self._owners[ranges(first, counts)]


def band_keys(
  members: UInt64[np.ndarray, 'n'],
  starts: Int64[np.ndarray, 'sets'],
  *,
  bands: int,
  rows: int,
) -> UInt64[np.ndarray, 'sets bands']:
  """Returns a number for each band of each set.

  Args:
    members: of all sets, one set after the other.
    starts: of each, which has at least one member.
    bands: for each set.
    rows: first members in a band, each under an order of its own.
  """
  # The same on every machine, and with every release of NumPy.
  orders = mix(np.arange(bands * rows, dtype=np.uint64)) | np.uint64(1)
  mixed = mix(members)
  keys = np.empty((len(starts), bands), np.uint64)
  for band in range(bands):
    key = np.full(len(starts), band, np.uint64)
    for order in orders[band * rows : (band + 1) * rows]:
      key = mix(key ^ np.minimum.reduceat(mixed * order, starts))
    keys[:, band] = key
  return keys
