"""gemb launch: what it writes, what it refuses, and a pod's rehearsal."""

import hashlib
import json
import sys

import numpy as np
import pytest

from gemb import config, main
from gemb.launch import code, job
from gemb.launch.command import Command
from gemb.launch.place import Task
from gemb.train.metrics import read_metrics

COMMIT = '0123456789abcdef0123456789abcdef01234567'

TRACKING = 'configs/tracking/wandb.gin'

# A place that ships code, and starts a job by writing down what it got.
ELSEWHERE = """
import dataclasses
from gemb.launch.command import Command
from gemb.launch.place import Place

@dataclasses.dataclass(frozen=True, kw_only=True)
class Elsewhere(Place):
  zone: str = 'a'

  def files(self, shipment):
    names = [f'{task.name} {task.workdir}' for task in shipment.tasks]
    return {'start.sh': '#!/bin/sh\\necho started ' + ', '.join(names) + '\\n'}

  def start(self, shipment):
    script = str(shipment.folder / 'start.sh')
    return [Command(what='start it', argv=(script,))]

  def status(self, shipment):
    argv = 'echo', shipment.name, shipment.commit, *shipment.secrets
    return [Command(what='look', argv=argv)]

  logs = stop = status
"""
GIN = """
from __gin__ import dynamic_registration
from gemb import run
from gemb.launch import config as launch
import elsewhere

launch.Job.run = @run.Run()
launch.Job.place = @elsewhere.Elsewhere()
launch.Job.workdir = '/mnt/runs'
launch.Job.secrets = {'WANDB_API_KEY': 'wandb'}
"""


@pytest.fixture
def launch(tiny_gin, tmp_path, capfd):
  """Returns a function that launches tiny.gin and gives what was printed."""

  def run(*arguments, place='configs/launch/local.gin', status=0):
    files = [f'--gin_file={file}' for file in (tiny_gin, place)]
    job = f'--job={tmp_path}/mine'
    found = main.main(['launch', *files, job, *arguments])
    out, err = capfd.readouterr()
    assert found == status, err
    return err if status else out

  return run


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
  """Returns the gin file of a place that ships code."""
  (tmp_path / 'elsewhere.py').write_text(ELSEWHERE)
  (tmp_path / 'elsewhere.gin').write_text(GIN)
  monkeypatch.syspath_prepend(tmp_path)
  monkeypatch.delitem(sys.modules, 'elsewhere', raising=False)
  # Whatever state the checkout of these tests is in.
  monkeypatch.setattr(code, 'find_commit', lambda name: COMMIT)
  monkeypatch.setattr(code, 'check_clean', lambda name: None)
  monkeypatch.setattr(code, 'archive', pack)
  return str(tmp_path / 'elsewhere.gin')


def pack(shipment):
  """Returns what writes 'code', for git writes COMMIT nowhere."""
  script = f'open({str(shipment.code)!r}, "w").write("code")'
  return Command(what='pack', argv=(sys.executable, '-c', script))


def attend(action, folder, capfd, status=0):
  capfd.readouterr()
  assert main.main(['launch', action, f'--job={folder}']) == status
  out, err = capfd.readouterr()
  return err if status else out


def test_a_dry_run_prints_all_and_writes_nothing(launch, tmp_path, tiny_gin):
  said = launch(
    '--gin.Job.environment={"GEMB_DATA": "/my data"}',
    '--gin.Job.restarts=3',
    '--gin.Local.processes=2',
    '--gin.Local.devices=4',
    '--wait',
    '--dry_run',
  )
  folder = tmp_path / 'mine'
  file = folder / 'tasks' / 'mine.gin'
  program = config.load([tiny_gin])[1]
  background = f'{sys.executable} -m gemb.launch.background'
  assert said == (
    f'# The file {file}:\n{program}\n'
    '# start the run in the background\n'
    f"env 'GEMB_DATA=/my data' {background} start --folder={folder} -- "
    '--processes=2 --devices=4 --restarts=3 -- '
    f'train --gin_file={file} --workdir={folder}/run\n\n'
    '# follow its log; Ctrl-C stops the run, which saves\n'
    f'{background} wait --folder={folder}\n\n'
  )
  assert not folder.exists()


def test_the_folder_of_the_run_may_lie_elsewhere(launch):
  said = launch('--workdir=/mnt/my runs/one', '--dry_run')
  assert "'--workdir=/mnt/my runs/one'\n" in said


def test_what_was_shipped_lies_in_the_folder(
  launch, elsewhere, tmp_path, tiny_gin, capfd
):
  said = launch(place=elsewhere)
  folder = tmp_path / 'mine'
  checksum = hashlib.sha256(b'code').hexdigest()
  assert said == (
    f'# pack\n{folder}/code.tar.gz: sha256 {checksum}\n'
    '# start it\nstarted mine /mnt/runs\n'
  )
  assert (folder / 'tasks' / 'mine.gin').read_text() == (
    config.load([tiny_gin])[1]
  )
  assert json.loads((folder / 'job.json').read_text()) == {
    'name': 'mine',
    'commit': COMMIT,
    'tasks': {'mine': '/mnt/runs'},
  }
  loaded, _ = config.load([str(folder / 'job.gin')], root='Job')
  assert loaded.secrets == {'WANDB_API_KEY': 'wandb'}
  said = attend('status', folder, capfd)
  assert said == f'# look\nmine {COMMIT} WANDB_API_KEY\n'


def test_the_same_job_may_be_launched_again_and_no_other(
  launch, elsewhere, tmp_path, monkeypatch
):
  launch(place=elsewhere)
  launch(place=elsewhere)
  error = launch('--gin.Elsewhere.zone="b"', place=elsewhere, status=2)
  assert f'{tmp_path}/mine holds a job that differs from this one' in error
  assert "which has elsewhere.Elsewhere.zone = 'b'; choose another" in error


def test_a_job_goes_on_with_its_code_once_the_checkout_has_changed(
  launch, elsewhere, tmp_path, monkeypatch, capfd
):
  def change(name):
    raise ValueError('gemb/a.py is not committed.')

  launch(place=elsewhere)
  monkeypatch.setattr(code, 'find_commit', lambda name: 'f' * 40)
  monkeypatch.setattr(code, 'check_clean', change)
  said = launch(place=elsewhere)
  assert said == (
    '# it goes on with the code of commit 0123456789ab\n'
    '# start it\nstarted mine /mnt/runs\n'
  )
  assert COMMIT in attend('status', tmp_path / 'mine', capfd)


def test_a_launch_that_is_killed_leaves_a_folder_that_may_be_launched(
  launch, elsewhere, tmp_path, monkeypatch, capfd
):
  def fail(*_):
    raise KeyboardInterrupt

  with monkeypatch.context() as patch:
    patch.setattr(code, 'checksum', fail)
    launch(place=elsewhere, status=130)
  assert 'holds no job' in attend('status', tmp_path / 'mine', capfd, status=2)
  launch(place=elsewhere)


def test_the_same_launch_from_another_folder_is_of_the_same_run(
  launch, tmp_path, monkeypatch
):
  monkeypatch.chdir(tmp_path)
  said = launch('--workdir=runs/one', '--dry_run')
  assert f' --workdir={tmp_path}/runs/one\n' in said
  monkeypatch.setattr(job, 'run_all', lambda *_, **__: None)
  launch('--workdir=runs/one')
  (tmp_path / 'other').mkdir()
  monkeypatch.chdir(tmp_path / 'other')
  error = launch('--workdir=runs/one', status=2)
  assert f'whose run is in {tmp_path}/runs/one, and this one would' in error


def test_the_place_is_told_what_follows_the_run(launch, elsewhere, tmp_path):
  tracking = tmp_path / 'tracking.gin'
  tracking.write_text(
    f'include {TRACKING!r}\ninclude {elsewhere!r}\n', encoding='utf-8'
  )
  launch(place=str(tracking))
  _, shipment = job._read(tmp_path / 'mine')
  assert shipment.extras == ('wandb',)


def test_a_job_that_was_stopped_is_not_launched_again_as_lost(
  launch, elsewhere, tmp_path, monkeypatch, capfd
):
  def wait(place, shipment):
    # Its machines are given back between two looks at them.
    return [Command(what='wait', argv=('true',), lost=r'\A\Z')]

  launch(place=elsewhere)
  monkeypatch.setattr(sys.modules['elsewhere'].Elsewhere, 'wait', wait)
  assert 'there is no answer' in launch('--wait', place=elsewhere, status=75)
  attend('wait', tmp_path / 'mine', capfd, status=75)
  attend('stop', tmp_path / 'mine', capfd)
  error = attend('wait', tmp_path / 'mine', capfd, status=42)
  assert error == (
    f'gemb: The job of {tmp_path}/mine was stopped by `gemb launch stop`.\n'
  )
  launch('--wait', place=elsewhere, status=75)


def test_tasks_of_earlier_launches_are_looked_after(
  elsewhere, tiny_gin, tmp_path, monkeypatch, capfd
):
  loaded, text = config.load([tiny_gin, elsewhere], root='Job')
  monkeypatch.setattr(type(loaded.place), 'own_machines', True)
  a, b = (
    Task(name=name, program='', workdir=f'runs/{name}') for name in ('a', 'b')
  )
  job.launch_tasks(loaded, text, [a, b], tmp_path / 'mine')
  capfd.readouterr()
  job.launch_tasks(loaded, text, [b], tmp_path / 'mine')
  assert 'started b runs/b\n' in capfd.readouterr().out
  assert attend('status', tmp_path / 'mine', capfd).count('# look\n') == 2


def test_a_task_that_fails_does_not_hide_the_others(
  elsewhere, tiny_gin, tmp_path, monkeypatch, capfd
):
  def look(place, shipment):
    script = f'test {shipment.tasks[0].name} = c'
    return [Command(what=script, argv=('bash', '-c', script))]

  loaded, text = config.load([tiny_gin, elsewhere], root='Job')
  monkeypatch.setattr(type(loaded.place), 'own_machines', True)
  monkeypatch.setattr(type(loaded.place), 'status', look)
  tasks = [Task(name=name, program='', workdir='runs') for name in 'abc']
  job.launch_tasks(loaded, text, tasks, tmp_path / 'mine')
  errors = attend('status', tmp_path / 'mine', capfd, status=2)
  assert errors.count('gemb: test a = c: ') == 1
  assert errors.count('gemb: test b = c: ') == 1
  assert 'c = c' not in errors


def test_code_that_is_not_committed_is_told_by_a_dry_run_and_refused(
  launch, elsewhere, tmp_path, monkeypatch
):
  def refuse(name):
    raise ValueError(f'{name} is not what is here.')

  monkeypatch.setattr(code, 'check_clean', refuse)
  said = launch('--dry_run', place=elsewhere)
  assert said.startswith(
    '# A launch would be refused as things are: HEAD is not what is here.\n'
  )
  assert 'HEAD is not what is here.' in launch(place=elsewhere, status=2)
  assert not (tmp_path / 'mine').exists()


@pytest.mark.parametrize(
  ('binding', 'complaint'),
  [
    ("Job.secrets={'WANDB_API_KEY': 'wandb'}", 'export them before the launch'),
    ("Job.name='Mine'", "Job.name is 'Mine'; wanted are"),
    ('Local.proceses=2', 'did you mean processes?'),
    ('Run.steps=0', 'Run.steps is 0'),
  ],
)
def test_a_job_that_cannot_be_launched_is_refused(
  binding, complaint, launch, tmp_path
):
  error = launch(f'--gin.{binding}', status=2)
  assert complaint in error and error.count('\n') == 1
  assert not (tmp_path / 'mine').exists()


def test_a_folder_whose_name_is_none_needs_another(tiny_gin, tmp_path, capfd):
  files = [tiny_gin, 'configs/launch/local.gin']
  given = [f'--gin_file={file}' for file in files]
  folder = tmp_path / 'My job'
  assert main.main(['launch', *given, f'--job={folder}', '--dry_run']) == 2
  error = capfd.readouterr().err
  assert "The folder of --job names the job, which would be 'My job';" in error
  folder = tmp_path / 'my_job'
  assert not main.main(['launch', *given, f'--job={folder}', '--dry_run'])
  assert f'{folder}/tasks/my-job.gin' in capfd.readouterr().out


def test_this_machine_runs_one_task(tiny_gin, tmp_path):
  files = [tiny_gin, 'configs/launch/local.gin']
  loaded, text = config.load(files, root='Job')
  tasks = [Task(name=name, program='', workdir='runs') for name in ('a', 'b')]
  with pytest.raises(ValueError, match='Local runs one task, and there are 2'):
    job.launch_tasks(loaded, text, tasks, tmp_path / 'mine')


@pytest.mark.parametrize('action', ['status', 'logs', 'stop', 'wait'])
def test_a_folder_without_a_job_is_refused(action, tmp_path, capfd):
  error = attend(action, tmp_path, capfd, status=2)
  assert error == (
    f'gemb: {tmp_path} holds no job (no job.gin); give the --job of a `gemb '
    'launch`.\n'
  )


@pytest.mark.parametrize(
  ('arguments', 'complaint'),
  [
    (['status', '--gin_file=a.gin'], '`gemb launch status` takes --job and'),
    (['stop', '--wait'], '`gemb launch stop` takes --job and --dry_run alone'),
    ([], 'No --gin_file is given; give those of a run, and behind them one'),
  ],
)
def test_flags_that_mean_nothing_are_refused(arguments, complaint, capfd):
  assert main.main(['launch', *arguments, '--job=jobs/mine']) == 2
  assert complaint in capfd.readouterr().err


def test_a_pods_rehearsal_has_the_losses_of_one_process(
  start, tiny_run, tiny_gin, tmp_path, capfd
):
  folder = tmp_path / 'rehearsal'
  process = start(
    '-m',
    'gemb.main',
    'launch',
    f'--gin_file={tiny_gin}',
    '--gin_file=configs/launch/rehearsal.gin',
    f'--job={folder}',
    '--wait',
    '--gin.Local.processes=2',
    '--gin.Run.microbatch=32',
    '--gin.CheckpointConfig.every_steps=10',
    # Their losses are compared; to evaluate takes longer than to train.
    "--gin.CheckpointConfig.best_metric=''",
    '--gin.EvalConfig.bitext=()',
    '--gin.EvalConfig.retrieval=()',
  )
  said, errors = process.communicate(timeout=500)
  assert process.returncode == 0, errors + said
  assert said.endswith('supervise: it has ended.\n')
  losses, wanted = (
    [line['loss'] for line in read_metrics(of) if 'loss' in line]
    for of in (folder / 'run', tiny_run)
  )
  np.testing.assert_allclose(losses, wanted, rtol=1e-5)
  about = json.loads((folder / 'run' / 'about.json').read_text())
  assert (about['hosts'], about['devices']) == (2, 4)
  status = attend('status', folder, capfd)
  assert 'It has ended well: start 1, last seen at step 10.\n' in status
  assert 'supervise: it has ended.\n' in attend('logs', folder, capfd)
  assert attend('stop', folder, capfd).endswith('It does not run.\n')
