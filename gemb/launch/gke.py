"""GKE: a slice, or several, of a cluster that XPK has made.

Nothing here has been run on the service. The flags are those that `xpk workload
--help` prints (1.16.0, from the package index) and `kubectl logs --help`;
tests/launch/gke_test.py compares.

A pod whose machine is taken away ends its JobSet's round, and all pods begin
anew, `restarts` times at most. What ends otherwise the supervisor in each pod
starts again.
"""

import dataclasses
import pathlib
from typing import ClassVar

from gemb.launch import machine
from gemb.launch.command import Command
from gemb.launch.place import Place, Shipment
from gemb.launch.slices import Slice

_GRACE_SECONDS = 120  # for the checkpoint of a run that is asked to stop
_LAST_LINES = 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gke(Place):
  """An XPK workload for each task of a job.

  XPK adds the job's folder, with the archive of the code, to `image` and pushes
  that. A pod sets the environment up when it begins, which takes minutes; an
  image in which this has been done begins at once.

  Attributes:
    tpu_type: of a slice, such as 'v5litepod-16' or 'v5p-128'.
    cluster: that has such slices.
    project: of Google Cloud.
    zone: of the cluster.
    storage: XPK's name of what all pods mount (`xpk storage attach`): a bucket
      whose namespace is hierarchical, or Filestore.
    mount: where XPK mounts it, absolute; work folders and data are there.
    slices: how many, of one type.
    image: that has Python 3.11 to 3.13, and gcloud if the job has secrets.
    priority: among the cluster's workloads.
  """

  tpu_type: str
  cluster: str
  project: str
  zone: str
  storage: str
  mount: str = '/shared'
  slices: int = 1
  image: str = 'python:3.12'
  priority: str = 'medium'

  own_machines: ClassVar[bool] = True

  def __post_init__(self):
    Slice(accelerator_type=self.tpu_type)
    for field in ('cluster', 'project', 'zone', 'storage'):
      if not getattr(self, field):
        raise ValueError(
          f'Gke.{field} is empty; give it with --gin.Gke.{field}="\'NAME\'".'
        )
    if not self.mount.startswith('/'):
      raise ValueError(
        f'Gke.mount is {self.mount!r}; wanted is an absolute path, that of '
        '--mount-point of xpk storage attach.'
      )
    if self.slices < 1:
      raise ValueError(f'Gke.slices is {self.slices}; it must be at least 1.')
    priorities = ('very-low', 'low', 'medium', 'high', 'very-high')
    if self.priority not in priorities:
      raise ValueError(
        f'Gke.priority is {self.priority!r}; XPK knows {", ".join(priorities)}.'
      )

  @property
  def all_devices(self) -> int:
    """The chips of all slices of a task."""
    return self.slices * Slice(accelerator_type=self.tpu_type).chips

  def default_workdir(self, folder: pathlib.Path) -> str:
    """Returns a folder of the storage, as the pods see it."""
    return f'{self.mount}/runs/{folder.name}'

  def files(self, shipment: Shipment) -> dict[str, str]:
    """Returns the script of each task."""
    environment = {'GEMB_DATA': f'{self.mount}/data', **shipment.environment}
    shipment = dataclasses.replace(shipment, environment=environment)
    return {
      f'{task.name}.sh': machine.script(
        shipment, task, gin_file=task.file, project=self.project
      )
      for task in shipment.tasks
    }

  def start(self, shipment: Shipment) -> list[Command]:
    """Returns what creates the workloads.

    Raises:
      ValueError: if a task would write to the disk of one pod.
    """
    machine.check_shared(shipment, self.mount)
    return [
      Command(
        what=f'create the workload {name}: {self.slices} x {self.tpu_type}',
        argv=self._workload(
          'create',
          f'--workload={name}',
          f'--tpu-type={self.tpu_type}',
          f'--num-slices={self.slices}',
          f'--base-docker-image={self.image}',
          f'--script-dir={shipment.folder}',
          f'--storage={self.storage}',
          f'--priority={self.priority}',
          f'--max-restarts={shipment.restarts}',
          f'--termination-grace-period-seconds={_GRACE_SECONDS}',
          # XPK's shell passes SIGTERM to what it has started, not further.
          f'--command=exec bash {task.name}.sh run',
        ),
        advice='A workload of this name may be there: `gemb launch stop` '
        'deletes it, and keeps the checkpoints.',
      )
      for name, task in machine.named(shipment)
    ]

  def status(self, shipment: Shipment) -> list[Command]:
    """Returns what lists the workloads of the job."""
    return [
      Command(
        what=f'the workload {name}',
        argv=self._workload('list', f'--filter-by-job={name}'),
      )
      for name, _ in machine.named(shipment)
    ]

  def logs(self, shipment: Shipment) -> list[Command]:
    """Returns what prints the last lines of each pod."""
    return [
      Command(
        what=f'the last lines of each pod of {name}',
        argv=(
          *('kubectl', 'logs'),
          # XPK's own label.
          f'--selector=xpk.google.com/workload={name}',
          '--all-containers=true',
          '--prefix=true',
          f'--tail={_LAST_LINES}',
        ),
        advice='kubectl knows the cluster once `gemb launch status` has run.',
      )
      for name, _ in machine.named(shipment)
    ]

  def stop(self, shipment: Shipment) -> list[Command]:
    """Returns what deletes the workloads; their runs save first."""
    return [
      Command(
        what=f'delete the workload {name}, whose run saves first',
        argv=self._workload('delete', f'--workload={name}', '--quiet'),
      )
      for name, _ in machine.named(shipment)
    ]

  def wait(self, shipment: Shipment) -> list[Command]:
    """Returns what comes back when the workloads have ended."""
    return [
      Command(
        what=f'wait for the end of {name}',
        argv=self._workload('list', f'--wait-for-job-completion={name}'),
      )
      for name, _ in machine.named(shipment)
    ]

  def _workload(self, verb: str, *arguments: str) -> tuple[str, ...]:
    return (
      *('xpk', 'workload', verb, f'--cluster={self.cluster}'),
      f'--project={self.project}',
      f'--zone={self.zone}',
      *arguments,
    )
