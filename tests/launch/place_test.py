"""What a place is told of a job."""

import pathlib

import pytest

from gemb.launch.place import Place, Shipment, Task

TASK = Task(name='mine', program='', workdir='/mnt/runs/mine')
SHIPMENT = Shipment(
  name='mine',
  folder=pathlib.Path('/home/me/jobs/mine'),
  tasks=(TASK,),
  commit='0123456789abcdef0123456789abcdef01234567',
  restarts=9,
)


class Nowhere(Place):
  """A place that does nothing."""

  def start(self, shipment):
    return []

  status = logs = stop = start


def test_a_task_is_trained_from_its_own_file():
  assert TASK.file == 'tasks/mine.gin'
  assert SHIPMENT.supervised(TASK, gin_file='a.gin', python='python3') == (
    *('python3', '-m', 'gemb.launch.supervise', '--restarts=9', '--'),
    *('train', '--gin_file=a.gin', '--workdir=/mnt/runs/mine'),
  )


def test_the_code_has_the_name_of_its_commit():
  assert SHIPMENT.code_folder == 'gemb-0123456789ab'
  assert SHIPMENT.code == pathlib.Path('/home/me/jobs/mine/code.tar.gz')


def test_a_place_may_write_nothing_and_not_wait():
  assert Nowhere().files(SHIPMENT) == {}
  with pytest.raises(ValueError, match='Nowhere cannot be waited for; look'):
    Nowhere().wait(SHIPMENT)
  with pytest.raises(ValueError, match='Nowhere has no folder of its own'):
    Nowhere().default_workdir(SHIPMENT.folder)


def test_a_place_tells_how_to_start_and_look_after_a_job():
  with pytest.raises(TypeError, match='abstract'):
    Place()
