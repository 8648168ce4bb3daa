"""Whether a checkpoint is still what was written: its digest tells.

The digest is a file in the checkpoint's folder, written before orbax gives the
folder its name: a checkpoint that was killed in its writing is no checkpoint,
and none is without digest but those from before there were digests, which are
taken for whole.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib

from gemb import files

_NAME = 'digest.json'
_HASH = 'sha256'
# What orbax writes later, and restores nothing from.
_LATER = {'_CHECKPOINT_METADATA', 'commit_success.txt'}
# What any has; one without digest that lacks it is no old one, but the rest of
# one that was being deleted.
_ALWAYS = 'about/metadata', 'state/_METADATA'
_MISSING = 'is missing'
_SMALL = 2**20  # bytes of a file that is read in a glance
# Beside training; it is the disk that takes the time.
_THREADS = 4


def steps(folder: str | os.PathLike) -> list[int]:
  """Returns the steps that a folder of checkpoints has, ascending."""
  folder = pathlib.Path(folder)
  names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
  return sorted(int(name) for name in names if name.isdecimal())


def size(checkpoint: pathlib.Path) -> int:
  """Returns the bytes of a checkpoint's files."""
  return sum(path.stat().st_size for path in _files(checkpoint).values())


def write_digest(checkpoint: pathlib.Path) -> None:
  """Writes down what files a checkpoint has: of each its bytes and its hash."""
  found = {
    name: path
    for name, path in _files(checkpoint).items()
    if name not in _LATER and name != _NAME
  }
  with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
    digests = dict(zip(found, pool.map(_describe, found.values()), strict=True))
  _write(checkpoint, digests)


def replace_file(checkpoint: pathlib.Path, name: str, content: str) -> None:
  """Changes a file of a checkpoint, which is whole at every moment.

  Args:
    checkpoint: its folder.
    name: of the file in it.
    content: what it has from now on.
  """
  digests = _read(checkpoint)
  # In between it has no digest, as those have none that are older than these.
  (checkpoint / _NAME).unlink(missing_ok=True)
  path = files.write_file(checkpoint / name, content)
  if digests:
    _write(checkpoint, digests | {name: _describe(path)})


def damage(checkpoint: pathlib.Path, *, glance: bool = False) -> str:
  """Returns what is wrong with a checkpoint, in words; '' if nothing is.

  Args:
    checkpoint: its folder.
    glance: read its small files alone, and of the others nothing but their
      length.
  """
  if not (checkpoint / _NAME).is_file():
    gone = [name for name in _ALWAYS if not (checkpoint / name).is_file()]
    return f'{gone[0]} {_MISSING}' if gone else ''
  digests = _read(checkpoint)
  if digests is None:
    return f'{_NAME} cannot be read'

  def fault(name: str) -> str:
    return _fault(checkpoint / name, *digests[name], glance=glance)

  with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
    faults = zip(digests, pool.map(fault, digests), strict=True)
    return next((f'{name} {what}' for name, what in faults if what), '')


def check_whole(folder: pathlib.Path, step: int, *, glance: bool) -> None:
  """Raises ValueError if a checkpoint is damaged, and names the whole ones.

  Args:
    folder: of the checkpoints.
    step: of the one that is wanted.
    glance: as in `damage`.
  """
  fault = damage(folder / str(step), glance=glance)
  if not fault:
    return
  whole = [
    each
    for each in steps(folder)
    if each != step and not damage(folder / str(each))
  ]
  advice = (
    f'name one that is whole by its step: {whole}.'
    if whole
    else 'no other is whole; train the model again.'
  )
  raise ValueError(
    f'The checkpoint of step {step} in {folder} is damaged: {fault}. Copy it '
    f'again if you have it elsewhere, or {advice}'
  )


def set_aside_damaged(folder: str | os.PathLike) -> list[str]:
  """Moves damaged checkpoints out of the way, so that training goes on.

  The newest are read, until one is whole; from it training goes on. At those
  before it is glanced: what is cut off there could not be opened. Nothing is
  deleted. For the one process that writes, before it opens the folder.

  Args:
    folder: of the checkpoints.

  Returns:
    A sentence about each that was moved.
  """
  folder = pathlib.Path(folder)
  whole, faults = 0, {}
  for step in reversed(steps(folder)):
    fault = damage(folder / str(step), glance=bool(whole))
    # Where a run was killed as it deleted an old one, orbax ends that later.
    if fault and not (whole and fault.endswith(_MISSING)):
      faults[step] = fault
    else:
      whole = whole or step
  then = (
    f'going on from step {whole}.'
    if whole
    else 'no whole one is left, and the run begins anew.'
  )
  return [
    f'The checkpoint of step {step} is damaged: {fault}. It was moved to '
    f'{_set_aside(folder / str(step))}; {then}'
    for step, fault in faults.items()
  ]


def _set_aside(checkpoint: pathlib.Path) -> pathlib.Path:
  """Renames a checkpoint to what orbax takes for none; returns the name."""
  name, number = f'damaged_{checkpoint.name}', 1
  while (aside := checkpoint.with_name(name)).exists():
    number += 1
    name = f'damaged_{checkpoint.name}_{number}'
  return checkpoint.rename(aside)


def _files(checkpoint: pathlib.Path) -> dict[str, pathlib.Path]:
  """Returns {name in the checkpoint: path}."""
  return {
    path.relative_to(checkpoint).as_posix(): path
    for path in sorted(checkpoint.rglob('*'))
    if path.is_file()
  }


def _read(checkpoint: pathlib.Path) -> dict[str, tuple[int, str]] | None:
  """Returns {name: (bytes, hash)}, or None if there is no telling."""
  try:
    content = json.loads((checkpoint / _NAME).read_bytes())
    found = content[_HASH].items()
    return {str(name): (int(n), str(digest)) for name, (n, digest) in found}
  except (OSError, ValueError, KeyError, TypeError, AttributeError):
    return None


def _write(
  checkpoint: pathlib.Path, digests: dict[str, tuple[int, str]]
) -> None:
  text = json.dumps({_HASH: digests}, indent=2, sort_keys=True)
  files.write_file(checkpoint / _NAME, text + '\n')


def _describe(path: pathlib.Path) -> tuple[int, str]:
  return path.stat().st_size, _hash(path)


def _fault(
  path: pathlib.Path, length: int, digest: str, *, glance: bool
) -> str:
  """Returns what is wrong with a file, or ''."""
  try:
    found = path.stat().st_size
    if found != length:
      return f'has {found} bytes instead of {length}'
    if (glance and length > _SMALL) or _hash(path) == digest:
      return ''
    return 'has other content than was written'
  except FileNotFoundError:
    return _MISSING
  except OSError as error:  # the disk itself
    return f'cannot be read ({error.strerror})'


def _hash(path: pathlib.Path) -> str:
  with path.open('rb') as file:
    return hashlib.file_digest(file, _HASH).hexdigest()
