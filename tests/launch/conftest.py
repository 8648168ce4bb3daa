"""A job to launch, and a stand-in for the programs that launch it."""

import pathlib
import re
import stat

import pytest

from gemb import config, main
from gemb.launch import code
from gemb.launch.place import Shipment, Task

GOLDEN = pathlib.Path(__file__).parents[1] / 'golden' / 'launch'
HELP = GOLDEN / 'help'
COMMIT = '0123456789abcdef0123456789abcdef01234567'

# Writes each call down, as a line; says and does what its files tell.
STAND_IN = """#!/usr/bin/env bash
echo "${0##*/} $*" >> "$STAND_IN/calls"
for word in "${0##*/}" "$@"; do
  if [ -e "$STAND_IN/$word.fails" ]; then
    cat "$STAND_IN/$word.fails" >&2
    exit 1
  elif [ -e "$STAND_IN/$word.says" ]; then
    cat "$STAND_IN/$word.says"
  fi
done
"""


@pytest.fixture
def shipment():
  """Returns a function that makes a job's shipment, of tasks of these names."""

  def make(*names, workdir='bucket/runs', **changes):
    tasks = tuple(
      Task(name=name, program='', workdir=f'{workdir}/{name}')
      for name in names or ('mine',)
    )
    values = {
      'name': 'mine',
      'folder': pathlib.Path('/home/me/jobs/mine'),
      'tasks': tasks,
      'commit': COMMIT,
      'restarts': 9,
    }
    return Shipment(**values | changes)

  return make


class StandIn:
  """Programs on the PATH that do nothing but write down how they are called."""

  def __init__(self, folder):
    """Keeps its notes in a folder."""
    self._folder = folder

  def add(self, program):
    """Puts a program on the PATH."""
    path = self._folder / 'bin' / program
    path.write_text(STAND_IN)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)

  def says(self, word, text):
    """Has calls with this argument print something."""
    (self._folder / f'{word}.says').write_text(text)

  def fails(self, word, text):
    """Has calls of this program, or with this argument, complain and fail."""
    (self._folder / f'{word}.fails').write_text(text)

  @property
  def calls(self):
    """All calls so far, as lines."""
    notes = self._folder / 'calls'
    return notes.read_text().splitlines() if notes.exists() else []


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
  """Returns stand-ins, and puts them before all other programs."""
  folder = tmp_path / 'stand_in'
  (folder / 'bin').mkdir(parents=True)
  monkeypatch.setenv('STAND_IN', str(folder))
  monkeypatch.setenv('PATH', str(folder / 'bin'), prepend=':')
  return StandIn(folder)


def _flags(text):
  return set(re.findall(r'(?<![\w-])--[a-z][a-z-]*', text))


@pytest.fixture
def unknown_flags():
  """Returns what finds the flags of a call that the program does not tell of.

  golden/launch/help has for each program what its --help prints, or what its
  published reference lists, and says in the first line which that is.
  """

  def find(argv):
    words = list(argv[: next(i for i, x in enumerate(argv) if x[0] == '-')])
    files = ['_'.join(words[:count]) for count in range(len(words), 0, -1)]
    found = [HELP / f'{name}.txt' for name in files]
    found = [path for path in found if path.exists()]
    assert found, f'No help of {" ".join(words)} is kept.'
    told = set().union(*(_flags(path.read_text()) for path in found))
    used = {word.partition('=')[0] for word in argv if word.startswith('--')}
    return used - told

  return find


@pytest.fixture
def dry_run(tiny_gin, monkeypatch, capsys):
  """Returns the dry run of a launch file, and the one that is kept of it.

  What is long and the same everywhere is named: the run's gin program, and the
  script that follows the settings.
  """
  monkeypatch.setattr(code, 'find_commit', lambda _: COMMIT)
  monkeypatch.setattr(code, 'check_clean', lambda _: None)
  monkeypatch.setattr('sys.executable', '/home/me/gemb/.venv/bin/python')

  def launch(name, script):
    files = [tiny_gin, f'configs/launch/{name}.gin']
    given = [f'--gin_file={file}' for file in files]
    assert not main.main(
      ['launch', *given, '--job=/home/me/jobs/mine', '--dry_run']
    )
    printed = capsys.readouterr().out
    _, program = config.load(files, root='Job', program_of='Run')
    body = (pathlib.Path(code.__file__).parent / script).read_text()
    for text, called in (program, 'the run'), (body, f'gemb/launch/{script}'):
      assert printed.count(text) == 1
      printed = printed.replace(text, f'({called})\n')
    printed = printed.replace(str(code.CHECKOUT), '/home/me/gemb')
    return printed, (GOLDEN / f'{name}.txt').read_text()

  return launch
