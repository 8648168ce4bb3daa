"""Job: what it refuses."""

import pytest

from gemb import config
from gemb.config import ConfigError
from gemb.launch.local import Local

LOCAL = 'configs/launch/local.gin'


@pytest.fixture
def load(tiny_gin):
  """Returns the job of tiny.gin on this machine, with bindings."""
  return lambda *bindings: config.load([tiny_gin, LOCAL], bindings, root='Job')[
    0
  ]


def test_a_job_is_a_run_and_a_place(load, tiny_gin):
  job = load('Run.steps=7', 'Local.devices=2')
  run, _ = config.load([tiny_gin], ['Run.steps=7'])
  assert job.run == run
  assert job.place == Local(devices=2)


def test_a_run_without_a_place_is_told_of_the_launch_files(tiny_gin):
  with pytest.raises(ConfigError) as error:
    config.load([tiny_gin], root='Job')
  assert str(error.value) == (
    f'{tiny_gin}: no file says where this is to run; name one of '
    'configs/launch last, such as configs/launch/local.gin.'
  )


def test_a_launch_file_is_for_launching_alone(tiny_gin):
  with pytest.raises(ConfigError) as error:
    config.load([tiny_gin, LOCAL])
  assert str(error.value) == (
    f'{LOCAL}:10: a file of configs/launch is for `gemb launch`, and for '
    '`gemb sweep --job`; leave it out here.'
  )


def test_a_run_behind_the_launch_file_would_override_it(tiny_gin):
  with pytest.raises(ConfigError, match=f'stands behind {LOCAL}, and would'):
    config.load([LOCAL, tiny_gin], root='Job')


def test_the_program_of_its_run_knows_nothing_of_the_job(tiny_gin, tmp_path):
  _, program = config.load([tiny_gin, LOCAL], root='Job', program_of='Run')
  assert program == config.load([tiny_gin])[1]


@pytest.mark.parametrize(
  ('binding', 'complaint'),
  [
    ("name='My_job'", "Job.name is 'My_job'; wanted are at most 40 lower-case"),
    ("name='a-'", 'no hyphen last'),
    (f"name='{'a' * 41}'", 'at most 40'),
    ('restarts=-1', 'Job.restarts is -1; it must not be negative'),
    ("environment={'A-B': ''}", "Job.environment has 'A-B', which is no name"),
    ("secrets={'1A': 'a'}", "Job.secrets has '1A', which is no name"),
    (
      "environment={'WANDB_API_KEY': 'of-mine'}",
      "Job.secrets = {'WANDB_API_KEY': 'ITS-NAME-THERE'}",
    ),
    ("environment={'HF_TOKEN': 'of-mine'}", 'looks like a secret'),
    ("environment={'MY_SECRET': 'of-mine'}", 'looks like a secret'),
    ("environment={'DB_PASSWORD_2': 'of-mine'}", 'looks like a secret'),
  ],
)
def test_a_job_that_no_place_takes_is_refused(load, binding, complaint):
  with pytest.raises(ConfigError) as error:
    load(f'Job.{binding}')
  assert complaint in str(error.value)
  assert 'of-mine' not in str(error.value)


def test_a_variable_has_one_value(load):
  with pytest.raises(ConfigError, match='A is in Job'):
    load("Job.environment={'A': 'b'}", "Job.secrets={'A': 'c'}")


def test_what_only_sounds_like_a_secret_is_none(load):
  variables = {
    'TOKENIZERS_PARALLELISM': '0',
    'KEYBOARD': 'de',
    'GEMB_DATA': '/d',
  }
  assert load(f'Job.environment={variables}').environment == variables


@pytest.mark.parametrize(
  ('binding', 'complaint'),
  [
    ('processes=0', 'Local.processes is 0; it must be at least 1'),
    ('devices=0', 'Local.devices is 0; it must be at least 1'),
    ('processes=2', 'the processes cannot share the devices'),
  ],
)
def test_a_place_that_is_none_is_refused(load, binding, complaint):
  with pytest.raises(ConfigError, match=complaint):
    load(f'Local.{binding}')
