"""The code that travels: a pinned archive of one commit of this checkout."""

import hashlib
import pathlib
import subprocess

from gemb.launch.command import Command
from gemb.launch.place import Shipment

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]


def find_commit(name: str, checkout: pathlib.Path = CHECKOUT) -> str:
  """Returns the whole name of a commit.

  Args:
    name: in any way that git understands.
    checkout: of git.

  Raises:
    ValueError: if there is no checkout, or no such commit in it.
    OSError: if git is not installed.
  """
  found = _git(checkout, 'rev-parse', '--show-toplevel')
  if found.returncode or pathlib.Path(found.stdout.strip()) != checkout:
    raise ValueError(
      f'gemb runs from {checkout}, which is no checkout of git, so there is no '
      'commit to ship; clone the repository, and launch from the clone.'
    )
  found = _git(checkout, 'rev-parse', '--verify', f'{name}^{{commit}}')
  if found.returncode:
    raise ValueError(
      f'Job.commit is {name!r}, which {checkout} does not have; look with '
      '`git log`.'
    )
  return found.stdout.strip()


def changes(checkout: pathlib.Path = CHECKOUT) -> list[str]:
  """Returns the files of a checkout that differ from its HEAD.

  New ones are of them where Python would import them.
  """
  lines = _git(checkout, 'status', '--porcelain').stdout.splitlines()
  return [
    line[3:]
    for line in lines
    if not line.startswith('??') or line[3:].startswith('gemb/')
  ]


def check_clean(name: str, checkout: pathlib.Path = CHECKOUT) -> None:
  """Raises ValueError if a job of HEAD would not run the code that is here."""
  if name == 'HEAD' and (found := changes(checkout)):
    more = ', ...' if len(found) > 3 else ''
    raise ValueError(
      f'{checkout} has {len(found)} files that HEAD does not have so '
      f'({", ".join(found[:3])}{more}), and what is shipped is a commit. '
      'Commit them, or name the commit that is meant: '
      '--gin.Job.commit="\'NAME\'".'
    )


def archive(shipment: Shipment, checkout: pathlib.Path = CHECKOUT) -> Command:
  """Returns the command that writes a shipment's code.

  The same commit gives the same bytes: git takes the time of the commit.
  """
  return Command(
    what=f'pack the code of commit {shipment.commit[:12]}',
    argv=(
      *('git', '-C', str(checkout), 'archive', '--format=tar.gz'),
      f'--prefix={shipment.code_folder}/',
      f'--output={shipment.code}',
      shipment.commit,
    ),
  )


def checksum(path: pathlib.Path) -> str:
  """Returns the sha256 of a file, in hexadecimal."""
  with path.open('rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()


def _git(
  checkout: pathlib.Path, *arguments: str
) -> subprocess.CompletedProcess:
  try:
    return subprocess.run(
      ['git', '-C', str(checkout), *arguments], capture_output=True, text=True
    )
  except FileNotFoundError:
    raise OSError(
      'git is not installed here, and the code that is shipped is a commit.'
    ) from None
