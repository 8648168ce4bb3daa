"""Ranking metrics: how far up does a query find its one relevant passage?

Every function works on plain NumPy arrays, so that embeddings, BM25 scores and
anything else that orders passages are judged by the same few lines. A query
has exactly one relevant passage here, which is what translations and
docstring-to-code pairs give; the general definitions then become one-liners.

Next: `bitext.py` turns ranks into accuracy by language.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int

# Inner products of float32 unit vectors carry an error of this order, and BLAS
# gives equal vectors unequal last bits in different columns. Closer is a tie.
COSINE_TOLERANCE = 1e-6

# Scores held at once by `rank_positives`: 64 MiB of float32.
MAX_SCORES = 2**24


def truncate(
  embeddings: Float[np.ndarray, 'N E'], prefix: int
) -> Float[np.ndarray, 'N M']:
  """Returns the first `prefix` columns, each row scaled to unit length.

  This is how a Matryoshka embedding (Kusupati et al., arXiv:2205.13147) is
  used at a smaller dimension.

  Args:
    embeddings: one embedding a row, of any length.
    prefix: M, the number of columns kept; 1 <= M <= E.

  Returns:
    Unit vectors in float32.

  Raises:
    ValueError: if the prefix is not between 1 and E, or if a row has no
      direction there (zero, infinite or NaN).
  """
  width = embeddings.shape[1]
  if not 1 <= prefix <= width:
    raise ValueError(
      f'The prefix is {prefix}, but the embeddings have {width} columns: '
      f'choose a prefix from 1 to {width}.'
    )
  columns_NM = np.asarray(embeddings[:, :prefix], np.float32)
  norms_N1 = np.linalg.norm(columns_NM, axis=1, keepdims=True)
  unusable = np.flatnonzero(~(np.isfinite(norms_N1) & (norms_N1 > 0)))
  if unusable.size:
    raise ValueError(
      f'{unusable.size} of {len(embeddings)} embeddings are zero or not finite '
      f'in their first {prefix} columns (the first is row {unusable[0]}): they '
      'have no cosine similarity. Check the model for NaN and empty texts.'
    )
  return columns_NM / norms_N1


def index_passages(
  passages: Sequence[str],
) -> tuple[list[str], Int[np.ndarray, 'Q']]:
  """Merges equal passages, so that the relevant text counts, not its copy.

  Args:
    passages: the relevant passage of each query.

  Returns:
    The distinct passages in order of first appearance, and for each query the
    index of its passage among them.

  Example:
    >>> index_passages(['save', 'open', 'save'])
    (['save', 'open'], array([0, 1, 0]))
  """
  index: dict[str, int] = {}
  positive = [index.setdefault(text, len(index)) for text in passages]
  return list(index), np.array(positive, np.int64)


def ranks_of_positives(
  scores_QN: Float[np.ndarray, 'Q N'],
  positive: Int[np.ndarray, 'Q'],
  *,
  tolerance: float = 0.0,
) -> Int[np.ndarray, 'Q']:
  """Ranks each query's relevant passage among all, from 1, ties pessimistic.

  A passage that scores as high as the relevant one is put before it. Put
  behind, a model that gives every text the same vector, or a query that shares
  no word with any passage, would be perfect. NaN counts as a higher score.

  Args:
    scores_QN: the score of each passage for each query; higher is better.
    positive: the index of each query's relevant passage.
    tolerance: scores that differ by no more than this are tied.

  Returns:
    Ranks from 1 (strictly best) to N.

  Raises:
    ValueError: if an index points at no passage.

  Example:
    >>> scores = np.array([[0.9, 0.1, 0.5], [0.2, 0.2, 0.1]])
    >>> ranks_of_positives(scores, np.array([2, 0]))
    array([2, 2])
  """
  passages = scores_QN.shape[1]
  _check_positive(positive, passages)
  of_positive_Q1 = np.take_along_axis(scores_QN, positive[:, None], axis=1)
  # "not lower" rather than "as high": the two differ for NaN.
  ahead_QN = ~(scores_QN < of_positive_Q1 - tolerance)
  return np.count_nonzero(ahead_QN, axis=1).astype(np.int64)


def rank_positives(
  queries: Float[np.ndarray, 'Q M'],
  passages: Float[np.ndarray, 'N M'],
  positive: Int[np.ndarray, 'Q'],
  *,
  max_scores: int = MAX_SCORES,
) -> Int[np.ndarray, 'Q']:
  """Ranks each query's relevant passage by cosine similarity.

  Queries are taken in chunks, so that memory does not grow with Q x N.

  Args:
    queries: unit vectors, as `truncate` returns them.
    passages: unit vectors of the distinct passages.
    positive: the index of each query's relevant passage.
    max_scores: similarities held at once (one row at least).

  Returns:
    Ranks from 1 to N; see `ranks_of_positives` for ties.

  Raises:
    ValueError: if an index points at no passage.
  """
  _check_positive(positive, len(passages))
  ranks = np.empty(len(queries), np.int64)
  for chunk in _chunks(
    len(queries), max(1, max_scores // max(1, len(passages)))
  ):
    ranks[chunk] = ranks_of_positives(
      queries[chunk] @ passages.T, positive[chunk], tolerance=COSINE_TOLERANCE
    )
  return ranks


def retrieval_metrics(
  ranks: Int[np.ndarray, 'Q'], *, ks: Sequence[int] = (1, 5, 10)
) -> dict[str, float]:
  """Means over queries of MRR@10, recall@k and nDCG@10, each from 0 to 1.

  With one relevant passage of rank r:
      MRR@10   1/r, or 0 past rank 10 (MS MARCO, Bajaj et al.,
               arXiv:1611.09268)
      recall@k 1 if r <= k, else 0
      nDCG@10  1/log2(1 + r), or 0 past rank 10 (Jarvelin and Kekalainen 2002,
               doi:10.1145/582415.582418; the ideal gain is 1)

  Args:
    ranks: the rank of each query's relevant passage, from 1.
    ks: the cutoffs of recall.

  Returns:
    'mrr@10', 'recall@k' for each k, and 'ndcg@10'.

  Raises:
    ValueError: if there is no query.

  Example:
    >>> retrieval_metrics(np.array([1, 3, 11, 11]), ks=(1,))
    {'mrr@10': 0.3333333333333333, 'recall@1': 0.25, 'ndcg@10': 0.375}
  """
  if not len(ranks):
    raise ValueError(
      'There are no ranks to average: the evaluation set holds no query.'
    )
  in_ten = ranks <= 10
  recall = {f'recall@{k}': float(np.mean(ranks <= k)) for k in ks}
  return {
    'mrr@10': float(np.mean(in_ten / ranks)),
    **recall,
    'ndcg@10': float(np.mean(in_ten / np.log2(1 + ranks))),
  }


def _check_positive(positive: Int[np.ndarray, 'Q'], passages: int) -> None:
  wrong = np.flatnonzero((positive < 0) | (positive >= passages))
  if wrong.size:
    raise ValueError(
      f'Query {wrong[0]} names passage {positive[wrong[0]]} as relevant, but '
      f'there are {passages} passages: indices run from 0 to {passages - 1}.'
    )


def _chunks(total: int, size: int) -> Iterator[slice]:
  for start in range(0, total, size):
    yield slice(start, start + size)
