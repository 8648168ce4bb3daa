import fcntl
import os
import signal
import subprocess
import threading
import time

import pytest

from gemb import stopping
from gemb.sweep.running import Task, is_running, read_failure, run_tasks

# Goes on until it is asked to stop; then it saves.
PATIENT = """
trap 'echo saved; exit 42' TERM
touch begun
while :; do sleep 0.02; done
"""


@pytest.fixture
def task(tmp_path):
  """Makes a task of a line of shell, which runs in its folder."""

  def make(name, line):
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    return Task(folder=folder, command=['sh', '-c', f'cd {folder}\n{line}'])

  return make


@pytest.fixture
def run():
  """Runs tasks; returns how each has ended, and what was said."""

  def run_all(*tasks, retries=1, parallel=1):
    ended, said = {}, []
    run_tasks(
      iter(tasks),
      lambda task, _, reason: ended.update({task.folder.name: reason}),
      retries=retries,
      parallel=parallel,
      say=said.append,
    )
    return ended, said

  return run_all


def attempts(task):
  return task.log.read_text().count('$ sh -c')


def test_one_that_fails_takes_no_other_along(task, run):
  wrong = task('wrong', 'echo "gemb: it is wrong."; exit 2')
  nan = task('nan', 'echo "gemb: it is not finite."; echo bye; exit 1')
  ended, said = run(wrong, task('good', 'exit 0'), nan)
  assert ended == {
    'wrong': 'it is wrong.',
    'good': '',
    'nan': 'it is not finite.',  # and not the last line
  }
  assert said == []  # the same again would end the same
  assert (attempts(wrong), attempts(nan)) == (1, 1)
  assert read_failure(wrong) == 'it is wrong.'


def test_one_that_has_died_is_tried_again(task, run):
  dies = task('dies', 'kill -9 $$')
  lost = task('lost', 'test -e again && exit 0; touch again; exit 75')
  ended, said = run(dies, lost, retries=2)
  assert ended == {'dies': 'ended by SIGKILL', 'lost': ''}
  assert said[:2] == ['dies: ended by SIGKILL; once more.'] * 2
  assert (attempts(dies), attempts(lost)) == (3, 2)
  assert read_failure(lost) == ''
  assert run(dies, dies)[0] == {'dies': 'ended by SIGKILL'}
  assert attempts(dies) == 3 + 2 * 2  # each is tried once more
  assert run(task('dies', 'exit 0'))[0] == {'dies': ''}
  assert read_failure(dies) == ''


def test_one_that_raised_what_nobody_foresaw_is_tried_again(task, run):
  # It is told in the lines of its own attempt, and not in those before.
  line = 'test -e again && exit 1; touch again; echo "gemb: lost"; exit 75'
  raises = task('raises', line)
  assert run(raises, retries=2)[0] == {'raises': 'status 1'}
  assert attempts(raises) == 3


def test_two_at_once_are_two_at_once(task, run):
  waits = 'touch ../{}; until test -e ../{}; do sleep 0.02; done'
  one, two = task('one', waits.format(1, 2)), task('two', waits.format(2, 1))
  assert run(one, two, parallel=2)[0] == {'one': '', 'two': ''}


@pytest.fixture
def interruptible():
  """Has Ctrl-C raise, which a shell has ignored in what it runs behind."""
  before = signal.signal(signal.SIGINT, signal.default_int_handler)
  yield
  signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
  ('number', 'raised'),
  [
    (signal.SIGTERM, stopping.Stopped),
    (signal.SIGINT, KeyboardInterrupt),
  ],
)
def test_all_save_when_the_sweep_is_asked_to_stop(
  task, run, number, raised, interruptible
):
  tasks = [task('one', PATIENT), task('two', PATIENT)]

  def ask():
    while not all((each.folder / 'begun').exists() for each in tasks):
      time.sleep(0.02)
    os.kill(os.getpid(), number)

  asking = threading.Thread(target=ask)
  asking.start()
  before = signal.getsignal(signal.SIGTERM)
  with pytest.raises(raised):
    run(*tasks, task('three', 'exit 0'), parallel=2)
  asking.join()
  assert signal.getsignal(signal.SIGTERM) == before
  for each in tasks:
    assert each.log.read_text().endswith('saved\n')
    assert not each.failure.exists()
  assert not task('three', '').log.exists()


def test_a_run_that_was_asked_to_stop_stops_the_sweep(task, run):
  with pytest.raises(stopping.Stopped, match='the same command goes on'):
    run(task('one', 'exit 42'), task('two', 'exit 0'))
  assert not task('two', '').log.exists()


def test_a_process_that_outlives_its_sweep_is_waited_for(task, run):
  one = task('one', 'test -e done')
  assert not is_running(one)
  with one.log.open('ab') as log:
    fcntl.flock(log, fcntl.LOCK_EX)
    orphan = subprocess.Popen(
      ['sh', '-c', f'sleep 0.3; touch {one.folder}/done'], stdout=log
    )
  assert is_running(one)
  ended, said = run(one)
  assert ended == {'one': ''}
  assert said == ['one: a process of an earlier sweep is at it; waiting.']
  assert orphan.wait() == 0
  assert not is_running(one)
