"""The shell's side, with stand-ins for Python, pip and the checkers.

The stand-in for Python makes a .venv that holds a copy of itself, and notes
what pip was asked for: no test here installs anything.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).parents[1]
COMMANDS = [
  *('awk', 'bash', 'basename', 'cat', 'cp', 'dirname', 'find', 'flock'),
  *('grep', 'head', 'ls', 'mkdir', 'rm', 'sh', 'sha256sum', 'sleep', 'tail'),
  *('tee', 'touch'),
]
PYTHON = """#!/bin/sh
case "$*" in
  *_base_executable*) echo "${VERSION:-3.12} $0" ;;
  *find_spec*) exit "${NO_MODULES:-0}" ;;
  '-m venv '*)
    for folder; do :; done
    mkdir -p "$folder/bin" "$folder/lib/python3.12"
    cp "$0" "$folder/bin/python"
    ;;
  *'-m pip'*)
    echo "$*" >> "$CALLS"
    echo 'ERROR: what pip said'
    exit "${NO_INDEX:-0}"
    ;;
esac
"""

# What tools/test gives pytest by itself.
ALL_CORES = '--numprocesses auto --dist loadfile --no-loadscope-reorder'


class Clone:
  """A clone of the tools in a folder with a space, with its own PATH."""

  def __init__(self, folder):
    self.root = folder / 'a clone'
    self.venv = self.root / '.venv'
    self.bin = folder / 'bin'
    self.calls = folder / 'calls'
    shutil.copytree(ROOT / 'tools', self.root / 'tools')
    shutil.copy(ROOT / 'pyproject.toml', self.root)
    self.bin.mkdir()
    for command in COMMANDS:
      (self.bin / command).symlink_to(shutil.which(command))
    self.add(self.bin / 'python3', PYTHON)

  def add(self, path, script):
    path.write_text(script)
    path.chmod(0o755)

  def run(self, tool, *arguments, **environment):
    return subprocess.run(
      [self.root / 'tools' / tool, *arguments],
      env={'PATH': str(self.bin), 'CALLS': str(self.calls), **environment},
      cwd=self.bin,
      capture_output=True,
      text=True,
      timeout=60,
    )

  def interrupt(self, tool, *arguments, when):
    """Presses Ctrl-C once the file `when` is there; returns the status."""
    # Where the tests run in the background, Ctrl-C is ignored, and a shell that
    # inherits that cannot be told otherwise: so it is undone before the tool.
    heed = (
      'import os, signal, sys;'
      'signal.signal(signal.SIGINT, signal.SIG_DFL);'
      'os.execv(sys.argv[1], sys.argv[1:])'
    )
    process = subprocess.Popen(
      [sys.executable, '-c', heed, self.root / 'tools' / tool, *arguments],
      env={'PATH': str(self.bin), 'CALLS': str(self.calls)},
      stderr=subprocess.DEVNULL,
      start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while not when.exists() and time.monotonic() < deadline:
      time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    try:
      return process.wait(timeout=10)
    finally:
      with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
      process.wait()

  def pip_calls(self):
    """Returns what pip was asked for since the last call."""
    calls = self.calls.read_text().splitlines() if self.calls.exists() else []
    self.calls.unlink(missing_ok=True)
    return calls


@pytest.fixture
def clone(tmp_path):
  return Clone(tmp_path)


def test_a_second_set_up_has_nothing_to_do(clone):
  assert clone.run('setup', 'run').returncode == 0
  build, run, gemb = clone.pip_calls()
  assert '--require-hashes' in build and 'locks/build.txt' in build
  assert '--require-hashes' in run and 'locks/run.txt' in run
  assert '--no-index --editable' in gemb and gemb.endswith('a clone')
  assert all('--no-deps' in call for call in (build, run, gemb))
  again = clone.run('setup', 'run')
  assert (again.returncode, again.stderr) == (0, '')
  assert clone.pip_calls() == []


def test_the_set_up_for_tests_serves_to_run(clone):
  clone.run('setup', 'test')
  assert len(clone.pip_calls()) == 4
  assert clone.run('setup', 'run').returncode == 0
  assert clone.pip_calls() == []


def test_the_set_up_to_run_does_not_serve_for_tests(clone):
  clone.run('setup', 'run')
  clone.pip_calls()
  clone.run('setup', 'test')
  assert any('locks/test.txt' in call for call in clone.pip_calls())


def test_beam_has_an_environment_of_its_own(clone):
  clone.run('setup', 'run')
  clone.pip_calls()
  assert clone.run('setup', 'beam').returncode == 0
  build, beam, _ = clone.pip_calls()
  assert 'locks/build.txt' in build and 'locks/beam.txt' in beam
  assert (clone.root / '.venv-beam' / 'bin' / 'python').exists()
  for kind in 'run', 'beam':
    assert clone.run('setup', kind).returncode == 0
  assert clone.pip_calls() == []


def test_torch_comes_after_the_rest_with_whatever_its_build_needs(clone):
  clone.run('setup', 'test')
  *_, test, torch, _ = clone.pip_calls()
  assert 'locks/test.txt' in test and 'locks/torch.txt' in torch
  assert '--no-deps' not in torch and '--require-hashes' not in torch


@pytest.mark.parametrize('file', ['tools/locks/run.txt', 'pyproject.toml'])
def test_a_changed_lock_is_installed_into_the_same_venv(clone, file):
  clone.run('setup', 'run')
  clone.pip_calls()
  (clone.venv / 'kept').touch()
  with (clone.root / file).open('a') as changed:
    changed.write('\n')
  assert clone.run('setup', 'run').returncode == 0
  assert len(clone.pip_calls()) == 3
  assert (clone.venv / 'kept').exists()


def test_a_failed_install_shows_what_pip_said_and_is_started_afresh(clone):
  failed = clone.run('setup', 'run', NO_INDEX='1')
  assert failed.returncode == 1
  assert 'ERROR: what pip said' in failed.stderr
  assert 'Installing tools/locks/run.txt failed' in failed.stderr
  assert len(clone.pip_calls()) == 1
  (clone.venv / 'half').touch()
  assert clone.run('setup', 'run').returncode == 0
  assert not (clone.venv / 'half').exists()


def test_a_venv_that_was_moved_is_made_anew(clone):
  clone.run('setup', 'run')
  (clone.venv / 'old').touch()
  moved = clone.root.with_name('moved')
  clone.root.rename(moved)
  clone.root, clone.venv = moved, moved / '.venv'
  assert clone.run('setup', 'run').returncode == 0
  assert not (clone.venv / 'old').exists()


def test_a_venv_of_the_users_own_is_left_alone(clone):
  clone.venv.mkdir()
  (clone.venv / 'mine').touch()
  refused = clone.run('setup', 'run')
  assert refused.returncode == 1
  assert 'was not made by tools/setup and is left alone' in refused.stderr
  assert [path.name for path in clone.venv.iterdir()] == ['mine']


def test_another_folder_may_hold_the_venv(clone, tmp_path):
  assert clone.run('setup', GEMB_VENV=str(tmp_path / 'v')).returncode == 0
  assert (tmp_path / 'v' / 'bin' / 'python').exists()
  assert not clone.venv.exists()


@pytest.mark.parametrize(
  ('environment', 'sentence'),
  [
    ({'VERSION': '3.10'}, 'not found: python3 is 3.10; install one'),
    ({'VERSION': '3.14'}, 'not found: python3 is 3.14; install one'),
    ({'NO_MODULES': '1'}, 'apt install python3-venv'),
    ({'PYTHON': '/none/python'}, "PYTHON is '/none/python', which does not"),
  ],
)
def test_a_python_that_does_not_do_is_one_sentence(
  clone, environment, sentence
):
  refused = clone.run('setup', 'run', **environment)
  assert refused.returncode == 1
  assert sentence in refused.stderr
  assert refused.stderr.count('\n') == 1
  assert not clone.venv.exists()


def test_no_python_is_one_sentence(clone):
  (clone.bin / 'python3').unlink()
  refused = clone.run('setup', 'run')
  assert refused.returncode == 1
  assert 'there is no python3 on PATH; install one' in refused.stderr


def test_a_named_python_of_another_version_than_the_venvs_is_refused(clone):
  clone.run('setup', 'run')
  clone.add(clone.bin / 'other', PYTHON.replace('3.12}', '3.11}'))
  refused = clone.run('setup', 'run', PYTHON='other')
  assert refused.returncode == 1
  assert "PYTHON is 'other' (3.11), but" in refused.stderr


def test_an_unknown_set_up_is_refused(clone):
  refused = clone.run('setup', 'tests')
  assert refused.returncode == 1
  assert "set-ups are 'run', 'test' and 'beam', not 'tests'" in refused.stderr


@pytest.fixture
def checked(clone):
  """A clone whose checkers all pass and say so."""
  clone.run('setup', 'test')
  for name in 'ruff', 'pyrefly', 'lint-imports':
    clone.add(clone.venv / 'bin' / name, f'#!/bin/sh\necho {name} "$@"\n')
  clone.add(clone.venv / 'bin' / 'pytest', '#!/bin/sh\necho "3 passed $*"\n')
  return clone


def test_every_check_runs_and_pytest_has_the_last_word(checked):
  done = checked.run('test')
  assert done.returncode == 0
  lines = [line for line in done.stdout.splitlines() if line]
  said = [line for line in lines if not line.startswith('==')]
  assert [line.split()[0] for line in said] == [
    'ruff',
    'ruff',
    'pyrefly',
    'lint-imports',
    '3',
  ]
  assert lines[-1] == f'3 passed {ALL_CORES}'


def test_a_failed_check_stops_nothing_but_fails_the_whole(checked):
  checked.add(checked.venv / 'bin' / 'ruff', '#!/bin/sh\nexit 3\n')
  done = checked.run('test')
  assert done.returncode == 1
  assert '== failed before pytest: ruff check; ruff format;' in done.stdout
  assert done.stdout.splitlines()[-1] == f'3 passed {ALL_CORES}'


def test_arguments_go_to_pytest_and_its_status_comes_back(checked):
  checked.add(checked.venv / 'bin' / 'pytest', '#!/bin/sh\necho "$*"\nexit 5\n')
  done = checked.run('test', 'tests/losses', '-k', 'mask')
  assert done.returncode == 5
  assert 'ruff' not in done.stdout
  assert done.stdout.splitlines()[-1] == 'tests/losses -k mask'


@pytest.fixture
def quickstart(clone):
  """Runs the quickstart with a gemb that prints its arguments."""
  clone.run('setup', 'run')

  def run(*arguments, gemb='echo "$*"'):
    clone.add(clone.venv / 'bin' / 'gemb', f'#!/bin/sh\n{gemb}\n')
    return clone.run('quickstart', *arguments)

  run.root = clone.root
  return run


FILE = '--gin_file=configs/run/00_quickstart.gin'


def test_the_quickstart_trains_and_evaluates(quickstart):
  done = quickstart()
  assert done.returncode == 0
  workdir = f'--workdir={quickstart.root}/runs/quickstart'
  assert done.stdout.splitlines() == [
    f'train {FILE} {workdir}',
    f'evaluate {workdir}',
  ]


@pytest.mark.parametrize('workdir', [['--workdir=/x y'], ['--workdir', '/x y']])
def test_the_quickstart_passes_arguments_on(quickstart, workdir):
  done = quickstart('--gin.Run.steps=10', *workdir)
  assert done.stdout.splitlines() == [
    f'train {FILE} --workdir=/x y --gin.Run.steps=10',
    'evaluate --workdir=/x y',
  ]


@pytest.mark.skipif(
  any(pathlib.Path('/dev').glob('accel*'))
  or any(pathlib.Path('/dev').glob('vfio/[0-9]*'))
  or any(pathlib.Path('/dev').glob('nvidia[0-9]*')),
  reason='there is an accelerator, which JAX is to find',
)
def test_libtpu_does_not_look_for_a_tpu_where_there_is_none(quickstart):
  say = 'echo "${JAX_PLATFORMS-any}"'
  assert quickstart(gemb=say).stdout == 'any\nany\n'
  packages = quickstart.root / '.venv' / 'lib' / 'python3.12' / 'site-packages'
  (packages / 'libtpu').mkdir(parents=True)
  assert quickstart(gemb=say).stdout == 'cpu\ncpu\n'


def test_what_did_not_train_is_not_evaluated(quickstart):
  done = quickstart(gemb='echo "$1"; exit 2')
  assert (done.returncode, done.stdout) == (2, 'train\n')


def test_ctrl_c_while_training_ends_the_quickstart(clone, tmp_path):
  clone.run('setup', 'run')
  clone.add(
    clone.venv / 'bin' / 'gemb',
    f'''#!/bin/sh
trap 'exit 0' INT
touch "{tmp_path}/$1"
while :; do sleep 0.05; done
''',
  )
  status = clone.interrupt('quickstart', when=tmp_path / 'train')
  assert status == 130
  assert not (tmp_path / 'evaluate').exists()


@pytest.mark.parametrize(
  ('arguments', 'sentence'),
  [
    (['--workdir'], '--workdir needs a folder'),
    (['--workdir='], '--workdir is empty'),
  ],
)
def test_the_quickstart_needs_a_name_for_the_folder(
  quickstart, arguments, sentence
):
  refused = quickstart(*arguments)
  assert (refused.returncode, refused.stdout) == (1, '')
  assert sentence in refused.stderr
