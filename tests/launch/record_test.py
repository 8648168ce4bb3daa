"""What a folder says of its supervisor."""

import pytest

from gemb.launch import record
from gemb.launch.record import Record


def test_a_folder_that_nobody_works_for_says_so(tmp_path):
  assert record.read(tmp_path) is None
  assert not record.is_running(tmp_path)


def test_it_tells_what_was_written_last_and_whether_it_still_goes(tmp_path):
  folder = tmp_path / 'job'
  with record.kept(folder, 7) as write:
    assert record.read(folder) == Record(process=7)
    write(starts=2)
    write(status=75, cause='it fell')
    assert record.is_running(folder)
  assert not record.is_running(folder)
  wanted = Record(process=7, starts=2, status=75, cause='it fell')
  assert record.read(folder) == wanted


def test_a_folder_has_one_supervisor(tmp_path):
  refused = pytest.raises(ValueError, match='has a supervisor that runs')
  with record.kept(tmp_path, 7), refused, record.kept(tmp_path, 8):
    pass
  assert record.read(tmp_path) == Record(process=7)


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  with record.kept(None, 7) as write:
    write(starts=1)
  assert not list(tmp_path.iterdir())
