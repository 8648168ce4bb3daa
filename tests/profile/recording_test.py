"""Where a recording comes to lie."""

import jax.numpy as jnp
import pytest

from gemb.profile import recording


def record(folder, name):
  with recording.recorded(folder):
    jnp.ones(3).block_until_ready()
  path = recording.collect(folder, name)
  recording.drop(folder)
  return path


def files(folder):
  return sorted(p.name for p in folder.rglob('*') if p.is_file())


def test_a_recording_lies_where_tensorboard_looks(tmp_path):
  path = record(tmp_path, 'steps_1_2')
  assert path.parent == tmp_path / 'plugins' / 'profile' / 'steps_1_2'
  host = path.name.removesuffix('.xplane.pb')
  assert files(tmp_path) == [f'{host}.trace.json.gz', f'{host}.xplane.pb']
  assert [p.name for p in tmp_path.iterdir()] == ['plugins']


def test_processes_of_one_host_write_files_of_their_own(tmp_path, monkeypatch):
  monkeypatch.setattr(recording.distributed, 'count', lambda: 2)
  host = record(tmp_path, 'steps').name.removesuffix('_0.xplane.pb')
  monkeypatch.setattr(recording.jax, 'process_index', lambda: 1)
  record(tmp_path, 'steps')
  kinds = '.trace.json.gz', '.xplane.pb'
  assert files(tmp_path) == [f'{host}_{i}{k}' for i in (0, 1) for k in kinds]


def test_a_kind_of_file_that_is_not_written_is_told(tmp_path):
  with recording.recorded(tmp_path):
    pass
  for path in tmp_path.rglob('*.json.gz'):
    path.unlink()
  with pytest.raises(
    FileNotFoundError,
    match=r'^The profiler of JAX has written no \*\.trace\.json\.gz\.$',
  ):
    recording.collect(tmp_path, 'steps')


def test_what_failed_is_no_part_of_the_next_recording(tmp_path):
  with pytest.raises(KeyError), recording.recorded(tmp_path):
    raise KeyError
  record(tmp_path, 'steps')
  assert len(files(tmp_path)) == 2
