"""SLURM: a batch script, which is an array where the job has several tasks.

The flags are those of the manuals of SLURM 22.05, sbatch(1), srun(1),
scontrol(1), scancel(1) and squeue(1); tests/launch/slurm_test.py cites them.
Processes find each other by the variables of srun (`gemb.distributed`).

The cluster sends SIGTERM to the processes before a job's time is over, and the
script puts a run that has saved into the queue again; the job of a node that
fails SLURM itself puts there.
"""

import dataclasses
import pathlib
import shlex
import sys
from typing import ClassVar

from gemb.launch.command import Command
from gemb.launch.place import STOPPED, Place, Shipment

_BODY = pathlib.Path(__file__).with_name('slurm.sh')
_SCRIPT = 'job.sh'
_GRACE_SECONDS = 120  # for the checkpoint of a run that is asked to stop
_PAUSE_SECONDS = 5  # before a step is begun again


@dataclasses.dataclass(frozen=True, kw_only=True)
class Slurm(Place):
  """A job of SLURM; nodes and this machine share folder, code and .venv.

  Attributes:
    nodes: of each task.
    processes_a_node: of each task: JAX gives every process one GPU, so as many
      as a node has of these; without GPUs 1.
    gpus_a_node: that are asked for; 0: none.
    time: limit of a job, after which it waits in the queue again:
      HOURS:MINUTES:SECONDS, or in any other way that sbatch knows.
    partition: '': the cluster's own choice, as with the next.
    account: that is charged.
    at_once: most tasks of an array that run at the same time; 0: no limit.
    options: more of sbatch, such as ('--constraint=a100', '--exclusive').
  """

  nodes: int = 1
  processes_a_node: int = 1
  gpus_a_node: int = 0
  time: str = '24:00:00'
  partition: str = ''
  account: str = ''
  at_once: int = 0
  options: tuple[str, ...] = ()

  ships_code: ClassVar[bool] = False
  takes_secrets: ClassVar[bool] = False

  def __post_init__(self):
    least = {'nodes': 1, 'processes_a_node': 1, 'gpus_a_node': 0, 'at_once': 0}
    for field, wanted in least.items():
      if getattr(self, field) < wanted:
        raise ValueError(
          f'Slurm.{field} is {getattr(self, field)}; it must be at least '
          f'{wanted}.'
        )
    if self.gpus_a_node and self.processes_a_node != self.gpus_a_node:
      raise ValueError(
        f'Slurm.processes_a_node is {self.processes_a_node} and gpus_a_node '
        f'{self.gpus_a_node}; give both the same number, since JAX gives each '
        'process one GPU under SLURM.'
      )
    for option in self.options:
      if not option.startswith('--') or '\n' in option:
        raise ValueError(
          f'Slurm.options has {option!r}; wanted are long options of sbatch, '
          'such as --constraint=a100.'
        )

  def default_workdir(self, folder: pathlib.Path) -> str:
    """Returns a folder in the job's own, which the nodes see too."""
    return str(folder / 'run')

  def files(self, shipment: Shipment) -> dict[str, str]:
    """Returns the batch script."""
    lines = ['#!/usr/bin/env bash', '# Written by `gemb launch`.']
    options = map(shlex.quote, self._options(shipment))  # as sbatch reads them
    lines += [f'#SBATCH {option}' for option in options]
    gin_files = (str(shipment.folder / task.file) for task in shipment.tasks)
    lines += [
      f'python={shlex.quote(sys.executable)}',
      f'gin_files=({shlex.join(gin_files)})',
      f'workdirs=({shlex.join(task.workdir for task in shipment.tasks)})',
      f'stopped={shlex.quote(str(shipment.folder / STOPPED))}',
      f'restarts={shipment.restarts}',
      f'pause={_PAUSE_SECONDS}',
    ]
    for name, value in shipment.environment.items():
      lines.append(f'export {name}={shlex.quote(value)}')
    body = _BODY.read_text(encoding='utf-8')
    return {_SCRIPT: '\n'.join(lines) + '\n\n' + body}

  def start(self, shipment: Shipment) -> list[Command]:
    """Returns what puts the job into the queue, unless it is there."""
    return [
      Command(
        what=f'see that {shipment.name} is not in the queue yet',
        argv=(*_find(shipment), '--noheader'),
        unless=r'\S',
        advice='If it waits or runs already, look with `gemb launch status`, '
        'or stop it first.',
      ),
      Command(
        what='forget that it was stopped',
        argv=('rm', '-f', str(shipment.folder / STOPPED)),
      ),
      Command(
        what=f'put {shipment.name} into the queue',
        argv=('sbatch', str(shipment.folder / _SCRIPT)),
      ),
    ]

  def status(self, shipment: Shipment) -> list[Command]:
    """Returns what lists the job in the queue."""
    return [
      Command(
        what=f'{shipment.name} in the queue; what has ended is not',
        argv=_find(shipment),
      )
    ]

  def logs(self, shipment: Shipment) -> list[Command]:
    """Returns what prints the last lines of each task."""
    return [
      Command(
        what=f'the last lines of {task.name}',
        argv=('tail', '--lines=50', self._log(shipment, str(number))),
        may_fail=True,  # it may wait in the queue
      )
      for number, task in enumerate(shipment.tasks)
    ]

  def stop(self, shipment: Shipment) -> list[Command]:
    """Returns what lets the tasks save, and takes them from the queue."""
    cancel = 'scancel', '--me', f'--name={shipment.name}'
    return [
      Command(
        what='have the script not go on',
        argv=('touch', str(shipment.folder / STOPPED)),
      ),
      Command(
        what='take from the queue what waits there',
        argv=(*cancel, '--state=PENDING'),
      ),
      Command(
        what='ask what runs to stop, which saves first',
        # With a signal it is for the processes, and not for the script.
        argv=(*cancel, '--state=RUNNING', '--signal=TERM'),
      ),
    ]

  def _options(self, shipment: Shipment) -> list[str]:
    """Returns the options of sbatch."""
    several = len(shipment.tasks) > 1
    at_once = f'%{self.at_once}' if self.at_once else ''
    optional = {
      'gpus-per-node': self.gpus_a_node,
      'partition': self.partition,
      'account': self.account,
      'array': f'0-{len(shipment.tasks) - 1}{at_once}' if several else '',
    }
    return [
      f'--job-name={shipment.name}',
      f'--nodes={self.nodes}',
      f'--ntasks-per-node={self.processes_a_node}',
      f'--time={self.time}',
      f'--output={self._log(shipment, "%a" if several else "0")}',
      '--open-mode=append',
      '--requeue',
      # To the processes; the script waits for them.
      f'--signal=TERM@{_GRACE_SECONDS}',
      *(f'--{name}={value}' for name, value in optional.items() if value),
      *self.options,
    ]

  def _log(self, shipment: Shipment, task: str) -> str:
    return str(shipment.folder / f'log-{task}.txt')


def _find(shipment: Shipment) -> tuple[str, ...]:
  """Returns the call that lists a job's tasks in the queue."""
  return 'squeue', '--me', f'--name={shipment.name}'
