import getpass
import importlib.metadata
import io
import json
import pathlib
import socket
import subprocess
import sys
import tarfile

import jax

from gemb import provenance


def test_versions_machine_and_command_are_told(monkeypatch):
  monkeypatch.setattr(sys, 'argv', ['/bin/gemb', 'train', '--workdir=a b'])
  about = provenance.about_run()
  assert about['command'] == "gemb train '--workdir=a b'"
  assert about['devices'] == jax.device_count() == 8
  assert about['versions']['numpy'] == importlib.metadata.version('numpy')
  assert about['commit']
  assert json.loads(json.dumps(about)) == about


def test_a_folder_without_git_is_told_as_such(monkeypatch):
  def fail(*_, **__):
    raise subprocess.CalledProcessError(128, 'git')

  monkeypatch.setattr(subprocess, 'run', fail)
  assert provenance.about_run()['commit'] == 'not a git checkout'


def test_an_archive_knows_its_commit(tmp_path):
  def git(*arguments):
    command = ['git', '-C', str(tmp_path), *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout

  root = pathlib.Path(provenance.__file__).parents[1]
  (tmp_path / 'gemb').mkdir()
  for name in ('.gitattributes', 'gemb/provenance.py'):
    (tmp_path / name).write_text((root / name).read_text())
  git('init', '--quiet')
  git('add', '.')
  someone = '-c', 'user.name=someone', '-c', 'user.email=someone@example.org'
  git(*someone, 'commit', '--quiet', '--message=all')
  commit = git('rev-parse', 'HEAD').decode().strip()
  with tarfile.open(fileobj=io.BytesIO(git('archive', 'HEAD'))) as archive:
    source = archive.extractfile('gemb/provenance.py').read()
  unpacked = {'__file__': str(tmp_path / 'unpacked.py')}
  exec(source, unpacked)
  assert unpacked['about_run']()['commit'] == commit


def test_a_machine_without_git_is_told_as_such(monkeypatch):
  monkeypatch.setenv('PATH', '')
  assert provenance.about_run()['commit'] == 'not a git checkout'


def test_neither_user_nor_host_is_named(monkeypatch):
  # Names that stand nowhere by chance.
  monkeypatch.setattr(pathlib.Path, 'home', lambda: pathlib.Path('/home/xyzzy'))
  monkeypatch.setattr(getpass, 'getuser', lambda: 'xyzzy')
  monkeypatch.setattr(socket, 'gethostname', lambda: 'plugh')
  monkeypatch.setattr('platform.node', lambda: 'plugh')
  arguments = ['gemb', 'train', '--workdir=/home/xyzzy/runs/try']
  monkeypatch.setattr(sys, 'argv', arguments)
  about = provenance.about_run()
  assert about['command'] == 'gemb train --workdir=~/runs/try'
  text = json.dumps(about)
  assert 'xyzzy' not in text and 'plugh' not in text


def test_data_have_fingerprints_of_the_whole_and_of_each_task():
  tasks = {'a': {'rate': 1.0, 'records': ['aa']}, 'b': {'records': ['bb']}}
  identity = {'tokenizer': 'cc', 'tasks': tasks, 'window': 2, 'seed': 7}
  told = provenance.about_data(identity)
  assert told['seed'] == 7
  assert told['fingerprint']['tokenizer'] == 'cc'
  # sha256 of {"records": ["aa"]}
  assert told['fingerprint']['tasks']['a'] == (
    'a6f4989389c9b951ac449195ac71d390bed623fc502064e8cbd8b4c090de1f11'
  )
  changed = identity | {'window': 3}
  other = provenance.about_data(changed)['fingerprint']
  assert other['tasks'] == told['fingerprint']['tasks']
  assert other['data'] != told['fingerprint']['data']
