"""SLURM: the batch script, its calls, and that each flag exists.

The script is run here, with a stand-in of srun; with SLURM 22.05.8 itself, on
one node, it was run by hand: processes killed, the time limit, `stop`.
"""

import pathlib
import re
import shlex
import subprocess

import pytest

from gemb import stopping
from gemb.launch.command import run_all
from gemb.launch.slurm import Slurm


@pytest.fixture
def script(tmp_path, shipment, stand_in):
  """Returns what runs the script of a job, whose steps end with statuses."""
  stand_in.add('scontrol')
  path = tmp_path / 'stand_in' / 'bin' / 'srun'
  path.write_text(
    '#!/usr/bin/env bash\n'
    'echo "srun $*" >> "$STAND_IN/calls"\n'
    'mv "$STAND_IN/stopped" "$STAND_IN/.." 2> /dev/null\n'
    'starts=$(grep -c ^srun "$STAND_IN/calls")\n'
    'exit "$(sed -n "${starts}p" "$STAND_IN/statuses")"\n'
  )
  path.chmod(0o755)
  ship = shipment('lr-1', 'lr-2', folder=tmp_path, restarts=2)
  job = tmp_path / 'job.sh'
  text = Slurm().files(ship)['job.sh']
  job.write_text(text.replace('pause=5', 'pause=0'))

  def run(*statuses):
    numbers = '\n'.join(map(str, statuses))
    (tmp_path / 'stand_in' / 'statuses').write_text(numbers)
    variables = 'SLURM_JOB_ID=7', 'SLURM_ARRAY_TASK_ID=1'
    done = subprocess.run(
      ['env', *variables, 'bash', str(job)], capture_output=True, timeout=30
    )
    return done.returncode

  return run


def test_a_dry_run_prints_all_that_would_be_written_and_run(dry_run):
  printed, kept = dry_run('slurm', 'slurm.sh')
  assert printed == kept


@pytest.mark.parametrize('action', ['start', 'status', 'stop'])
def test_each_flag_is_in_the_programs_own_help(action, shipment, unknown_flags):
  for command in getattr(Slurm(), action)(shipment()):
    if command.argv[0] not in ('rm', 'touch', 'sbatch'):
      assert not unknown_flags(command.argv)


def test_each_option_of_the_script_is_in_the_help_of_sbatch(
  shipment, unknown_flags
):
  place = Slurm(
    partition='main', account='me', gpus_a_node=1, options=('--exclusive',)
  )
  text = place.files(shipment('lr-1', 'lr-2'))['job.sh']
  options = re.findall('#SBATCH (.*)', text)
  assert len(options) == 13
  assert not unknown_flags(('sbatch', *options))


def test_the_calls_of_the_script_are_in_the_programs_help(
  script, stand_in, unknown_flags
):
  script(42)
  srun, scontrol = stand_in.calls
  assert not unknown_flags(srun.partition(' /')[0].split())
  assert scontrol == 'scontrol requeue 7'


def test_an_array_runs_the_task_of_its_number(script, stand_in):
  assert script(0) == 0
  (srun,) = stand_in.calls
  assert srun.endswith('/tasks/lr-2.gin --workdir=bucket/runs/lr-2')


def test_a_step_whose_process_dies_is_begun_again(script, stand_in):
  assert script(137, 134, 0) == 0
  assert len(stand_in.calls) == 3


@pytest.mark.parametrize('status', [1, 2, 130])
def test_what_the_user_has_to_mend_is_not_begun_again(status, script, stand_in):
  assert script(status) == status
  assert len(stand_in.calls) == 1


def test_it_is_begun_again_as_often_as_the_job_says(script, stand_in):
  assert script(137, 137, 137) == 137
  assert len(stand_in.calls) == 3


def test_a_run_that_saved_for_the_time_limit_goes_back_to_the_queue(
  script, stand_in
):
  assert script(42) == 42
  assert stand_in.calls[1:] == ['scontrol requeue 7']


def test_so_does_one_that_sigterm_has_ended_before_it_began(script, stand_in):
  assert script(143) == 143
  assert stand_in.calls[1:] == ['scontrol requeue 7']


def test_a_run_that_the_user_has_stopped_does_not(script, stand_in, tmp_path):
  (tmp_path / 'stand_in' / 'stopped').touch()  # during the step
  assert script(42) == 42
  assert len(stand_in.calls) == 1


def test_a_run_that_is_stopped_between_two_steps_does_not_go_on(
  script, stand_in, tmp_path
):
  (tmp_path / 'stopped').touch()
  assert script(0) == 42
  assert not stand_in.calls


def test_a_launch_forgets_the_stop_and_a_stop_says_it_first(
  shipment, stand_in, tmp_path
):
  for program in ('sbatch', 'scancel', 'squeue'):
    stand_in.add(program)
  ship = shipment(folder=tmp_path)
  run_all(Slurm().stop(ship))
  assert (tmp_path / 'stopped').exists()
  run_all(Slurm().start(ship))
  assert not (tmp_path / 'stopped').exists()
  assert stand_in.calls == [
    'scancel --me --name=mine --state=PENDING',
    'scancel --me --name=mine --state=RUNNING --signal=TERM',
    'squeue --me --name=mine --noheader',
    f'sbatch {tmp_path}/job.sh',
  ]


def test_a_job_that_is_in_the_queue_is_not_put_there_again(
  shipment, stand_in, tmp_path
):
  for program in ('sbatch', 'squeue'):
    stand_in.add(program)
  stand_in.says('squeue', '  7  gpu  mine  me  R  0:10  1  node-1\n')
  with pytest.raises(stopping.Failed, match='If it waits or runs') as refused:
    run_all(Slurm().start(shipment(folder=tmp_path)))
  assert refused.value.status == 2
  assert stand_in.calls == ['squeue --me --name=mine --noheader']


def test_a_job_that_is_not_taken_ends_the_launch(shipment, stand_in, tmp_path):
  for program in ('sbatch', 'squeue'):
    stand_in.add(program)
  stand_in.fails('sbatch', 'sbatch: error: invalid partition\n')
  with pytest.raises(RuntimeError, match='invalid partition'):
    run_all(Slurm().start(shipment(folder=tmp_path)))


def test_one_task_is_no_array_and_several_share_the_queue(shipment):
  alone = Slurm().files(shipment())['job.sh']
  several = Slurm(at_once=2).files(shipment('a', 'b', 'c'))['job.sh']
  assert '--array' not in alone
  assert '#SBATCH --array=0-2%2\n' in several
  assert '#SBATCH --output=/home/me/jobs/mine/log-%a.txt\n' in several


def test_a_folder_may_have_a_space_in_its_name(shipment):
  folder = pathlib.Path('/home/me/my jobs')
  options = Slurm().files(shipment(folder=folder))['job.sh']
  (output,) = re.findall('#SBATCH (.*--output.*)', options)
  assert shlex.split(output) == ['--output=/home/me/my jobs/log-0.txt']


def test_the_work_folder_is_in_the_jobs_own():
  assert Slurm().default_workdir(pathlib.Path('/jobs/lr')) == '/jobs/lr/run'


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'nodes': 0}, 'Slurm.nodes is 0; it must be at least 1'),
    ({'gpus_a_node': 8}, 'JAX gives each process one GPU'),
    ({'options': ('-C a100',)}, 'wanted are long options of sbatch'),
  ],
)
def test_a_place_that_cannot_be_is_refused(changes, message):
  with pytest.raises(ValueError, match=message):
    Slurm(**changes)
