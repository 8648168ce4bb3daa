"""The code of a commit, in a repository of two commits."""

import pathlib
import subprocess
import tarfile

import pytest

from gemb.launch import code
from gemb.launch.command import run_all
from gemb.launch.place import Shipment, Task


@pytest.fixture
def git(tmp_path, monkeypatch):
  """Returns a function that calls git in a new repository."""
  for name in ('AUTHOR', 'COMMITTER'):
    monkeypatch.setenv(f'GIT_{name}_NAME', 'someone')
    monkeypatch.setenv(f'GIT_{name}_EMAIL', 'someone@example.org')
  folder = tmp_path / 'checkout'
  (folder / 'gemb').mkdir(parents=True)

  def call(*arguments):
    done = subprocess.run(
      ['git', *arguments],
      cwd=folder,
      capture_output=True,
      text=True,
      check=True,
    )
    return done.stdout.strip()

  call('init', '--quiet')
  for text in ('old', 'new'):
    (folder / 'gemb' / 'a.py').write_text(text)
    call('add', '.')
    call('commit', '--quiet', '--message', text)
  call.folder = folder
  return call


def ship(folder, commit):
  return Shipment(
    name='mine',
    folder=folder,
    tasks=(Task(name='mine', program='', workdir='runs'),),
    commit=commit,
    restarts=0,
  )


def test_a_commit_is_found_by_any_name(git):
  found = code.find_commit('HEAD~1', git.folder)
  assert found == git('rev-parse', 'HEAD~1') and len(found) == 40


def test_a_commit_that_is_none_is_named(git):
  with pytest.raises(ValueError, match="is 'nowhere', which"):
    code.find_commit('nowhere', git.folder)


@pytest.mark.parametrize('folder', ['checkout/gemb', '.'])
def test_what_is_no_checkout_has_no_commit(folder, git, tmp_path):
  with pytest.raises(ValueError, match='is no checkout of git'):
    code.find_commit('HEAD', (tmp_path / folder).resolve())


def test_the_archive_is_of_the_commit_and_always_the_same(git, tmp_path):
  (git.folder / 'gemb' / 'a.py').write_text('newest')
  sums = []
  for name in ('one', 'two'):
    (tmp_path / name).mkdir()
    shipment = ship(tmp_path / name, git('rev-parse', 'HEAD~1'))
    run_all([code.archive(shipment, git.folder)])
    sums.append(code.checksum(shipment.code))
  assert sums[0] == sums[1]
  with tarfile.open(shipment.code) as packed:
    assert (
      packed.extractfile(f'{shipment.code_folder}/gemb/a.py').read() == b'old'
    )


def test_code_that_is_not_committed_is_not_shipped(git):
  code.check_clean('HEAD', git.folder)
  (git.folder / 'notes.txt').write_text('no code')
  code.check_clean('HEAD', git.folder)
  (git.folder / 'gemb' / 'b.py').write_text('code')
  with pytest.raises(ValueError, match=r'1 files .*\(gemb/b.py\).*Commit them'):
    code.check_clean('HEAD', git.folder)
  code.check_clean('HEAD~1', git.folder)
  (git.folder / 'gemb' / 'b.py').unlink()
  (git.folder / 'gemb' / 'a.py').write_text('other code')
  with pytest.raises(ValueError, match=r'\(gemb/a.py\)'):
    code.check_clean('HEAD', git.folder)


def test_it_needs_git(monkeypatch, tmp_path):
  monkeypatch.setenv('PATH', str(tmp_path))
  with pytest.raises(OSError, match='git is not installed'):
    code.find_commit('HEAD')


def test_this_is_the_checkout():
  assert (code.CHECKOUT / 'gemb' / 'launch' / 'code.py').samefile(
    pathlib.Path(code.__file__)
  )
