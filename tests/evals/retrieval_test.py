"""Ranks and metrics against numbers worked out by hand."""

import math

import numpy as np
import pytest

from gemb.evals import retrieval


def _unit_vectors(rows, *, columns=8, seed=0):
  values = np.random.default_rng(seed).normal(size=(rows, columns))
  return retrieval.truncate(values.astype(np.float32), columns)


def test_a_prefix_is_sliced_and_scaled_to_unit_length():
  embeddings = np.array([[3.0, 4.0, 12.0], [0.0, -2.0, 5.0]], np.float32)
  np.testing.assert_allclose(
    retrieval.truncate(embeddings, 2), [[0.6, 0.8], [0.0, -1.0]], rtol=1e-6
  )


def test_truncating_twice_equals_truncating_once():
  embeddings = _unit_vectors(20, columns=16)
  np.testing.assert_allclose(
    retrieval.truncate(retrieval.truncate(embeddings, 8), 4),
    retrieval.truncate(embeddings, 4),
    rtol=1e-6,
    atol=1e-7,
  )


def test_truncating_leaves_its_input_alone():
  embeddings = np.array([[3.0, 4.0]], np.float32)
  retrieval.truncate(embeddings, 2)
  np.testing.assert_array_equal(embeddings, [[3.0, 4.0]])


@pytest.mark.parametrize('prefix', [0, -1, 4])
def test_a_prefix_outside_the_embedding_is_refused(prefix):
  with pytest.raises(ValueError, match=f'prefix is {prefix}.*from 1 to 3'):
    retrieval.truncate(np.ones((2, 3), np.float32), prefix)


@pytest.mark.parametrize('bad', [0.0, math.nan, math.inf])
def test_a_row_without_a_direction_is_named(bad):
  embeddings = np.ones((3, 4), np.float32)
  embeddings[1] = bad
  with pytest.raises(ValueError, match=r'1 of 3 embeddings.*row 1'):
    retrieval.truncate(embeddings, 2)


def test_equal_passages_become_one():
  passages, positive = retrieval.index_passages(['b', 'a', 'b', 'c'])
  assert passages == ['b', 'a', 'c']
  assert positive.tolist() == [0, 1, 0, 2]


def test_ranks_count_from_one():
  scores = np.array([[0.1, 0.9, 0.5], [0.1, 0.9, 0.5], [0.1, 0.9, 0.5]])
  ranks = retrieval.ranks_of_positives(scores, np.array([1, 2, 0]))
  assert ranks.tolist() == [1, 2, 3]


def test_ties_go_against_the_positive():
  scores = np.array([[0.5, 0.5, 0.5, 0.1], [0.0, 0.0, 0.0, 0.0]])
  ranks = retrieval.ranks_of_positives(scores, np.array([0, 2]))
  assert ranks.tolist() == [3, 4]


def test_the_tolerance_decides_what_is_a_tie():
  scores = np.array([[0.50, 0.49, 0.40]])
  positive = np.array([0])
  assert retrieval.ranks_of_positives(scores, positive) == [1]
  assert retrieval.ranks_of_positives(scores, positive, tolerance=0.05) == [2]


def test_nan_never_helps():
  scores = np.array([[math.nan, 0.5, 0.1], [0.9, math.nan, 0.1]])
  ranks = retrieval.ranks_of_positives(scores, np.array([1, 1]))
  assert ranks.tolist() == [2, 3]


@pytest.mark.parametrize('wrong', [-1, 3])
def test_an_index_that_points_at_no_passage_is_named(wrong):
  with pytest.raises(ValueError, match=f'Query 1 names passage {wrong}'):
    retrieval.ranks_of_positives(np.zeros((2, 3)), np.array([0, wrong]))
  with pytest.raises(ValueError, match=f'Query 1 names passage {wrong}'):
    retrieval.rank_positives(
      _unit_vectors(2), _unit_vectors(3), np.array([0, wrong])
    )


def test_a_model_that_maps_all_texts_to_one_vector_gets_the_worst_rank():
  # 501 columns: BLAS handles the last ones by other code, whose last bits may
  # differ.
  same = np.repeat(_unit_vectors(1, columns=256), 501, axis=0)
  ranks = retrieval.rank_positives(same, same, np.arange(501))
  assert set(ranks.tolist()) == {501}


def test_cosines_closer_than_float32_resolves_are_a_tie():
  query = np.array([[1.0, 0.0]], np.float32)
  for gap, rank in ((1e-7, 2), (1e-4, 1)):
    passages = np.array([[1.0, 0.0], [1.0 - gap, 0.0]], np.float32)
    assert passages[1, 0] < 1
    assert retrieval.rank_positives(query, passages, np.array([0])) == [rank]


def test_permuting_the_passages_changes_no_rank():
  queries, passages = _unit_vectors(30, seed=1), _unit_vectors(50, seed=2)
  positive = np.random.default_rng(3).integers(0, 50, size=30)
  order = np.random.default_rng(4).permutation(50)
  np.testing.assert_array_equal(
    retrieval.rank_positives(queries, passages, positive),
    retrieval.rank_positives(
      queries, passages[order], np.argsort(order)[positive]
    ),
  )


@pytest.mark.parametrize('max_scores', [1, 55, 100, 10_000])
def test_the_size_of_chunks_changes_no_rank(max_scores):
  queries, passages = _unit_vectors(7, seed=1), _unit_vectors(50, seed=2)
  positive = np.arange(7)
  whole = retrieval.ranks_of_positives(queries @ passages.T, positive)
  chunked = retrieval.rank_positives(
    queries, passages, positive, max_scores=max_scores
  )
  np.testing.assert_array_equal(chunked, whole)


def test_metrics_agree_with_a_calculation_by_hand():
  metrics = retrieval.retrieval_metrics(np.array([1, 2, 7, 11]))
  assert metrics == {
    'mrr@10': pytest.approx((1 + 1 / 2 + 1 / 7 + 0) / 4),
    'recall@1': 0.25,
    'recall@5': 0.5,
    'recall@10': 0.75,
    'ndcg@10': pytest.approx((1 + 1 / math.log2(3) + 1 / 3 + 0) / 4),
  }


def test_rank_ten_counts_and_rank_eleven_does_not():
  ten = retrieval.retrieval_metrics(np.array([10]))
  assert ten['mrr@10'] == pytest.approx(0.1)
  assert ten['ndcg@10'] == pytest.approx(1 / math.log2(11))
  assert set(retrieval.retrieval_metrics(np.array([11])).values()) == {0.0}


def test_metrics_without_queries_are_refused():
  with pytest.raises(ValueError, match='holds no query'):
    retrieval.retrieval_metrics(np.array([], np.int64))
