"""A supervisor in the background, of a stand-in for gemb."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from gemb.launch import background, record

# It is meant to outlive what has started it.
pytestmark = pytest.mark.filterwarnings('ignore:subprocess:ResourceWarning')

# Is called as Python is to supervise; what it supervises prints its arguments
# and, if they tell of training, trains until it is asked to stop.
SUPERVISOR = f"""#!{sys.executable}
import functools, sys
from gemb.launch import supervise

TRAINS = '''
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(42))
print(*sys.argv[1:], flush=True)
if sys.argv[1] == 'train':
  time.sleep(60)
'''
supervise.Supervised = functools.partial(
  supervise.Supervised, program=(sys.executable, '-S', '-c', TRAINS)
)
assert sys.argv[1:3] == ['-m', 'gemb.launch.supervise']
sys.exit(supervise.main(sys.argv[3:]))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
  """Returns the folder of a supervisor to start, which does not outlive us."""
  python = tmp_path / 'python'
  python.write_text(SUPERVISOR)
  python.chmod(0o755)
  with monkeypatch.context() as patch:
    patch.setattr(sys, 'executable', str(python))
    yield tmp_path / 'job'
  background.stop(tmp_path / 'job')


def log_has(folder, text):
  deadline = time.monotonic() + 20
  while text not in background.log(folder).read_text():
    if time.monotonic() > deadline:
      pytest.fail(f'The log has no {text!r}.')
    time.sleep(0.02)


def call(*arguments):
  python, *_ = SUPERVISOR.removeprefix('#!').splitlines()
  command = [python, '-m', 'gemb.launch.background']
  return subprocess.Popen(
    [*command, *arguments], stdout=subprocess.PIPE, text=True
  )


def test_it_starts_once_tells_how_it_goes_and_stops(folder, tmp_path, capsys):
  assert background.describe(folder) == 'It has not been started.'
  background.start(folder, ['--restarts=3', '--', 'train', '--fast'])
  process = record.read(folder).process
  assert capsys.readouterr().out == (
    f'Process {process} supervises it; it prints to {folder}/log.txt.\n'
  )
  log_has(folder, 'train --fast\n')
  lines = [json.dumps({'step': 10}), json.dumps({'step': 20}), '{"ste']
  (tmp_path / 'metrics.jsonl').write_text('\n'.join(lines))
  assert background.describe(folder, tmp_path) == (
    f'It runs: process {process}, start 1, last seen at step 20.'
  )
  assert background.describe(folder, folder).endswith(', start 1.')
  with pytest.raises(ValueError, match='runs already; look with `gemb launch'):
    background.start(folder, ['--', 'train'])
  background.stop(folder)
  stopped = (
    'It has stopped with status 42 (asked to stop by SIGTERM): start 1. '
    'Launch it again to go on.'
  )
  assert capsys.readouterr().out == f'{stopped}\n'
  assert background.describe(folder) == stopped
  background.stop(folder)
  assert capsys.readouterr().out == 'It does not run.\n'


def test_a_new_start_has_a_log_of_its_own(folder):
  for word in ('one', 'two'):
    background.start(folder, ['--', word])
    waiting = call('wait', f'--folder={folder}')
    waiting.communicate(timeout=20)
    assert waiting.returncode == 0
  assert '\ntwo\n' in (folder / 'log.txt').read_text()
  assert '\none\n' in (folder / 'log_before.txt').read_text()
  assert background.describe(folder) == 'It has ended well: start 1.'


def test_a_supervisor_that_cannot_begin_is_told(folder):
  with pytest.raises(RuntimeError, match='has ended at once'):
    background.start(folder, ['--proceses=2', '--', 'train'])
  assert '--proceses=2' in background.log(folder).read_text()


def test_whoever_waits_sees_the_log_and_has_the_exit_status(folder):
  background.start(folder, ['--', 'train', 'slowly'])
  waiting = call('wait', f'--folder={folder}')
  said = waiting.stdout.readline()
  log_has(folder, 'train slowly\n')
  waiting.send_signal(signal.SIGTERM)
  said += waiting.stdout.read()
  assert waiting.wait(timeout=20) == 42
  waiting.stdout.close()
  assert '\ntrain slowly\n' in said
  assert said.endswith('supervise: asked to stop by SIGTERM.\n')


@pytest.mark.parametrize(
  ('numbers', 'passed_on'),
  [
    ((signal.SIGTERM, signal.SIGTERM), 1),  # as `timeout` sends them
    ((signal.SIGINT, signal.SIGTERM), 1),
    ((signal.SIGINT, signal.SIGINT), 2),
    ((signal.SIGTERM, signal.SIGINT), 2),
  ],
)
def test_sigterm_stops_however_often_it_comes_and_ctrl_c_again_kills(
  numbers, passed_on, tmp_path, monkeypatch
):
  background.log(tmp_path).touch()
  handlers, asked, coming = {}, [], list(numbers)
  monkeypatch.setattr(signal, 'signal', handlers.__setitem__)
  monkeypatch.setattr(background, '_terminate', asked.append)
  monkeypatch.setattr(record, 'is_running', lambda _: bool(coming))
  monkeypatch.setattr(
    time, 'sleep', lambda _: handlers[(number := coming.pop(0))](number, None)
  )
  background.wait(tmp_path)
  assert len(asked) == passed_on


def test_a_killed_supervisor_is_known_as_one(folder):
  background.start(folder, ['--', 'train'])
  os.kill(record.read(folder).process, signal.SIGKILL)
  waiting = call('wait', f'--folder={folder}')
  waiting.communicate(timeout=20)
  assert waiting.returncode == 137
  assert background.describe(folder) == (
    'Its supervisor was killed: start 1. Launch it again to go on.'
  )


def test_a_process_that_has_its_number_by_now_is_left_alone(folder, capsys):
  with record.kept(folder, os.getpid()):
    pass
  background.stop(folder)  # would end this process
  assert capsys.readouterr().out == 'It does not run.\n'


def test_the_command_line_says_how_it_goes(tmp_path, capsys):
  assert background.main(['status', f'--folder={tmp_path}']) == 0
  assert capsys.readouterr().out == 'It has not been started.\n'
  assert background.main(['wait', f'--folder={tmp_path}']) == 2
  assert 'Nothing was started in' in capsys.readouterr().err
  with record.kept(tmp_path, os.getpid()):
    status = background.main(['start', f'--folder={tmp_path}', '--', 'train'])
  assert status == 2
  assert 'runs already' in capsys.readouterr().err
