"""This machine as a place; tests/launch/job_test.py launches on it."""

import pathlib
import sys

import pytest

from gemb.launch import record
from gemb.launch.local import Local

BACKGROUND = sys.executable, '-m', 'gemb.launch.background'


@pytest.fixture
def here(shipment, tmp_path):
  """Returns a job of this machine."""
  return shipment(workdir='/runs', folder=tmp_path)


def test_it_starts_what_is_supervised_in_the_background(here, tmp_path):
  (command,) = Local(processes=4, devices=2).start(here)
  assert command.argv == (
    *(*BACKGROUND, 'start', f'--folder={tmp_path}', '--'),
    *('--processes=4', '--devices=2', '--restarts=9', '--'),
    *('train', f'--gin_file={tmp_path}/tasks/mine.gin', '--workdir=/runs/mine'),
  )


def test_alone_it_has_the_devices_that_are_there(here):
  (command,) = Local().start(here)
  assert not any(word.startswith('--devices') for word in command.argv)


def test_the_run_has_the_variables_of_the_job(shipment, tmp_path):
  variables = {'GEMB_DATA': '/data', 'A': 'b c'}
  (command,) = Local().start(shipment(folder=tmp_path, environment=variables))
  assert command.argv[:4] == ('env', 'GEMB_DATA=/data', 'A=b c', BACKGROUND[0])


def test_a_job_that_runs_is_not_started_again(here, tmp_path):
  with (
    record.kept(tmp_path, 7),
    pytest.raises(ValueError, match='runs already; look with `gemb launch'),
  ):
    Local().start(here)


def test_it_is_looked_after_by_its_folder(here, tmp_path):
  folder = f'--folder={tmp_path}'
  place = Local()
  assert [
    command.argv
    for action in (place.wait, place.status, place.logs, place.stop)
    for command in action(here)
  ] == [
    (*BACKGROUND, 'wait', folder),
    (*BACKGROUND, 'status', folder, '--workdir=/runs/mine'),
    ('tail', '--lines=50', f'{tmp_path}/log.txt'),
    (*BACKGROUND, 'stop', folder),
  ]


def test_whoever_waits_is_told_how_it_has_ended(here, tmp_path):
  (command,) = Local().wait(here)
  with record.kept(tmp_path, 7) as write:
    write(starts=1, status=1, cause='the loss is not finite')
  assert command.ended() == (
    'It has stopped with status 1 (the loss is not finite): start 1.'
  )


def test_the_run_lies_in_the_folder_of_the_job():
  folder = pathlib.Path('/home/me/jobs/mine')
  assert Local().default_workdir(folder) == '/home/me/jobs/mine/run'
