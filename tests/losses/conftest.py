"""Equation 1 once more, written from the paper and not from gemb."""

import math

import numpy as np
import pytest


@pytest.fixture(scope='session')
def equation_1():
  """Returns each query's summand, in float64 and one term after another."""

  def cosine(a, b):
    return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))

  def losses(q, p, n, query_id, positive_id, has_negative, temperature):
    q, p, n = (np.asarray(x, np.float64) for x in (q, p, n))
    result = []
    for i in range(len(q)):
      positive = math.exp(cosine(q[i], p[i]) / temperature)
      Z = positive
      for r in range(n.shape[1]):
        if has_negative[i][r]:
          Z += math.exp(cosine(q[i], n[i, r]) / temperature)
      for j in range(len(q)):
        same_query = tuple(query_id[i]) == tuple(query_id[j])
        same_positive = tuple(positive_id[i]) == tuple(positive_id[j])
        if j != i and not same_query and not same_positive:
          Z += math.exp(cosine(q[i], p[j]) / temperature)
      result.append(-math.log(positive / Z))
    return np.array(result)

  return losses


@pytest.fixture(scope='session')
def case():
  """Six examples: two hard negatives at most, repeated queries, positives."""
  rng = np.random.default_rng(0)
  has_negative = np.array(
    [[1, 1], [0, 0], [1, 0], [1, 1], [0, 1], [0, 0]], bool
  )
  n = rng.normal(size=(6, 2, 8)).astype(np.float32)
  n[~has_negative] = 0
  ids = np.array([[1, 2, 3, 1, 4, 5], [10, 11, 11, 12, 13, 14]], np.uint32)
  return {
    'q': rng.normal(size=(6, 8)).astype(np.float32),
    'p': rng.normal(size=(6, 8)).astype(np.float32),
    'n': n,
    'query_id': np.stack([ids[0], ids[0]], axis=1),
    'positive_id': np.stack([ids[1], ids[1]], axis=1),
    'has_negative': has_negative,
  }
