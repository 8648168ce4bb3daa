"""Bands meet as often as the theory has it; a lookup finds what is there."""

import numpy as np
import pytest

from gemb.data.contamination.minhash import Lookup, band_keys
from gemb.data.contamination.words import mix


def members(first, last):
  return mix(np.arange(first, last, dtype=np.uint64))


def bands(*sets, bands=42, rows=3):
  sizes = [len(members) for members in sets]
  starts = np.cumsum([0, *sizes[:-1]])
  return band_keys(np.concatenate(sets), starts, bands=bands, rows=rows)


def test_equal_sets_have_equal_bands_in_any_order():
  a = members(0, 9)
  first, second = bands(a, np.concatenate([a[::-1], a[:3]]))
  assert (first == second).all()


def test_bands_of_one_set_differ():
  assert len(np.unique(bands(members(0, 1)))) == 42


@pytest.mark.parametrize('shared', [20, 40, 60, 80])
def test_bands_meet_with_the_probability_of_the_jaccard_similarity(shared):
  """Of one row each, on 20 pairs of sets and 200 orders: 4,000 draws."""
  met = [
    (np.equal(*bands(members(a, a + 100), other, bands=200, rows=1))).mean()
    for a in range(0, 20_000, 1000)
    for other in [members(a + 100 - shared, a + 200 - shared)]
  ]
  assert np.mean(met) == pytest.approx(shared / (200 - shared), abs=0.03)


def test_all_rows_of_a_band_have_to_agree():
  # A similarity of 0.6, 20 pairs: 0.6^3 of the bands.
  met = [
    np.equal(*bands(members(a, a + 80), members(a + 20, a + 100))).mean()
    for a in range(0, 20_000, 1000)
  ]
  assert np.mean(met) == pytest.approx(0.216, abs=0.06)


def test_a_lookup_finds_every_owner_of_a_key():
  keys = members(0, 4)
  lookup = Lookup(keys[[0, 1, 0, 2]], np.array([10, 11, 12, 13]))
  places, owners = lookup.find(keys[[3, 0, 2]])
  assert places.tolist() == [1, 1, 2]
  assert owners.tolist() == [10, 12, 13]
  places, owners = lookup.find(keys[[3, 0, 2]], most=1)
  assert (places.tolist(), owners.tolist()) == ([1, 2], [10, 13])


def test_a_lookup_of_many_finds_these_and_no_others():
  lookup = Lookup(members(0, 5000), np.arange(5000))
  places, owners = lookup.find(members(4000, 20_000))
  assert places.tolist() == list(range(1000))
  assert owners.tolist() == list(range(4000, 5000))


def test_an_empty_lookup_finds_nothing():
  lookup = Lookup(members(0, 0), np.arange(0))
  assert [x.tolist() for x in lookup.find(members(0, 9))] == [[], []]
