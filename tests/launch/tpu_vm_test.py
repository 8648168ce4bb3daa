"""TPU VMs: which calls are made, in which order, and that each flag exists."""

import pathlib

import pytest

from gemb import config, stopping
from gemb.launch import machine
from gemb.launch.command import run_all
from gemb.launch.tpu_vm import TpuVm

# What the machines of a slice of 16 chips print at each step of a launch.
STARTED = ''.join(f'w-{i}: is set up.\nw-{i}: has started.\n' for i in range(4))


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
  stand_in.says('ssh', STARTED)
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
  stand_in.says('ssh', STARTED.replace('has started', 'runs already'))
  run_all(tpu_vm().start(shipment()))
  assert 'mine.sh start' in stand_in.calls[-1]


@pytest.mark.parametrize(
  ('state', 'status'),
  [('FAILED', 2), ('SUSPENDING', 75), ('SUSPENDED', 75)],
)
def test_a_slice_that_is_not_granted_ends_the_launch(
  state, status, tpu_vm, shipment, stand_in
):
  stand_in.add('gcloud')
  stand_in.says('describe', f'{state}\n')
  with pytest.raises(stopping.Failed, match='may be given again') as error:
    run_all(tpu_vm().start(shipment()))
  assert error.value.status == status
  assert ' describe ' in stand_in.calls[-1]


def test_after_a_copy_that_fails_nothing_is_started(tpu_vm, shipment, stand_in):
  stand_in.add('gcloud')
  stand_in.says('describe', 'ACTIVE\n')
  stand_in.fails('scp', 'ERROR: Connection refused\n')
  with pytest.raises(stopping.Failed, match='Connection refused') as error:
    run_all(tpu_vm().start(shipment()))
  assert error.value.status == 75
  assert ' scp ' in stand_in.calls[-1]


@pytest.mark.parametrize('slices', [1, 2])
def test_a_launch_that_misses_machines_has_not_started(
  slices, tpu_vm, shipment, stand_in
):
  stand_in.add('gcloud')
  stand_in.says('describe', 'ACTIVE\n')
  # gcloud passes over a slice that it does not reach, and ends well.
  stand_in.says('ssh', STARTED * (slices - 1))
  match = rf'{4 * slices - 4} of {4 * slices} machines have answered'
  with pytest.raises(stopping.Failed, match=match) as error:
    run_all(tpu_vm(slices=slices).start(shipment()))
  assert error.value.status == 75
  assert 'mine.sh set_up' in stand_in.calls[-1]


def test_a_stop_lets_the_run_save_and_gives_the_machines_back(
  tpu_vm, shipment, stand_in
):
  stand_in.add('gcloud')
  stand_in.says('ssh', 'w: was stopped with status 42, and has saved.\n' * 4)
  run_all(tpu_vm().stop(shipment()))
  stop, delete = stand_in.calls
  assert 'bash gemb-jobs/mine/mine.sh stop' in stop
  assert 'delete mine --force' in delete


def test_machines_that_were_taken_away_are_given_back(
  tpu_vm, shipment, stand_in
):
  stand_in.add('gcloud')  # its ssh reaches none, and ends well
  stand_in.says('describe', 'SUSPENDED\n')
  run_all(tpu_vm().stop(shipment()))
  assert 'delete mine --force' in stand_in.calls[-1]


@pytest.mark.parametrize('answers', [0, 3])
def test_a_run_that_has_not_saved_keeps_its_machines(
  answers, tpu_vm, shipment, stand_in
):
  stand_in.add('gcloud')
  stand_in.says('describe', 'ACTIVE\n')
  stand_in.says('ssh', 'w: has ended.\n' * answers)
  match = 'kept, and cost: stop it again, .* delete mine --force .*--quiet`'
  with pytest.raises(stopping.Failed, match=match):
    run_all(tpu_vm().stop(shipment()))
  assert ' describe ' in stand_in.calls[-1]


def test_waiting_ends_well_only_when_the_run_has_ended(
  tpu_vm, shipment, stand_in
):
  stand_in.add('gcloud')
  stand_in.says('ssh', 'w-0: has ended.\n' + 'w: runs.\n' * 3)
  run_all(tpu_vm().wait(shipment()))


@pytest.mark.parametrize(
  ('said', 'status'),
  [
    ('w-0: does not run.\n' + 'w: runs.\n' * 3, 75),
    ('w: runs.\n' * 3, 75),  # one machine was not reached
    ('', 75),  # no machine was reached, and gcloud ends well
    ('w-0: failed with status 1; log.txt there tells why.\n', 1),
    ('w-0: failed with status 137; log.txt there tells why.\n', 137),
  ],
)
def test_a_run_that_is_waited_for_gives_its_status_or_that_of_a_loss(
  said, status, tpu_vm, shipment, stand_in
):
  stand_in.add('gcloud')
  stand_in.says('ssh', said)
  with pytest.raises(stopping.Failed, match='the same launch may') as error:
    run_all(tpu_vm().wait(shipment()))
  assert error.value.status == status


def test_a_run_that_was_stopped_is_not_waited_for(tpu_vm, shipment, stand_in):
  stand_in.add('gcloud')
  stand_in.says('ssh', 'w-0: was stopped with status 42, and has saved.\n')
  with pytest.raises(stopping.Stopped, match='was stopped'):
    run_all(tpu_vm().wait(shipment()))


def test_each_task_asks_for_a_slice_before_any_is_waited_for(tpu_vm, shipment):
  commands = tpu_vm().start(shipment('lr-1', 'lr-2'))
  verbs = [(command.argv[4], command.argv[5]) for command in commands]
  assert verbs[:4] == [
    ('delete', 'mine-lr-1'),
    ('create', 'mine-lr-1'),
    ('delete', 'mine-lr-2'),
    ('create', 'mine-lr-2'),
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
  with pytest.raises(ValueError, match=r'give --gin.Job.workdir="\'bucket/'):
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
    ({'accelerator_type': 'v7-16'}, 'the nearest are'),
  ],
)
def test_a_place_that_cannot_be_is_refused(changes, message, tpu_vm):
  with pytest.raises(ValueError, match=message):
    tpu_vm(**changes)
