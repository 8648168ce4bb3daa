import sys

import numpy as np
import pytest

from gemb import axes
from gemb.curation.approximate import ApproximateSearch
from gemb.curation.neighbours import ExactSearch, order


def unit(*shape, seed=0):
  vectors = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
  return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope='module')
def passages():
  return unit(3000, 8)


@pytest.fixture(scope='module')
def exact(passages):
  layout = axes.Layout(axes.make_mesh(axes.MeshConfig()), axes.AxisRules())
  return ExactSearch(passages, layout, tile=512, queries=64)


def test_looking_into_all_cells_finds_what_the_exact_search_finds(
  passages, exact
):
  found = ApproximateSearch(passages)
  assert found.looked == found.cells == 3000 // 39
  queries = unit(20, 8, seed=1)
  for part, wanted in zip(
    found.search(queries, 10), exact.search(queries, 10), strict=True
  ):
    np.testing.assert_array_equal(part, wanted)


def test_it_looks_into_as_few_cells_as_find_nearly_all(passages, exact):
  found, queries = ApproximateSearch(passages), unit(64, 8, seed=1)
  found.tune(queries, 10, exact)
  assert 8 < found.looked < found.cells
  assert 0.98 <= found.recall < 1
  wanted = exact.search(queries, 10).number
  hits = [
    len(set(f) & set(w))
    for f, w in zip(
      found.search(queries, 10).number.tolist(), wanted.tolist(), strict=True
    )
  ]
  assert sum(hits) / 640 == pytest.approx(found.recall)


def test_the_same_passages_have_the_same_index(passages):
  queries = unit(9, 8, seed=2)
  first, again = ApproximateSearch(passages), ApproximateSearch(passages)
  first.looked = again.looked = 3
  for part, other in zip(
    first.search(queries, 20), again.search(queries, 20), strict=True
  ):
    np.testing.assert_array_equal(part, other)


def test_where_the_cells_hold_fewer_the_rest_is_none(passages):
  found = ApproximateSearch(passages)
  found.looked = 1
  number, similarity = found.search(passages[:2], 1000)
  assert number.shape == (2, 1000)
  assert number[:, 0].tolist() == [0, 1]
  there = number >= 0
  assert 0 < there.sum() < 400
  assert (similarity[~there] == -np.inf).all()
  np.testing.assert_array_equal(
    similarity[there],
    order(passages, passages[:2], number).similarity[there],
  )


def test_few_passages_are_one_cell():
  passages = np.eye(4, dtype=np.float32)
  found = ApproximateSearch(passages)
  assert found.cells == 1
  assert found.search(passages[:1], 9).number.tolist() == [[0, 1, 2, 3]]


def test_a_library_that_is_not_installed_is_told(monkeypatch, passages):
  monkeypatch.setitem(sys.modules, 'faiss', None)
  with pytest.raises(ValueError, match=r"pip install -e '\.\[curation\]'"):
    ApproximateSearch(passages)
