import json

import numpy as np
import pytest

from gemb.curation.vectors import make_vectors

ALL = np.arange(30, dtype=np.float32).reshape(10, 3)
ABOUT = {'miner': 'a'}


@pytest.fixture
def make(tmp_path):
  """Makes ALL in blocks of four, and may be killed after some; tells which."""

  def make_all(about=ABOUT, *, killed_after=None, vectors=ALL):
    asked = []

    def blocks(first):
      for start in range(first, len(vectors), 4):
        if len(asked) == killed_after:
          raise KeyboardInterrupt
        asked.append(start)
        yield vectors[start : start + 4]

    found = make_vectors(tmp_path / 'v.npy', about, ALL.shape, blocks)
    return found, asked

  return make_all


def test_vectors_are_mapped_from_their_file(make, tmp_path):
  found, asked = make()
  assert isinstance(found, np.memmap) and asked == [0, 4, 8]
  np.testing.assert_array_equal(found, ALL)
  np.testing.assert_array_equal(np.load(tmp_path / 'v.npy'), ALL)
  assert json.loads((tmp_path / 'v.json').read_text()) == {
    'miner': 'a',
    'shape': [10, 3],
  }


def test_what_is_made_is_not_made_again(make):
  make()
  found, asked = make()
  assert asked == []
  np.testing.assert_array_equal(found, ALL)


def test_a_killed_process_is_gone_on_with(make, tmp_path):
  with pytest.raises(KeyboardInterrupt):
    make(killed_after=2)
  part = tmp_path / 'v.npy.part'
  # The last vector was cut short.
  part.write_bytes(part.read_bytes()[:-5])
  found, asked = make()
  assert asked == [7]
  np.testing.assert_array_equal(found, ALL)
  assert not part.exists()


@pytest.mark.parametrize('killed_after', [None, 1])
def test_vectors_of_something_else_are_made_anew(make, killed_after):
  if killed_after:
    with pytest.raises(KeyboardInterrupt):
      make({'miner': 'b'}, killed_after=killed_after)
  else:
    make({'miner': 'b'})
  assert make()[1] == [0, 4, 8]


def test_too_few_vectors_are_refused(make):
  with pytest.raises(ValueError, match='was to get 10 vectors, and got 7'):
    make(vectors=ALL[:7])
