"""TPU VMs: a slice, or several, by a queued resource and ssh to its machines.

Nothing here has been run on the service; the calls are those of its reference
(`gemb/launch/queued_resource.py`).

Every launch may be given again. One that finds the slice taken away asks for
another, and the run goes on from its last checkpoint.
"""

import dataclasses
import pathlib
import shlex
from typing import ClassVar, Literal

from gemb.launch import machine
from gemb.launch.command import Command
from gemb.launch.place import CODE, Place, Shipment, Task
from gemb.launch.queued_resource import QueuedResource
from gemb.launch.slices import Slice

Capacity = Literal['spot', 'reserved', 'on_demand']

_MOUNT = 'bucket'
# What machine.sh says of a run that is no more.
_STOPPED = r'does not run\.|has ended\.|with status \d+'
_RERUN = 'the same launch may be given again.'


@dataclasses.dataclass(frozen=True, kw_only=True)
class TpuVm(Place):
  """A queued resource; each task of a job has its own.

  All machines find each other by what Google tells them, over several slices by
  MEGASCALE_COORDINATOR_ADDRESS and its like, which JAX reads from the machine's
  metadata (jax/_src/clusters/cloud_tpu_cluster.py). Each supervises its own
  process. They share a bucket, whose namespace must be hierarchical: a
  checkpoint is complete when its folder is renamed, which such a bucket does at
  once or not at all, and gcsfuse on another not at all.

  Attributes:
    accelerator_type: of a slice, such as 'v5litepod-16' or 'v5p-128'.
    project: of Google Cloud.
    zone: that has the chips, such as 'us-west4-a'.
    bucket: its name, without gs://. Each machine mounts it.
    data: folder of the bucket with what `gemb cache` has made, which each
      machine copies to its disk; '': none, and Job.environment tells GEMB_DATA.
    slices: how many, of one type.
    capacity: 'spot' may be taken away at any time and costs least; 'reserved'
      takes of the project's reservation.
    runtime_version: of the machines' software; '': what Google recommends for
      the chip.
    service_account: that the machines act as; '': the project's default.
  """

  accelerator_type: str
  project: str
  zone: str
  bucket: str
  data: str = 'data'
  slices: int = 1
  capacity: Capacity = 'spot'
  runtime_version: str = ''
  service_account: str = ''

  own_machines: ClassVar[bool] = True

  def __post_init__(self):
    Slice(accelerator_type=self.accelerator_type)
    for field in ('project', 'zone', 'bucket'):
      if not getattr(self, field):
        raise ValueError(
          f'TpuVm.{field} is empty; give it with --gin.TpuVm.{field}='
          f'"\'NAME\'".'
        )
    if '/' in self.bucket:
      raise ValueError(
        f'TpuVm.bucket is {self.bucket!r}; wanted is the name of a bucket, '
        'without gs:// and without a folder.'
      )
    if self.slices < 1:
      raise ValueError(f'TpuVm.slices is {self.slices}; it must be at least 1.')

  @property
  def all_devices(self) -> int:
    """The chips of all slices of a task."""
    return self.slices * Slice(accelerator_type=self.accelerator_type).chips

  def default_workdir(self, folder: pathlib.Path) -> str:
    """Returns a folder of the bucket, as the machines see it."""
    return f'{_MOUNT}/runs/{folder.name}'

  def files(self, shipment: Shipment) -> dict[str, str]:
    """Returns the script of each task."""
    return {
      f'{task.name}.sh': machine.script(
        shipment,
        task,
        gin_file=f'{task.name}.gin',
        project=self.project,
        bucket=self.bucket,
        data=self.data,
      )
      for task in shipment.tasks
    }

  def start(self, shipment: Shipment) -> list[Command]:
    """Returns what asks for the slices, waits for them, and starts the tasks.

    Raises:
      ValueError: if a task would write to the disk of one machine.
    """
    machine.check_shared(shipment, _MOUNT)
    requests = self._requests(shipment)
    asked = [each for request, _ in requests for each in self._ask(request)]
    return asked + [
      each
      for request, task in requests
      for each in _begin(request, task, shipment, self._machines)
    ]

  def status(self, shipment: Shipment) -> list[Command]:
    """Returns what tells the state of the slices and of each machine."""
    return [
      each
      for request, task in self._requests(shipment)
      for each in (
        Command(what=f'the state of {request.name}', argv=request.state()),
        Command(
          what=f'what the machines of {request.name} do',
          argv=request.ssh(_script(task, shipment, 'status')),
          advice='While there are none, the state above tells why.',
        ),
      )
    ]

  def logs(self, shipment: Shipment) -> list[Command]:
    """Returns what prints the last lines of each task's first machine."""
    return [
      Command(
        what=f'the last lines of the first machine of {request.name}',
        argv=request.ssh(_script(task, shipment, 'logs'), '0'),
      )
      for request, task in self._requests(shipment)
    ]

  def stop(self, shipment: Shipment) -> list[Command]:
    """Returns what lets the tasks save, and gives the slices back."""
    return [
      each
      for request, task in self._requests(shipment)
      for each in (
        Command(
          what=f'stop {request.name}, which saves first',
          argv=request.ssh(_script(task, shipment, 'stop')),
          says=_STOPPED,
          times=self._machines,
          excuse=Command(
            what=f'look whether the machines of {request.name} are gone',
            argv=request.state(),
            unless='^ACTIVE$',
          ),
          advice='Machines that are there are kept, and cost: stop it again, '
          'or give them back whatever is lost, with '
          f'`{shlex.join(request.delete(with_machines=True))}`.',
        ),
        Command(
          what=f'give the machines of {request.name} back; they cost no more',
          argv=request.delete(with_machines=True),
        ),
      )
    ]

  def wait(self, shipment: Shipment) -> list[Command]:
    """Returns what comes back when the tasks have ended, or fails."""
    return [
      Command(
        what=f'wait for the end of {request.name}',
        argv=request.ssh(_script(task, shipment, 'status')),
        until=r'has ended\.',
        unless=r'with status (\d+)',
        lost=r'does not run\.',
        says=rf'{_STOPPED}|runs\.',
        times=self._machines,
        every_seconds=60.0,
        again=True,
        advice=f'Where the slice was taken away or has restarted: {_RERUN}',
      )
      for request, task in self._requests(shipment)
    ]

  @property
  def _machines(self) -> int:
    """How many machines each task has."""
    each = Slice(accelerator_type=self.accelerator_type)
    return self.slices * each.machines

  def _requests(self, shipment: Shipment) -> list[tuple[QueuedResource, Task]]:
    """Returns each task with the queued resource that it runs on."""
    return [
      (QueuedResource(name=name, project=self.project, zone=self.zone), task)
      for name, task in machine.named(shipment)
    ]

  def _ask(self, request: QueuedResource) -> list[Command]:
    """Returns what asks for slices, unless they are there."""
    each = Slice(accelerator_type=self.accelerator_type)
    options = [
      f'--accelerator-type={self.accelerator_type}',
      f'--runtime-version={self.runtime_version or each.runtime_version}',
    ]
    if self.capacity != 'on_demand':
      options += [f'--{self.capacity}']
    if self.service_account:
      options += [f'--service-account={self.service_account}']
    return [
      Command(
        what=f'forget {request.name} if its machines were taken away; else '
        'this fails',
        argv=request.delete(with_machines=False),
        may_fail=True,
      ),
      Command(
        what=f'ask for {self.slices} x {self.accelerator_type} '
        f'({each.chips} chips on {each.machines} machines) as {request.name}; '
        'fails if they are there',
        argv=request.create(slices=self.slices, options=options),
        may_fail=True,
      ),
    ]


def _begin(
  request: QueuedResource, task: Task, shipment: Shipment, machines: int
) -> list[Command]:
  """Returns what waits for slices, ships a task to them, and starts it."""
  name = request.name
  shipped = CODE, task.file, f'{task.name}.sh'
  return [
    Command(
      what=f'wait until {name} has its machines',
      argv=request.state(),
      until='^ACTIVE$',
      unless='FAILED',
      lost='SUSPEND',
      every_seconds=30.0,
      advice=f'If it could not be asked for, the reason is above; {_RERUN}',
    ),
    Command(
      what=f'make a folder on each machine of {name}',
      argv=request.ssh(f'mkdir -p {_folder(shipment)}'),
      again=True,
      advice=f'Machines that have just begun may refuse ssh; {_RERUN}',
    ),
    Command(
      what=f'copy code, run and script to each machine of {name}',
      argv=request.copy(
        [str(shipment.folder / file) for file in shipped], _folder(shipment)
      ),
      again=True,
      advice=_RERUN,
    ),
    # Two calls, so that no process waits for a machine that still installs.
    # gcloud passes over machines that it does not reach, and so each says it.
    *(
      Command(
        what=what,
        argv=request.ssh(_script(task, shipment, verb)),
        says=says,
        times=machines,
        again=True,
        advice=_RERUN,
      )
      for verb, says, what in (
        ('set_up', r'is set up\.', f'set up each machine of {name}'),
        (
          'start',
          r'has started\.|runs already\.',
          f'start the run on each machine of {name}',
        ),
      )
    ),
  ]


def _folder(shipment: Shipment) -> str:
  """Returns the job's folder, in the home folder of the machines' user."""
  return f'gemb-jobs/{shipment.name}'


def _script(task: Task, shipment: Shipment, verb: str) -> str:
  """Returns what a machine's shell runs; names have no letter to be quoted."""
  return f'bash {_folder(shipment)}/{task.name}.sh {verb}'
