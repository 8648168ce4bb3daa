"""Where a recording comes to lie."""

import jax.numpy as jnp
import pytest

from gemb.profile import recording


def record(folder, name):
  with recording.recorded(folder):
    jnp.ones(3).block_until_ready()
  return recording.collect(folder, name)


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


def test_what_failed_is_no_part_of_the_next_recording(tmp_path):
  with pytest.raises(KeyError), recording.recorded(tmp_path):
    raise KeyError
  record(tmp_path, 'steps')
  assert len(files(tmp_path)) == 2
