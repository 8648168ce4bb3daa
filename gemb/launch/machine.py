"""The script that one task's machines run: its settings, then machine.sh."""

import pathlib
import shlex

from gemb.launch.config import check_name
from gemb.launch.place import Shipment, Task

_BODY = pathlib.Path(__file__).with_name('machine.sh')
# Machines are set up one after the other's image is pulled, or a lost one is
# made anew, while the rest wait for it.
_START_SECONDS = 1800


def script(
  shipment: Shipment,
  task: Task,
  *,
  gin_file: str,
  project: str,
  bucket: str = '',
  data: str = '',
) -> str:
  """Returns a shell script; the job's folder on the machine is where it lies.

  A secret is in it by its name alone: the machine reads the value into the
  run's environment.

  Args:
    shipment: the job.
    task: the one of it that the machines run.
    gin_file: of the task, within the job's folder there.
    project: of Google Cloud, which has the secrets.
    bucket: that is mounted as `bucket` in the job's folder; '': none.
    data: folder of the bucket that is copied to `data` in the job's folder,
      which is GEMB_DATA then; '': none.
  """
  command = shipment.supervised(
    task,
    gin_file=gin_file,
    python=f'{shipment.code_folder}/.venv/bin/python',
  )
  command = *command, f'--start_timeout={_START_SECONDS}'
  secrets = (f'{name}={value}' for name, value in shipment.secrets.items())
  lines = [
    '#!/usr/bin/env bash',
    '# Written by `gemb launch`.',
    *_assign('code', shipment.code_folder),
    *_assign('bucket', bucket),
    *_assign('data', data),
    *_assign('project', project),
    *_assign('extras', ','.join(('tpu', *shipment.extras))),
    f'secrets=({shlex.join(secrets)})',
    f'command=({shlex.join(command)})',
  ]
  for name, value in shipment.environment.items():
    lines.append(f'export {name}={shlex.quote(value)}')
  return '\n'.join(lines) + '\n\n' + _BODY.read_text(encoding='utf-8')


def named(shipment: Shipment) -> list[tuple[str, Task]]:
  """Returns each task with the name of its machines: each has its own.

  The name depends on job and task alone, whichever others are launched.

  Raises:
    ValueError: if a name is too long.
  """
  job = shipment.name
  names = [
    job if task.name == job else f'{job}-{task.name}' for task in shipment.tasks
  ]
  for name in names:
    check_name(name, 'The machines of a task would be called')
  return list(zip(names, shipment.tasks, strict=True))


def check_shared(shipment: Shipment, mount: str) -> None:
  """Raises ValueError if a task would write to the disk of one machine.

  Args:
    shipment: the job.
    mount: what all machines of the job share, as they see it.
  """
  for task in shipment.tasks:
    workdir = pathlib.PurePosixPath(task.workdir)
    if pathlib.PurePosixPath(mount) not in workdir.parents:
      raise ValueError(
        f'The work folder {task.workdir} is on the disk of one machine, which '
        f'ends with it; give --gin.Job.workdir="\'{mount}/...\'", which all '
        'machines of the job share.'
      )


def _assign(name: str, value: str) -> list[str]:
  return [f'{name}={shlex.quote(value)}']
