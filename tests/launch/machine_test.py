"""The script of a slice's machines, run on this one with a stand-in of gemb."""

import dataclasses
import os
import subprocess
import tarfile
import time

import pytest

from gemb.launch import machine

CODE = 'gemb-0123456789ab'

# What tools/setup makes in place of an environment: a python that knows pip,
# and a supervisor which stops as the real one does.
SET_UP = """#!/usr/bin/env bash
echo set up >> "$STAND_IN/calls"
cd "$(dirname "$0")/.." && mkdir -p .venv/bin
cat > .venv/bin/python <<'PYTHON'
#!/usr/bin/env bash
echo "python $*" >> "$STAND_IN/calls"
[ "$2" != pip ] || exit 0
echo "data in ${GEMB_DATA##*/}; key of ${#WANDB_API_KEY} letters"
trap 'exit 42' TERM
[ ! -e "$STAND_IN/ends" ] || exit "$(cat "$STAND_IN/ends")"
while :; do sleep 0.05; done
PYTHON
chmod +x .venv/bin/python
"""


@pytest.fixture
def job(tmp_path, shipment, stand_in):
  """Returns a job's folder on a machine, and what calls its script there."""
  folder = tmp_path / 'gemb-jobs' / 'mine'
  folder.mkdir(parents=True)
  set_up = tmp_path / 'setup'
  set_up.write_text(SET_UP)
  set_up.chmod(0o755)
  with tarfile.open(folder / 'code.tar.gz', 'w:gz') as archive:
    archive.add(set_up, f'{CODE}/tools/setup')
  ship = shipment(secrets={'WANDB_API_KEY': 'wandb-key'})
  (folder / 'mine.sh').write_text(
    machine.script(
      ship,
      ship.tasks[0],
      gin_file='mine.gin',
      project='my-project',
      bucket='my-bucket',
      data='data',
    )
  )
  stand_in.add('gcloud')
  stand_in.add('gcsfuse')
  stand_in.says('secrets', 'of nineteen letters')

  def call(verb):
    environment = {k: v for k, v in os.environ.items() if k != 'GEMB_DATA'}
    done = subprocess.run(
      ['bash', str(folder / 'mine.sh'), verb],
      env=environment,
      capture_output=True,
      text=True,
      timeout=30,
    )
    said = (done.stdout + done.stderr).strip()
    return done.returncode, said.removeprefix(f'{os.uname().nodename}: ')

  yield folder, call
  subprocess.run(['bash', str(folder / 'mine.sh'), 'stop'], capture_output=True)


def wait_for(file):
  for _ in range(2000):
    if file.exists() and file.read_text():
      return
    time.sleep(0.01)
  pytest.fail(f'{file.name} is not written.')


def test_a_machine_is_set_up_in_order(job, stand_in):
  folder, call = job
  assert call('set_up') == (0, 'is set up.')
  assert stand_in.calls == [
    'gcsfuse --metadata-cache-ttl-secs=0 --metadata-cache-negative-ttl-secs=0 '
    'my-bucket bucket',
    'gcloud storage rsync --recursive gs://my-bucket/data data',
    'set up',
    f'python -m pip install --quiet --no-build-isolation --editable '
    f'./{CODE}[tpu]',
  ]
  assert {path.name for path in folder.iterdir()} == {
    *('mine.sh', 'code.tar.gz', CODE, 'bucket', 'data')
  }


def test_each_flag_that_a_machine_gives_is_published(
  job, stand_in, unknown_flags
):
  folder, call = job
  call('set_up')
  call('start')
  wait_for(folder / 'log.txt')
  calls = [line for line in stand_in.calls if line.startswith('gc')]
  assert len(calls) == 3
  for line in calls:
    assert not unknown_flags(line.split())


def test_a_run_outlives_the_call_that_starts_it_and_saves_when_stopped(
  job, stand_in
):
  folder, call = job
  assert call('status') == (0, 'does not run.')
  call('set_up')
  assert call('start') == (0, 'has started.')
  assert call('status') == (0, 'runs.')
  assert call('start') == (0, 'runs already.')
  wait_for(folder / 'log.txt')
  assert call('logs') == (0, 'data in data; key of 19 letters')
  # The value is on no disk, and no program's argument.
  files = [x for x in folder.iterdir() if x.is_file() and x.suffix != '.gz']
  kept = [file.read_text() for file in files]
  assert 'nineteen' not in '\n'.join([*kept, *stand_in.calls])
  assert stand_in.calls[-1] == (
    'python -m gemb.launch.supervise --restarts=9 -- train '
    '--gin_file=mine.gin --workdir=bucket/runs/mine --start_timeout=1800'
  )
  assert call('stop') == (0, 'was stopped with status 42, and has saved.')
  assert call('status') == (0, 'was stopped with status 42, and has saved.')


def test_a_stop_fails_while_the_run_still_saves(job, tmp_path):
  folder, call = job
  call('set_up')
  call('start')
  wait_for(folder / 'log.txt')
  script = (folder / 'mine.sh').read_text()
  assert script.count('look < 3000') == script.count('kill -TERM') == 1
  hasty = script.replace('look < 3000', 'look < 1').replace('kill -TERM', ':')
  (folder / 'mine.sh').write_text(hasty)
  assert call('stop') == (2, 'has not saved within 300 s, and still runs.')
  (folder / 'mine.sh').write_text(script)


def test_a_set_up_that_fails_is_a_mistake(job, stand_in):
  _, call = job
  stand_in.fails('rsync', 'no such bucket')
  assert call('set_up') == (2, 'no such bucket')


def test_a_machine_has_what_follows_the_run(shipment):
  ship = shipment(extras=('wandb',))
  text = machine.script(ship, ship.tasks[0], gin_file='mine.gin', project='p')
  assert '\nextras=tpu,wandb\n' in text


@pytest.mark.parametrize(
  ('status', 'said'),
  [
    ('0', 'has ended.'),
    ('2', 'failed with status 2; {}/log.txt there tells why.'),
  ],
)
def test_how_a_run_has_ended_is_told(status, said, job, tmp_path):
  folder, call = job
  (tmp_path / 'stand_in' / 'ends').write_text(status)
  call('set_up')
  call('start')
  wait_for(folder / 'ended')
  assert call('status') == (0, said.format(folder))


def test_a_secret_that_cannot_be_read_ends_the_run_with_a_sentence(
  job, stand_in
):
  _, call = job
  stand_in.fails('secrets', 'PERMISSION_DENIED\n')
  status, said = call('run')
  assert status == 2
  assert said.endswith(
    "the secret wandb-key cannot be read; does the machine's service account "
    'have the role roles/secretmanager.secretAccessor?'
  )


def test_an_interrupted_unpacking_is_begun_anew(job):
  folder, call = job
  (folder / 'unpacking' / CODE / 'tools').mkdir(parents=True)
  (folder / 'unpacking' / CODE / 'tools' / 'setup').write_text('half a fi')
  assert call('set_up')[0] == 0


def test_an_unknown_verb_is_refused(job):
  _, call = job
  assert call('begin') == (
    2,
    "set_up, start, status, logs, stop and run are known, not 'begin'.",
  )


def test_each_task_has_machines_of_its_own(shipment):
  alone, several = shipment('mine'), shipment('lr-1', 'lr-2')
  assert machine.named(alone) == [('mine', alone.tasks[0])]
  assert [name for name, _ in machine.named(several)] == [
    'mine-lr-1',
    'mine-lr-2',
  ]
  # Another point in front, or one that has ended, takes no one's machines.
  assert machine.named(shipment('lr-2')) == [('mine-lr-2', several.tasks[1])]
  long = dataclasses.replace(several, name='m' * 39)
  with pytest.raises(ValueError, match='at most 40'):
    machine.named(long)


def test_variables_and_paths_are_quoted(shipment, tmp_path):
  ship = shipment(environment={'GREETING': "it's $HOME"})
  text = machine.script(ship, ship.tasks[0], gin_file='mine.gin', project='p')
  settings = text.partition('\n\n')[0]
  shown = subprocess.run(
    ['bash', '-c', f'{settings}\necho "$GREETING|$bucket|${{command[3]}}"'],
    capture_output=True,
    text=True,
  )
  assert shown.stdout == "it's $HOME||--restarts=9\n"
