import itertools

import numpy as np
import pytest

from gemb.data.packing import choose_rungs, pack, round_up, slots


def lengths_like(rng, n, longest):
  """Lengths as texts have them: mostly short, some long."""
  return np.clip(rng.lognormal(3, 0.7, n).astype(int), 3, longest)


@pytest.mark.parametrize('row_length', [8, 64, 256])
def test_every_text_has_a_place_of_its_own(row_length):
  rng = np.random.default_rng(0)
  lengths = lengths_like(rng, 500, row_length)
  packing = pack(lengths, row_length)
  taken = np.zeros((packing.rows, row_length), int)
  texts = [[] for _ in range(packing.rows)]
  for length, row, offset, slot in zip(
    lengths, packing.row, packing.offset, packing.slot, strict=True
  ):
    taken[row, offset : offset + length] += 1
    texts[row].append(slot)
  assert taken.max() == 1
  assert taken.sum() == lengths.sum()
  # They lie one after another from the start, and are counted so.
  assert (np.diff(taken, axis=1) <= 0).all()
  assert all(sorted(found) == list(range(len(found))) for found in texts)
  assert max(map(len, texts)) <= slots(row_length)


@pytest.mark.parametrize('row_length', [64, 128, 256])
def test_hardly_a_row_is_wasted(row_length):
  lengths = lengths_like(np.random.default_rng(1), 512, row_length)
  fewest = lengths.sum() / row_length
  assert pack(lengths, row_length).rows <= 1.02 * fewest + 1


def test_a_text_that_is_not_there_takes_no_place():
  packing = pack(np.array([0, 4, 0]), 4)
  assert packing.row.tolist() == [-1, 0, -1]
  assert packing.rows == 1
  assert pack(np.array([0, 0]), 4).rows == 0


def test_a_row_has_no_more_texts_than_slots():
  packing = pack(np.ones(10, int), 8)
  assert slots(8) == 2
  assert packing.rows == 5
  assert packing.slot.max() == 1


def test_equal_lengths_are_packed_equally():
  lengths = lengths_like(np.random.default_rng(2), 99, 64)
  first, again = pack(lengths, 64), pack(lengths.copy(), 64)
  np.testing.assert_array_equal(first.row, again.row)
  np.testing.assert_array_equal(first.offset, again.offset)


@pytest.mark.parametrize('at_once', [1, 3, 8, 32])
def test_rows_are_rounded_up_to_few_equal_parts(at_once):
  for rows in range(1, 200):
    rounded = round_up(rows, at_once)
    parts = -(-rows // at_once)
    assert rounded % parts == 0
    assert rounded // parts <= at_once
    assert rows <= rounded < rows + parts


def waste(rungs, rows, weights):
  return sum(
    weight * (min(rung for rung in rungs if rung >= row) - row)
    for row, weight in zip(rows, weights, strict=True)
  )


@pytest.mark.parametrize('seed', range(12))
def test_no_other_rungs_waste_less(seed):
  rng = np.random.default_rng(seed)
  rows = rng.integers(1, 40, 8).tolist()
  weights, most = rng.random(8).tolist(), int(rng.integers(1, 5))
  rungs = choose_rungs(rows, weights, most)
  assert len(rungs) <= most
  assert rungs == tuple(sorted(set(rungs)))
  least = min(
    waste(other, rows, weights)
    for count in range(1, most + 1)
    for other in itertools.combinations(sorted(set(rows)), count)
    if max(other) == max(rows)
  )
  assert waste(rungs, rows, weights) == pytest.approx(least)
