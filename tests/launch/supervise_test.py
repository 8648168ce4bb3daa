"""The supervisor, on a stand-in for gemb that ends as it is told to."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from gemb.launch import record, supervise
from gemb.launch.supervise import Supervised

# Writes down how it was started, makes the checkpoint that its plan names, and
# ends as that says; without a plan it runs until SIGTERM, and saves.
STAND_IN = """
import os, pathlib, signal, sys, time

def stop(*_):
  (folder / f'stopped_{process}').touch()
  sys.exit(42)

signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
folder = pathlib.Path(sys.argv[1].split('=')[1])
process = sys.argv[-1].split('=')[1] if len(sys.argv) > 2 else '0'
with (folder / f'starts_{process}').open('a') as starts:
  flags = os.environ.get('XLA_FLAGS', '')
  print(os.getpid(), *sys.argv[2:], flags, file=starts)
plan = folder / f'plan_{process}'
ends = plan.read_text().split() if plan.is_file() else []
if ends:
  end, checkpoint = ends[0].split('@')
  plan.write_text(' '.join(ends[1:]))
  if checkpoint:
    (folder / 'checkpoints' / checkpoint).mkdir(parents=True)
  if int(end) < 0:
    os.kill(os.getpid(), -int(end))
  sys.exit(int(end))
time.sleep(60)
"""


@pytest.fixture
def stand_in(tmp_path):
  """Returns a function: what each process does, in order -> a Supervised."""

  def make(*plans, **options):
    for process, plan in enumerate(plans):
      (tmp_path / f'plan_{process}').write_text(plan)
    return Supervised(
      program=(sys.executable, '-S', '-c', STAND_IN),
      command=(f'--workdir={tmp_path}',),
      **options,
    )

  return make


@pytest.fixture
def starts(tmp_path):
  """Returns a function: a process -> what each start of it was given."""
  return lambda process=0: [
    line.split()[1:]
    for line in (tmp_path / f'starts_{process}').read_text().splitlines()
  ]


@pytest.fixture(autouse=True)
def no_flags(monkeypatch):
  monkeypatch.delenv('XLA_FLAGS', raising=False)


def eventually(condition):
  deadline = time.monotonic() + 20
  while not condition():
    if time.monotonic() > deadline:
      pytest.fail('it did not come to pass')
    time.sleep(0.02)


def signal_when(condition, *numbers):
  """Sends signals to this process, each once its condition holds."""

  def send():
    for number in numbers:
      eventually(condition)
      os.kill(os.getpid(), number)
      time.sleep(0.2)

  threading.Thread(target=send).start()


def test_what_has_ended_is_not_started_again(stand_in, starts, capsys):
  assert supervise.supervise(stand_in('0@')) == 0
  assert starts() == [[]]
  assert capsys.readouterr().out.splitlines()[1:] == [
    'supervise: it has ended.'
  ]


@pytest.mark.parametrize('status', [1, 2, 130])
def test_what_no_start_would_mend_is_not_started_again(
  status, stand_in, starts
):
  assert supervise.supervise(stand_in(f'{status}@')) == status
  assert len(starts()) == 1


def test_what_dies_starts_again_from_its_last_checkpoint(
  stand_in, starts, capsys
):
  what = stand_in('-9@10 42@20 75@30 134@40 0@')
  assert supervise.supervise(what) == 0
  assert len(starts()) == 5
  assert capsys.readouterr().out.splitlines()[1:] == [
    'supervise: it was ended by SIGKILL; starting again.',
    f'supervise: start 2 of `gemb {what.command[0]}`, from the checkpoint of '
    'step 10.',
    'supervise: it was asked to stop, and has saved; starting again.',
    f'supervise: start 3 of `gemb {what.command[0]}`, from the checkpoint of '
    'step 20.',
    'supervise: it ended with status 75; starting again.',
    f'supervise: start 4 of `gemb {what.command[0]}`, from the checkpoint of '
    'step 30.',
    'supervise: it ended with status 134; starting again.',
    f'supervise: start 5 of `gemb {what.command[0]}`, from the checkpoint of '
    'step 40.',
    'supervise: it has ended.',
  ]


def test_it_gives_up_when_five_starts_have_saved_nothing(
  stand_in, starts, monkeypatch, capsys
):
  monkeypatch.setattr(supervise, '_PAUSE', 0.0)
  # The second start saves: the five are counted from there.
  assert supervise.supervise(stand_in('75@ 75@1 75@ 75@ 75@ 75@ -9@ 0@')) == 137
  assert len(starts()) == 7
  said = capsys.readouterr().out
  assert 'the last 5 starts have brought no new checkpoint' in said


def test_the_pauses_grow(stand_in, monkeypatch):
  pauses = []
  monkeypatch.setattr(
    supervise, '_sleep', lambda seconds, received: pauses.append(seconds)
  )
  supervise.supervise(stand_in('75@ 75@ 75@3 75@ 75@ 0@'))
  assert pauses == [1, 2, 0, 1, 2]


def test_it_restarts_as_often_as_it_may(stand_in, starts, capsys):
  what = stand_in('75@1 75@2 75@3 0@', restarts=2)
  assert supervise.supervise(what) == 75
  assert len(starts()) == 3
  assert 'that was the last of 3 starts' in capsys.readouterr().out


def test_several_processes_meet_at_a_new_port_and_have_their_devices(
  stand_in, starts
):
  supervise.supervise(stand_in('42@1 0@', '42@ 0@', processes=2, devices=3))
  ports = []
  for process in (0, 1):
    for meeting, count, number, flags in starts(process):
      assert meeting.startswith('--coordinator=127.0.0.1:')
      assert (count, number) == ('--processes=2', f'--process={process}')
      assert flags == '--xla_force_host_platform_device_count=3'
      ports.append(int(meeting.rpartition(':')[2]))
  assert ports[:2] == ports[2:]
  assert ports[0] != ports[1]


def test_when_one_process_dies_all_start_again(
  stand_in, starts, monkeypatch, capsys
):
  monkeypatch.setattr(supervise, '_GRACE', 0.3)
  # The first hangs, as in a collective, and is killed; then both end.
  what = stand_in('', '-9@5', processes=2)

  def plan_ends(*_):
    for process in (0, 1):
      path = pathlib.Path(what.command[0].split('=')[1]) / f'plan_{process}'
      path.write_text('0@')

  monkeypatch.setattr(supervise, '_sleep', plan_ends)
  assert supervise.supervise(what) == 0
  assert len(starts(0)) == len(starts(1)) == 2
  said = capsys.readouterr().out
  assert 'process 1 of 2 was ended by SIGKILL; starting again.' in said


def test_the_death_of_one_counts_and_not_what_the_others_made_of_it():
  assert supervise._cause({1: -9, 0: 75}, 2)[0] == -9
  assert supervise._cause({0: 0, 1: 2}, 2)[0] == 2
  assert supervise._cause({1: -6, 0: 2}, 2)[0] == 2
  assert supervise._cause({0: 42, 1: 0}, 2)[0] == 42


def test_sigterm_is_passed_on_and_nothing_starts_again(
  stand_in, starts, tmp_path, capsys
):
  both = [tmp_path / 'starts_0', tmp_path / 'starts_1']
  signal_when(
    lambda: all(path.is_file() and path.read_text() for path in both),
    signal.SIGTERM,
  )
  assert supervise.supervise(stand_in(processes=2)) == 42
  assert (tmp_path / 'stopped_0').is_file()
  assert (tmp_path / 'stopped_1').is_file()
  assert len(starts()) == 1
  assert 'asked to stop by SIGTERM' in capsys.readouterr().out


def test_an_interruption_ends_it_as_one(stand_in, tmp_path):
  path = tmp_path / 'starts_0'
  signal_when(lambda: path.is_file() and path.read_text(), signal.SIGINT)
  assert supervise.supervise(stand_in()) == 130


def test_it_stops_in_a_pause_too(stand_in, starts, capsys):
  plan = stand_in('75@ 0@')
  signal_when(
    lambda: (
      supervise.signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
      and not pathlib.Path(plan.command[0].split('=')[1], 'plan_0')
      .read_text()
      .startswith('75')
    ),
    signal.SIGTERM,
  )
  assert supervise.supervise(plan) == 42
  assert len(starts()) == 1


def test_a_second_signal_kills_and_nothing_says_that_it_was_saved(tmp_path):
  deaf = (
    'import pathlib, signal, time\n'
    'signal.signal(signal.SIGTERM, signal.SIG_IGN)\n'
    f'pathlib.Path({str(tmp_path)!r}, "deaf").touch()\n'
    'time.sleep(60)'
  )
  what = Supervised(
    program=(sys.executable, '-c', deaf), command=('train',), folder=tmp_path
  )
  signal_when((tmp_path / 'deaf').is_file, signal.SIGTERM, signal.SIGTERM)
  assert supervise.supervise(what) == 137
  assert record.read(tmp_path).cause == 'killed by a second signal'


def test_what_a_killed_supervisor_leaves_dies(tmp_path):
  script = (
    'import sys; from gemb.launch.supervise import *; '
    f'supervise(Supervised(program=(sys.executable, "-c", {STAND_IN!r}), '
    f'command=("--workdir={tmp_path}",)))'
  )
  process = subprocess.Popen(
    [sys.executable, '-c', script], stdout=subprocess.DEVNULL
  )
  path = tmp_path / 'starts_0'
  eventually(lambda: path.is_file() and path.read_text())
  child = int(path.read_text().split()[0])
  process.kill()
  process.wait()

  def is_dead():
    status = pathlib.Path(f'/proc/{child}/stat')
    try:
      return status.read_text().rpartition(')')[2].split()[0] == 'Z'
    except OSError:
      return True

  eventually(is_dead)


def test_its_folder_tells_how_it_went(stand_in, tmp_path):
  folder = tmp_path / 'job'
  supervise.supervise(stand_in('75@7 2@', folder=folder))
  assert record.read(folder) == record.Record(
    process=os.getpid(), starts=2, status=2, cause='it ended with status 2'
  )
  assert not record.is_running(folder)


@pytest.mark.parametrize(
  ('command', 'step'),
  [
    (('train', '--workdir={folder}'), 40),
    (('train', '--workdir', '{folder}'), 40),
    (('train', '--workdir={folder}/other'), 0),
    (('cache',), 0),
  ],
)
def test_the_last_checkpoint_is_a_whole_one(command, step, tmp_path):
  for name in ('8', '40', '50.orbax-checkpoint-tmp'):
    (tmp_path / 'checkpoints' / name).mkdir(parents=True)
  command = [word.format(folder=tmp_path) for word in command]
  assert supervise.last_checkpoint(command) == step


def test_the_command_line_is_that_of_a_supervised_gemb(monkeypatch, tmp_path):
  seen = []
  monkeypatch.setattr(supervise, 'supervise', lambda x: seen.append(x) or 42)
  flags = f'--processes=2 --devices=4 --restarts=3 --folder={tmp_path}'.split()
  assert supervise.main([*flags, '--', 'train', '--workdir=runs/try']) == 42
  assert supervise.main(['--', 'cache']) == 42
  assert seen == [
    Supervised(
      command=('train', '--workdir=runs/try'),
      processes=2,
      devices=4,
      restarts=3,
      folder=tmp_path,
    ),
    Supervised(command=('cache',)),
  ]


def test_it_needs_the_standard_library_alone():
  script = (
    'import sys; from gemb.launch import background, supervise; '
    'print({"jax", "numpy", "gin", "gemb.run"} & set(sys.modules))'
  )
  done = subprocess.run(
    [sys.executable, '-c', script], capture_output=True, text=True, check=True
  )
  assert done.stdout == 'set()\n'
