"""Writing so that nothing half-written is ever seen under its name."""

import contextlib
import os
import pathlib
import secrets
import shutil
from collections.abc import Iterator


def write_file(path: str | os.PathLike, content: str | bytes) -> pathlib.Path:
  """Writes a whole file, or leaves what was there; returns its path."""
  with write_path(path) as temporary:
    temporary.write_bytes(
      content.encode() if isinstance(content, str) else content
    )
  return pathlib.Path(path)


@contextlib.contextmanager
def write_path(path: str | os.PathLike) -> Iterator[pathlib.Path]:
  """Yields a path to write, which becomes `path` only if nothing is raised."""
  path = pathlib.Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  temporary = _temporary(path)
  try:
    yield temporary
    os.replace(temporary, path)
  finally:
    temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def write_folder(path: str | os.PathLike) -> Iterator[pathlib.Path]:
  """Yields a folder to fill, which becomes `path` only if nothing is raised.

  Where another process has made `path` in the meantime, its is kept: folders
  written this way are named by their content.
  """
  path = pathlib.Path(path)
  temporary = _temporary(path)
  temporary.mkdir(parents=True)
  try:
    yield temporary
    try:
      os.rename(temporary, path)
    except OSError:
      if not path.is_dir():
        raise
  finally:
    shutil.rmtree(temporary, ignore_errors=True)


def _temporary(path: pathlib.Path) -> pathlib.Path:
  # Random, not the process id: containers and hosts that share a folder give
  # the same ids out again.
  return path.with_name(f'.{path.name}.{secrets.token_hex(4)}.tmp')
