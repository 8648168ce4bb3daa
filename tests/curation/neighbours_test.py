import jax
import numpy as np
import pytest

from gemb import axes
from gemb.curation import neighbours
from gemb.curation.neighbours import ExactSearch


def unit(*shape, seed=0):
  vectors = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
  return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def brute_force(queries, passages, k):
  """Every cosine in float64, rounded to float32, ordered in NumPy."""
  exact = queries.astype(np.float64) @ passages.astype(np.float64).T
  similarity = exact.astype(np.float32)
  number = np.argsort(-similarity, axis=1, kind='stable')[:, :k]
  return number, np.take_along_axis(similarity, number, axis=1)


@pytest.fixture(scope='module')
def layout():
  """Eight devices, of which two and four share the batch, and none heads."""
  mesh = axes.make_mesh(axes.MeshConfig(data=4, fsdp=2))
  return axes.Layout(mesh, axes.AxisRules())


@pytest.fixture(scope='module')
def alone():
  mesh = axes.make_mesh(axes.MeshConfig(data=1), jax.devices()[:1])
  return axes.Layout(mesh, axes.AxisRules())


def search(passages, layout, **changes):
  return ExactSearch(passages, layout, **{'tile': 512, 'queries': 16} | changes)


def test_it_equals_brute_force_on_20000_passages(layout):
  passages, queries = unit(20_000, 32), unit(24, 32, seed=1)
  # Equal ones in other tiles, on other devices and next to each other.
  passages[[19_999, 1, 4096, 4097, 9000]] = passages[7]
  queries[3] = passages[7]
  found = search(passages, layout).search(queries, 50)
  number, similarity = brute_force(queries, passages, 50)
  np.testing.assert_array_equal(found.number, number)
  np.testing.assert_array_equal(found.similarity, similarity)
  assert found.number[3, :6].tolist() == [1, 7, 4096, 4097, 9000, 19_999]


def test_devices_and_tiles_change_nothing(layout, alone):
  passages, queries = unit(300, 8), unit(5, 8, seed=1)
  wanted = brute_force(queries, passages, 20)
  for where, tile in (layout, 3), (layout, 1000), (alone, 7), (alone, 300):
    found = search(passages, where, tile=tile, queries=2).search(queries, 20)
    np.testing.assert_array_equal(found.number, wanted[0])
    np.testing.assert_array_equal(found.similarity, wanted[1])


def test_where_there_are_fewer_all_are_found(layout):
  passages = np.array([[1, 0], [0, 1], [-1, 0]], np.float32)
  found = search(passages, layout).search(passages[1:2], 9)
  assert found.number.tolist() == [[1, 0, 2]]
  assert found.similarity.tolist() == [[1, 0, 0]]


def test_of_many_equals_the_first_are_found(alone, monkeypatch):
  passages = np.repeat(unit(2, 8), (500, 100), axis=0)
  found = search(passages, alone, tile=64).search(passages[:1], 3)
  assert found.number.tolist() == [[0, 1, 2]]


def test_what_devices_get_slightly_wrong_is_put_right(alone, monkeypatch):
  # As where a machine adds in another order, and far more than it does.
  passages, queries = unit(400, 8), unit(9, 8, seed=1)
  exact = search(passages, alone)
  propose = ExactSearch._propose

  def wrong(self, queries, k):
    noise = np.random.default_rng(k).uniform(-4e-3, 4e-3, passages.shape)
    self._passages = (passages + noise.astype(np.float32)).astype(np.float32)
    try:
      return propose(self, queries, k)
    finally:
      self._passages = passages

  monkeypatch.setattr(ExactSearch, '_propose', wrong)
  monkeypatch.setattr(neighbours, '_ERROR', 4e-3 * 8**0.5)
  monkeypatch.setattr(neighbours, 'SPARE', 0)
  found = exact.search(queries, 4)
  np.testing.assert_array_equal(
    found.number, brute_force(queries, passages, 4)[0]
  )


def test_passages_are_read_from_their_file_tile_by_tile(layout, tmp_path):
  passages = unit(200, 8)
  np.save(tmp_path / 'passages.npy', passages)
  mapped = np.load(tmp_path / 'passages.npy', mmap_mode='r')
  read = []

  class Watched(np.memmap):
    def __getitem__(self, index):
      if isinstance(index, slice):
        read.append(index.stop - index.start)
      return super().__getitem__(index)

  watched = mapped.view(Watched)
  found = search(watched, layout, tile=10).search(passages[:3], 1)
  assert found.number.tolist() == [[0], [1], [2]]
  assert set(read) == {10}


def test_proposals_are_ordered_by_cosine_and_then_by_number():
  passages = np.array([[0, 1], [1, 0], [1, 0], [0.6, 0.8]], np.float32)
  found = neighbours.order(
    passages, passages[1:2], np.array([[3, 2, -1, 0, 1]])
  )
  assert found.number.tolist() == [[1, 2, 3, 0, -1]]
  np.testing.assert_array_equal(
    found.similarity, np.array([[1, 1, 0.6, 0, -np.inf]], np.float32)
  )
