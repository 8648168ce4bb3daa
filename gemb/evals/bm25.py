"""BM25, the baseline that every learned retriever must beat.

Scores come from the library bm25s (Lu, arXiv:2407.03618) in Lucene's variant
with k1 = 1.5 and b = 0.75. Tokens are chosen so that code is treated fairly:
a docstring's "read the csv file" meets `readCsv_file`. No stemming and no
stopwords, since the texts are in dozens of languages.
"""

import logging
import re
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Int

from gemb.evals import retrieval

_WORD = re.compile(r'[^\W_]+')  # letters and digits of any script
# Identifiers are ASCII. A digit ends a word only before 'Xx', so that Conv2D
# stays whole and sha256Hash does not.
_CAMEL = re.compile(
  r'(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z0-9])(?=[A-Z][a-z])',
)

_QUERIES_PER_CHUNK = 256


def tokenize(text: str) -> list[str]:
  """Splits text into lower-cased words, and identifiers into theirs.

  Example:
    >>> tokenize('Parse readCsv_file from HTTPServer, Conv2D!')
    ['parse', 'read', 'csv', 'file', 'from', 'http', 'server', 'conv2d']
  """
  words = _WORD.findall(text)
  return [part.lower() for word in words for part in _CAMEL.split(word)]


def bm25_ranks(
  queries: Sequence[str],
  passages: Sequence[str],
  positive: Int[np.ndarray, 'Q'],
) -> Int[np.ndarray, 'Q']:
  """Ranks each query's relevant passage by BM25, ties pessimistic.

  A query none of whose tokens stands in any passage scores all passages
  equally, and so gets the worst rank.

  Args:
    queries: Q texts.
    passages: N distinct texts.
    positive: the index of each query's relevant passage.

  Returns:
    Ranks from 1 to N; see `retrieval.ranks_of_positives` for ties.

  Raises:
    ValueError: if there is no passage, or an index points at none.
  """
  if not passages:
    raise ValueError('There is no passage to search: pass at least one.')
  score = _make_scorer(passages)
  ranks = np.empty(len(queries), np.int64)
  # In chunks: the scores of all queries at once could fill the memory.
  for start in range(0, len(queries), _QUERIES_PER_CHUNK):
    chunk = slice(start, start + _QUERIES_PER_CHUNK)
    scores_QN = np.stack([score(query) for query in queries[chunk]])
    ranks[chunk] = retrieval.ranks_of_positives(scores_QN, positive[chunk])
  return ranks


def _make_scorer(passages: Sequence[str]) -> Callable[[str], np.ndarray]:
  """Returns a function from a query to its score for each passage."""
  # Importing bm25s runs a JAX operation, which starts the backend: at the top
  # of this file it would do so before a run has joined its other hosts.
  import bm25s

  # It reports each index at level DEBUG, and sets that level itself.
  logging.getLogger('bm25s').setLevel(logging.WARNING)
  tokens = [tokenize(passage) for passage in passages]
  nothing = np.zeros(len(passages), np.float32)
  if not any(tokens):
    return lambda query: nothing  # bm25s would divide by the mean length, zero
  index = bm25s.BM25(method='lucene', k1=1.5, b=0.75)
  # The empty token would be an entry without a column in the index.
  index.index(tokens, create_empty_token=False, show_progress=False)

  def score(query: str) -> np.ndarray:
    known = index.get_tokens_ids(tokenize(query))
    return index.get_scores_from_ids(known) if known else nothing

  return score
