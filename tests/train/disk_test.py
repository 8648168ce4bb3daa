import errno
import logging
import os
import shutil
import types

import pytest

from gemb.train import disk

TENSORSTORE = (
  'RESOURCE_EXHAUSTED: Error writing "step/0" in OCDBT database: Failed to '
  "write 435685 bytes to file 11: No space left on device [os_error_code='28']"
)


def free(monkeypatch, free_bytes, total=2**30):
  usage = types.SimpleNamespace(total=total, free=free_bytes)
  monkeypatch.setattr(shutil, 'disk_usage', lambda _: usage)


@pytest.fixture
def folder(tmp_path):
  """Holds a checkpoint of 3 MiB."""
  (tmp_path / '80' / 'state').mkdir(parents=True)
  (tmp_path / '80' / 'state' / 'd').write_bytes(bytes(3 * 2**20))
  return tmp_path


@pytest.mark.parametrize(
  ('error', 'full'),
  [
    (OSError(errno.ENOSPC, 'No space left on device'), True),
    (OSError(errno.EDQUOT, 'Disk quota exceeded'), True),
    (OSError(errno.EACCES, 'Permission denied'), False),
    (ValueError(TENSORSTORE), True),
    (ValueError('RESOURCE_EXHAUSTED: out of memory'), False),
    (None, False),
  ],
)
def test_a_full_disk_is_known_by_number_or_words(error, full):
  assert disk.is_full(error) == full


def test_a_full_disk_is_known_behind_another_error():
  try:
    try:
      with open('/dev/full', 'w') as file:
        file.write('x')
    except OSError as error:
      raise RuntimeError('The save failed.') from error
  except RuntimeError as error:
    assert disk.is_full(error)


def test_a_checkpoint_that_has_no_room_is_not_begun(folder, monkeypatch):
  free(monkeypatch, 2 * 2**20)
  with pytest.raises(OSError) as error:
    disk.check_space(folder)
  assert str(error.value) == (
    f'The disk of {folder} has 2.0 MiB left, and a checkpoint needs 3.0 MiB. '
    'Free some space on it; the same command then goes on from the checkpoint '
    'of step 80, the last good one.'
  )


@pytest.mark.parametrize(('free_bytes', 'total'), [(3 * 2**20, 2**30), (0, 0)])
def test_a_checkpoint_that_has_room_is(folder, monkeypatch, free_bytes, total):
  free(monkeypatch, free_bytes, total)
  disk.check_space(folder)


def test_the_first_checkpoint_is_tried(tmp_path, monkeypatch):
  free(monkeypatch, 0)
  disk.check_space(tmp_path / 'checkpoints')


def test_a_full_disk_is_told_in_one_sentence(folder):
  with pytest.raises(OSError) as error, disk.told(folder):
    raise ValueError(TENSORSTORE)
  assert str(error.value) == (
    f'The disk of {folder} is full, and the checkpoint could not be written. '
    'Free some space on it; the same command then goes on from the checkpoint '
    'of step 80, the last good one.'
  )


def test_without_a_checkpoint_the_run_begins_again(tmp_path):
  with pytest.raises(OSError) as error, disk.told(tmp_path):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
  assert str(error.value).endswith(
    'the same command then begins again, for there is no checkpoint yet.'
  )


def test_another_error_is_as_it_was(folder):
  with pytest.raises(ValueError, match=r'^unlike$'), disk.told(folder):
    raise ValueError('unlike')


def test_a_full_disk_is_kept_out_of_the_log_and_all_else_is_not(caplog):
  log = logging.getLogger('disk_test')
  log.addFilter(disk.UNLOGGED)
  for error in (ValueError(TENSORSTORE), ValueError('unlike')):
    try:
      raise error
    except ValueError:
      log.exception('A thread failed.')
  log.error('A thread raised %s.', TENSORSTORE)
  assert [record.exc_info[1].args for record in caplog.records] == [('unlike',)]
