import pytest

from gemb.data import locks


def test_a_lock_is_held_by_one_at_a_time(tmp_path):
  path = tmp_path / 'lock'
  with locks.hold(path) as first, locks.hold(path, wait=False) as second:
    assert (first, second) == (True, False)
  with locks.hold(path, wait=False) as third:
    assert third


def test_an_error_under_a_lock_gives_it_back(tmp_path):
  with pytest.raises(BlockingIOError), locks.hold(tmp_path / 'lock'):
    raise BlockingIOError
  with locks.hold(tmp_path / 'lock', wait=False) as held:
    assert held


def test_a_lock_in_a_folder_that_is_gone_is_an_error(tmp_path):
  with pytest.raises(FileNotFoundError), locks.hold(tmp_path / 'gone' / 'lock'):
    pass


def test_a_folder_is_claimed_by_one_at_a_time(tmp_path):
  with (
    locks.claim(tmp_path, 'trained'),
    pytest.raises(ValueError, match='is being swept by another process; wait'),
    locks.claim(tmp_path, 'swept'),
  ):
    pass
  with locks.claim(tmp_path, 'swept'):
    pass
