"""GKE: the calls of XPK and kubectl, and that each flag exists."""

import pathlib

import pytest

from gemb import stopping
from gemb.launch.command import run_all
from gemb.launch.gke import Gke

# Of xpk.parser.validators 1.16.0, which its --help does not print.
LONGEST_NAME = 40


@pytest.fixture
def gke():
  """Returns a function that makes the place: v5e-16, with these changes."""

  def make(**changes):
    values = {
      'tpu_type': 'v5litepod-16',
      'cluster': 'my-cluster',
      'project': 'my-project',
      'zone': 'us-west4-a',
      'storage': 'my-storage',
    }
    return Gke(**values | changes)

  return make


def test_a_dry_run_prints_all_that_would_be_written_and_run(dry_run):
  printed, kept = dry_run('gke', 'machine.sh')
  assert printed == kept


@pytest.mark.parametrize('action', ['start', 'wait', 'status', 'logs', 'stop'])
def test_each_flag_is_in_the_programs_own_help(
  action, gke, shipment, unknown_flags
):
  ship = shipment('lr-1', 'lr-2', workdir='/shared/runs')
  commands = getattr(gke(), action)(ship)
  assert len(commands) == 2
  for command in commands:
    assert not unknown_flags(command.argv)


def test_a_launch_creates_a_workload_for_each_task(gke, shipment, stand_in):
  stand_in.add('xpk')
  ship = shipment('lr-1', 'lr-2', workdir='/shared/runs')
  run_all(gke(slices=2, priority='high').start(ship))
  assert stand_in.calls == [
    'xpk workload create --cluster=my-cluster --project=my-project '
    f'--zone=us-west4-a --workload=mine-{task} --tpu-type=v5litepod-16 '
    '--num-slices=2 --base-docker-image=python:3.12 '
    '--script-dir=/home/me/jobs/mine --storage=my-storage --priority=high '
    '--max-restarts=9 --termination-grace-period-seconds=120 '
    f'--command=exec bash {task}.sh run'
    for task in ('lr-1', 'lr-2')
  ]


def test_after_a_workload_that_fails_none_is_created(gke, shipment, stand_in):
  stand_in.add('xpk')
  stand_in.fails('--workload=mine-lr-1', 'mine-lr-1 already exists\n')
  with pytest.raises(stopping.Failed, match='gemb launch stop'):
    run_all(gke().start(shipment('lr-1', 'lr-2', workdir='/shared/runs')))
  assert len(stand_in.calls) == 1


def test_a_pod_finds_data_and_run_where_the_storage_is_mounted(gke, shipment):
  place = gke(mount='/mnt/mine')
  assert place.default_workdir(pathlib.Path('jobs/lr')) == '/mnt/mine/runs/lr'
  script = place.files(shipment(workdir='/mnt/mine/runs'))['mine.sh']
  assert 'export GEMB_DATA=/mnt/mine/data\n' in script
  assert '--gin_file=tasks/mine.gin --workdir=/mnt/mine/runs/mine' in script
  own = place.files(shipment(environment={'GEMB_DATA': '/mine'}))['mine.sh']
  assert 'export GEMB_DATA=/mine\n' in own
  assert '/mnt/mine/data' not in own


@pytest.mark.parametrize('workdir', ['runs', '/home/me/sweep', '/sharedruns'])
def test_a_work_folder_on_the_disk_of_a_pod_is_refused(workdir, gke, shipment):
  with pytest.raises(ValueError, match=r'--gin.Job.workdir="\'/shared/...\'"'):
    gke().start(shipment(workdir=workdir))


def test_a_secret_is_in_the_script_by_its_name(gke, shipment):
  script = gke().files(shipment(secrets={'WANDB_API_KEY': 'wandb-key'}))
  assert 'secrets=(WANDB_API_KEY=wandb-key)\n' in script['mine.sh']


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'cluster': ''}, 'Gke.cluster is empty'),
    ({'mount': 'work'}, 'wanted is an absolute path'),
    ({'slices': 0}, 'Gke.slices is 0'),
    ({'priority': 'urgent'}, 'XPK knows very-low, low, medium, high'),
    ({'tpu_type': 'v7-16'}, 'the nearest are'),
  ],
)
def test_a_place_that_cannot_be_is_refused(changes, message, gke):
  with pytest.raises(ValueError, match=message):
    gke(**changes)


def test_a_name_that_xpk_refuses_is_refused_before(gke, shipment):
  ship = shipment(
    'lr-1', 'lr-2', name='m' * (LONGEST_NAME - 1), workdir='/shared/runs'
  )
  with pytest.raises(ValueError, match='at most 40'):
    gke().start(ship)
