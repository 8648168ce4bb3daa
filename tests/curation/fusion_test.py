"""Reciprocal rank fusion, worked by hand."""

import numpy as np
import pytest

from gemb.curation import fusion

NAN = float('nan')


def test_the_greatest_ranks_first():
  assert fusion.ranks(np.array([-3.0, 4.0, 0.0])).tolist() == [3, 1, 2]


def test_equal_values_share_the_mean_of_their_ranks():
  ranked = fusion.ranks(np.array([1.0, 2.0, 1.0, 1.0, 0.0]))
  assert ranked.tolist() == [3, 1, 3, 3, 5]


def test_what_is_not_known_ranks_last_and_shares_it():
  assert fusion.ranks(np.array([NAN, -1e9, NAN])).tolist() == [2.5, 1, 2.5]


def test_two_orders_are_fused_by_the_sum_of_inverted_ranks():
  signals = np.array([[3.0, 2.0, 1.0], [0.1, 0.3, 0.2]])  # 1 2 3 and 3 1 2
  expected = [1 / 61 + 1 / 63, 1 / 62 + 1 / 61, 1 / 63 + 1 / 62]
  np.testing.assert_allclose(fusion.fuse(signals, 60.0), expected, rtol=1e-12)
  assert fusion.order(signals, 60.0).tolist() == [1, 0, 2]


def test_a_small_constant_favours_what_one_signal_puts_first():
  # First and last of four, against twice second.
  signals = np.array([[4.0, 3.0, 2.0, 1.0], [1.0, 3.0, 2.0, 4.0]])
  assert fusion.order(signals, 0.0).tolist() == [0, 3, 1, 2]  # 1 + 1/4 > 1
  assert fusion.fuse(signals, 0.0).tolist() == pytest.approx(
    [1.25, 1, 2 / 3, 1.25]
  )


def test_a_signal_that_tells_nothing_apart_has_no_say():
  alone = np.array([[1.0, 3.0, 2.0]])
  for silent in (0.5, NAN):
    both = np.array([alone[0], [silent] * 3])
    assert (fusion.order(both, 60.0) == fusion.order(alone, 60.0)).all()


def test_equal_scores_keep_the_order_they_came_in():
  signals = np.array([[2.0, 1.0], [1.0, 2.0]])
  assert fusion.order(signals, 60.0).tolist() == [0, 1]


def test_nothing_is_fused_to_nothing():
  assert fusion.order(np.zeros((2, 0)), 60.0).tolist() == []
