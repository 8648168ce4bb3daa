"""TPU VMs: which calls are made, in which order, and that each flag exists."""

import pathlib

import pytest

from gemb import config
from gemb.launch import machine
from gemb.launch.command import run_all
from gemb.launch.tpu_vm import TpuVm


@pytest.fixture
def tpu_vm():
  """Returns a function that makes the place: v5e-16, with these changes."""

  def make(**changes):
    values = {
      'accelerator_type': 'v5litepod-16',
      'project': 'my-project',
      'zone': 'us-west4-a',
      'bucket': 'my-bucket',
    }
    return TpuVm(**values | changes)

  return make


@pytest.mark.parametrize('name', ['v5e_16', 'v5p_128', 'two_slices'])
def test_a_dry_run_prints_all_that_would_be_written_and_run(name, dry_run):
  printed, kept = dry_run(name, 'machine.sh')
  assert printed == kept


@pytest.mark.parametrize(
  'changes',
  [
    {},
    {'accelerator_type': 'v5p-128', 'capacity': 'reserved'},
    {'slices': 2, 'capacity': 'on_demand', 'service_account': 'me@x.iam'},
  ],
)
@pytest.mark.parametrize('action', ['start', 'wait', 'status', 'logs', 'stop'])
def test_each_flag_is_published(
  action, changes, tpu_vm, shipment, unknown_flags
):
  commands = getattr(tpu_vm(**changes), action)(shipment())
  assert commands
  for command in commands:
    assert not unknown_flags(command.argv)


def test_a_flag_that_is_not_published_is_noticed(
  tpu_vm, shipment, unknown_flags
):
  argv = tpu_vm().stop(shipment())[-1].argv
  assert unknown_flags((*argv, '--forced')) == {'--forced'}


def test_a_launch_makes_these_calls_in_order(tpu_vm, shipment, stand_in):
  stand_in.add('gcloud')
  stand_in.says('describe', 'ACTIVE\n')
  run_all(tpu_vm().start(shipment()))
  prefix = 'gcloud compute tpus queued-resources '
  where = ' --project=my-project --zone=us-west4-a --quiet'
  folder = '/home/me/jobs/mine'
  everywhere = 'mine --node=all --worker=all --command='
  assert [
    call.removeprefix(prefix).removesuffix(where) for call in stand_in.calls
  ] == [
    'delete mine',
    'create mine --accelerator-type=v5litepod-16 '
    '--runtime-version=v2-alpha-tpuv5-lite --spot --node-id=mine',
    'describe mine --format=value(state.state)',
    f'ssh {everywhere}mkdir -p gemb-jobs/mine',
    f'scp {folder}/code.tar.gz {folder}/tasks/mine.gin {folder}/mine.sh '
    'mine:gemb-jobs/mine/ --node=all --worker=all',
    f'ssh {everywhere}bash gemb-jobs/mine/mine.sh set_up',
    f'ssh {everywhere}bash gemb-jobs/mine/mine.sh start',
  ]


def test_a_slice_that_is_there_is_taken_as_it_is(tpu_vm, shipment, stand_in):
  stand_in.add('gcloud')
  stand_in.says('describe', 'ACTIVE\n')
  # What the service says of machines that are in use.
  stand_in.fails('delete', 'ERROR: it has nodes; use --force.\n')
  stand_in.fails('create', 'ERROR: ALREADY_EXISTS\n')
  run_all(tpu_vm().start(shipment()))
  assert 'mine.sh start' in stand_in.calls[-1]


@pytest.mark.parametrize('state', ['FAILED', 'SUSPENDING', 'SUSPENDED'])
def test_a_slice_that_is_not_granted_ends_the_launch(
  state, tpu_vm, shipment, stand_in
):
  stand_in.add('gcloud')
  stand_in.says('describe', f'{state}\n')
  with pytest.raises(RuntimeError, match='may be given again'):
    run_all(tpu_vm().start(shipment()))
  assert ' describe ' in stand_in.calls[-1]


def test_after_a_copy_that_fails_nothing_is_started(tpu_vm, shipment, stand_in):
  stand_in.add('gcloud')
  stand_in.says('describe', 'ACTIVE\n')
  stand_in.fails('scp', 'ERROR: Connection refused\n')
  with pytest.raises(RuntimeError, match='Connection refused'):
    run_all(tpu_vm().start(shipment()))
  assert ' scp ' in stand_in.calls[-1]


def test_a_stop_lets_the_run_save_and_gives_the_machines_back(
  tpu_vm, shipment, stand_in
):
  stand_in.add('gcloud')
  # Machines that were taken away: they must be given back nevertheless.
  stand_in.fails('ssh', 'ERROR: no such machine\n')
  run_all(tpu_vm().stop(shipment()))
  stop, delete = stand_in.calls
  assert 'bash gemb-jobs/mine/mine.sh stop' in stop
  assert 'delete mine --force' in delete


def test_waiting_ends_well_only_when_the_run_has_ended(
  tpu_vm, shipment, stand_in
):
  stand_in.add('gcloud')
  stand_in.says('ssh', 'v5e-w-0: has ended.\n')
  run_all(tpu_vm().wait(shipment()))
  stand_in.says('ssh', 'v5e-w-0: does not run.\n')
  with pytest.raises(RuntimeError, match='does not run'):
    run_all(tpu_vm().wait(shipment()))


def test_each_task_asks_for_a_slice_before_any_is_waited_for(tpu_vm, shipment):
  commands = tpu_vm().start(shipment('lr-1', 'lr-2'))
  verbs = [(command.argv[4], command.argv[5]) for command in commands]
  assert verbs[:4] == [
    ('delete', 'mine-0'),
    ('create', 'mine-0'),
    ('delete', 'mine-1'),
    ('create', 'mine-1'),
  ]
  assert 'lr-2.sh start' in commands[-1].argv[8]


def test_capacity_runtime_and_account_are_asked_for(tpu_vm, shipment):
  changes = {
    'capacity': 'on_demand',
    'runtime_version': 'v2-alpha-mine',
    'service_account': 'me@x.iam',
  }
  argv = tpu_vm(**changes).start(shipment())[1].argv
  assert {'--runtime-version=v2-alpha-mine', '--service-account=me@x.iam'} <= (
    set(argv)
  )
  assert not {'--spot', '--reserved'} & set(argv)
  assert '--reserved' in tpu_vm(capacity='reserved').start(shipment())[1].argv


def test_a_mesh_of_other_than_the_slices_devices_is_refused(tiny_gin):
  files = [tiny_gin, 'configs/launch/two_slices.gin']
  job, _ = config.load(files, root='Job')
  assert job.place.all_devices == 32
  with pytest.raises(ValueError, match='needs 16 devices; found 32'):
    config.load(files, ['axes.MeshConfig.fsdp=8'], root='Job')


def test_the_work_folder_is_in_the_bucket(tpu_vm, shipment):
  place = tpu_vm()
  assert place.default_workdir(pathlib.Path('jobs/lr')) == 'bucket/runs/lr'
  with pytest.raises(ValueError, match=r'begin it with bucket/'):
    place.start(shipment(workdir='/tmp/runs'))


def test_a_machine_gets_the_script_of_its_task(tpu_vm, shipment):
  ship = shipment(secrets={'WANDB_API_KEY': 'wandb-key'})
  files = tpu_vm().files(ship)
  assert files == {
    'mine.sh': machine.script(
      ship,
      ship.tasks[0],
      gin_file='mine.gin',
      project='my-project',
      bucket='my-bucket',
      data='data',
    )
  }


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'project': ''}, 'TpuVm.project is empty; give it with --gin.TpuVm'),
    ({'bucket': 'gs://mine'}, 'without gs://'),
    ({'slices': 0}, 'TpuVm.slices is 0'),
    ({'accelerator_type': 'v5e-16'}, 'the nearest are'),
  ],
)
def test_a_place_that_cannot_be_is_refused(changes, message, tpu_vm):
  with pytest.raises(ValueError, match=message):
    tpu_vm(**changes)
