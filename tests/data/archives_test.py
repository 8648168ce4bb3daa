import hashlib
import io
import os
import pathlib
import signal
import subprocess
import sys
import tarfile
import time

import pytest

from gemb.data import archives

METADATA = 'Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n'
WHEEL = 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n'


@pytest.fixture
def index(tmp_path, monkeypatch, write_wheel):
  """Points pip to a folder with one wheel, and gemb to an empty folder."""
  (tmp_path / 'index').mkdir()
  monkeypatch.setenv('PIP_NO_INDEX', '1')
  monkeypatch.setenv('PIP_FIND_LINKS', str(tmp_path / 'index'))
  monkeypatch.setenv('GEMB_DATA', str(tmp_path / 'data'))
  return write_wheel(
    {
      'tiny.txt': 'data',
      'tiny-1.0.dist-info/METADATA': METADATA,
      'tiny-1.0.dist-info/WHEEL': WHEEL,
      'tiny-1.0.dist-info/RECORD': '',
    },
    name='index/tiny-1.0-py3-none-any.whl',
  )


def pinned(path, **changes):
  fields = {
    'package': 'tiny',
    'version': '1.0',
    'sha256': hashlib.sha256(path.read_bytes()).hexdigest(),
    'filename': path.name,
  }
  return archives.Archive(**{**fields, **changes})


def visible(folder):
  return [p.name for p in folder.iterdir() if not p.name.endswith('.lock')]


def test_the_data_folder_is_named_by_the_environment(monkeypatch):
  monkeypatch.setenv('GEMB_DATA', '/somewhere')
  assert archives.data_dir() == pathlib.Path('/somewhere')


@pytest.mark.parametrize('unset', [True, False])
def test_the_data_folder_is_in_the_home_folder_by_default(monkeypatch, unset):
  monkeypatch.setenv('HOME', '/home/someone')
  monkeypatch.setenv('GEMB_DATA', '')
  if unset:
    monkeypatch.delenv('GEMB_DATA')
  assert archives.data_dir() == pathlib.Path('/home/someone/.cache/gemb')


def test_an_archive_is_downloaded_once(index):
  archive = pinned(index)
  path = archives.fetch(archive)
  assert path == archives.data_dir() / 'archives' / index.name
  assert path.read_bytes() == index.read_bytes()
  index.unlink()
  assert archives.fetch(archive) == path
  assert visible(path.parent) == [path.name]


def test_an_archive_for_another_python_is_read_all_the_same(index, write_wheel):
  write_wheel(
    {
      'tiny-1.0.dist-info/METADATA': f'{METADATA}Requires-Python: >=99\n',
      'tiny-1.0.dist-info/WHEEL': WHEEL,
    },
    name=f'index/{index.name}',
  )
  assert archives.fetch(pinned(index)).read_bytes() == index.read_bytes()


def test_a_truncated_archive_is_named_and_kept(index):
  archive = pinned(index)
  path = archives.fetch(archive)
  path.write_bytes(path.read_bytes()[:-10])
  found = hashlib.sha256(path.read_bytes()).hexdigest()
  wanted = rf'{path} .*sha256 is {found}, where {archive.sha256} .*Delete it'
  with pytest.raises(ValueError, match=wanted):
    archives.fetch(archive)
  assert path.exists()


def test_a_download_with_another_checksum_is_not_kept(index):
  archive = pinned(index, sha256='0' * 64)
  with pytest.raises(ValueError, match='Nothing was kept'):
    archives.fetch(archive)
  assert visible(archives.data_dir() / 'archives') == []


def test_a_failed_download_tells_what_pip_said(index):
  archive = pinned(index, version='2.0', filename='tiny-2.0-py3-none-any.whl')
  wanted = '^pip could not download tiny==2.0: No matching distribution found'
  with pytest.raises(RuntimeError, match=wanted):
    archives.fetch(archive)
  assert visible(archives.data_dir() / 'archives') == []


def test_an_index_with_another_file_is_an_error(index):
  archive = pinned(index, filename='tiny-1.0-cp311-cp311-any.whl')
  with pytest.raises(RuntimeError, match=f'pip downloaded {index.name} for'):
    archives.fetch(archive)


def test_a_missing_pip_is_an_error(index, monkeypatch):
  monkeypatch.setattr(archives.importlib.util, 'find_spec', lambda name: None)
  with pytest.raises(RuntimeError, match=r'has no pip.*ensurepip'):
    archives.fetch(pinned(index))


def test_a_data_folder_that_cannot_be_made_is_an_error(index, monkeypatch):
  monkeypatch.setenv('GEMB_DATA', str(index))
  with pytest.raises(OSError, match=r'cannot be made .*Set GEMB_DATA'):
    archives.fetch(pinned(index))


BACKEND = """import pathlib
def prepare_metadata_for_build_wheel(folder, config_settings=None):
  metadata = pathlib.Path(folder) / 'tiny-1.0.dist-info'
  metadata.mkdir()
  (metadata / 'METADATA').write_text(pathlib.Path('PKG-INFO').read_text())
  return metadata.name
def build_wheel(*args, **kwargs):
  raise NotImplementedError
"""
PROJECT = """[build-system]
requires = []
build-backend = 'backend'
backend-path = ['.']
"""


def test_a_source_archive_is_downloaded_as_it_is(index, tmp_path):
  path = tmp_path / 'index' / 'tiny-1.0.tar.gz'
  content = {
    'PKG-INFO': METADATA,
    'backend.py': BACKEND,
    'pyproject.toml': PROJECT,
    'docs/index.txt': 'Welcome',
  }
  with tarfile.open(path, 'w:gz') as archive:
    for name, text in content.items():
      info = tarfile.TarInfo(f'tiny-1.0/{name}')
      info.size = len(text)
      archive.addfile(info, io.BytesIO(text.encode()))
  fetched = archives.fetch(pinned(path))
  assert fetched.name == path.name
  assert fetched.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
  ('filename', 'options'),
  [
    ('tiny-1.0.tar.gz', ['--no-binary=tiny']),
    ('tiny-1.0-py3-none-any.whl', ['--only-binary=:all:']),
    (
      'tiny-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl',
      [
        '--only-binary=:all:',
        '--implementation=cp',
        '--python-version=3.11',
        '--abi=cp311',
        '--platform=manylinux_2_17_x86_64',
        '--platform=manylinux2014_x86_64',
      ],
    ),
    (
      'tiny-1.0-py3-none-win_amd64.whl',
      [
        '--only-binary=:all:',
        '--implementation=py',
        '--python-version=3',
        '--abi=none',
        '--platform=win_amd64',
      ],
    ),
  ],
)
def test_pip_is_told_which_file_is_wanted(index, filename, options):
  assert archives._which(pinned(index, filename=filename)) == options


@pytest.mark.parametrize(
  'tags', ['py3-none-win_amd64', 'cp38-abi3-win_amd64', 'cp39-cp39-win32']
)
def test_a_wheel_for_another_machine_is_downloaded_all_the_same(
  index, write_wheel, tags
):
  wheel = write_wheel(
    {
      'tiny-1.0.dist-info/METADATA': METADATA,
      'tiny-1.0.dist-info/WHEEL': WHEEL.replace('py3-none-any', tags),
      'tiny-1.0.dist-info/RECORD': '',
    },
    name=f'index/tiny-1.0-{tags}.whl',
  )
  index.unlink()
  assert archives.fetch(pinned(wheel)).read_bytes() == wheel.read_bytes()


def test_a_data_folder_that_cannot_be_written_is_an_error(
  tmp_path, monkeypatch
):
  monkeypatch.setattr(archives.os, 'access', lambda path, mode: False)
  with pytest.raises(OSError, match=r'cannot be written.* Set GEMB_DATA'):
    archives.make_folder(tmp_path)


def test_an_interrupted_download_leaves_nothing_behind(index, tmp_path):
  archive = pinned(index)
  folder = archives.data_dir() / 'archives'
  partial = folder / f'.{archive.filename}.partial'
  script = (
    'import pathlib, time\n'
    'from gemb.data import archives\n'
    'def download(archive, folder):\n'
    "  (folder / archive.filename).write_bytes(b'half')\n"
    '  time.sleep(60)\n'
    'archives._download = download\n'
    f'archives.fetch(archives.{archive!r})\n'
  )
  process = subprocess.Popen([sys.executable, '-c', script])
  deadline = time.monotonic() + 30
  while not (partial / archive.filename).exists():
    assert time.monotonic() < deadline
    time.sleep(0.02)
  os.kill(process.pid, signal.SIGKILL)
  process.wait()
  assert not (folder / archive.filename).exists()

  path = archives.fetch(archive)  # The lock died with the process.
  assert path.read_bytes() == index.read_bytes()
  assert visible(folder) == [archive.filename]
