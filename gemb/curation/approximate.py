"""The nearest passages of each query, nearly: by an index of FAISS.

Passages are put into cells by their nearest centroid (k-means), and a query
looks into the cells that are nearest to it (Sivic and Zisserman 2003; Douze et
al., arXiv:2401.08281). In how many is measured: so many that of the exact
neighbours of some queries nearly all are found. All passages are in the memory
of one machine. What is found is ordered as by the exact search.
"""

import importlib.util
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from gemb.curation.neighbours import SPARE, Found, Neighbours, order

RECALL = 0.98  # of the neighbours of the queries that it is measured on
_FEWEST = 39  # passages of a cell, below which k-means has too few to go by
_MOST = 256  # passages of a cell that k-means goes by
_BLOCK = 1 << 16  # passages that are added at once


class ApproximateSearch:
  """Passages in cells, some of which are looked into.

  Attributes:
    cells: how many there are.
    looked: into how many a query looks; all, at first.
    recall: share of the exact neighbours that is found; 1 at first.
  """

  def __init__(self, passages: Float32[np.ndarray, 'n M'], *, seed: int = 0):
    """Builds the index.

    Args:
      passages: unit vectors, which may be mapped from a file.
      seed: of the choice of passages that k-means goes by.

    Raises:
      ValueError: if FAISS is not installed.
    """
    self._passages = passages
    wanted = round(4 * len(passages) ** 0.5)
    self.cells = max(1, min(wanted, len(passages) // _FEWEST))
    self.looked, self.recall = self.cells, 1.0
    self._index = _build(passages, self.cells, seed)

  def search(self, queries: Float32[np.ndarray, 'q M'], k: int) -> Found:
    """Returns the nearest passages that it finds; see `Neighbours`."""
    k = min(k, len(self._passages))
    self._index.nprobe = self.looked
    proposals = min(k + SPARE, len(self._passages))
    _, numbers = self._index.search(queries, proposals)
    number, similarity = order(self._passages, queries, numbers)
    return Found(number[:, :k], similarity[:, :k])

  def tune(
    self, queries: Float32[np.ndarray, 'q M'], k: int, exact: Neighbours
  ) -> None:
    """Looks into no more cells than it must to find nearly all neighbours.

    Args:
      queries: that stand for others.
      k: how many neighbours are looked for.
      exact: finds them all.
    """
    wanted = exact.search(queries, k).number
    self.looked, self.recall = min(8, self.cells), 0.0
    while True:
      self.recall = recall(self.search(queries, k).number, wanted)
      if self.recall >= RECALL or self.looked == self.cells:
        return
      self.looked = min(2 * self.looked, self.cells)


def recall(
  found: Int64[np.ndarray, 'q k'], wanted: Int64[np.ndarray, 'q k']
) -> float:
  """Returns the share of the wanted passages that were found.

  >>> recall(np.array([[1, 2, -1]]), np.array([[2, 3, 1]]))
  0.6666666666666666
  """
  hits = [np.isin(w, f) for f, w in zip(found, wanted, strict=True)]
  return float(np.mean(hits))


def _build(passages: Float32[np.ndarray, 'n M'], cells: int, seed: int) -> Any:
  """Returns FAISS's index of all passages."""
  if importlib.util.find_spec('faiss') is None:
    raise ValueError(
      "MiningConfig.search is 'faiss', which is not installed: pip install "
      "-e '.[curation]', or take 'exact'."
    )
  import faiss

  width = passages.shape[1]
  index: Any = faiss.index_factory(
    width, f'IVF{cells},Flat', faiss.METRIC_INNER_PRODUCT
  )
  index.cp.seed = seed + 1  # 0 would be drawn anew each time
  few = min(len(passages), _MOST * cells)
  drawn = np.random.default_rng(seed).choice(len(passages), few, replace=False)
  index.train(np.ascontiguousarray(passages[np.sort(drawn)]))
  for start in range(0, len(passages), _BLOCK):
    index.add(np.ascontiguousarray(passages[start : start + _BLOCK]))
  return index
