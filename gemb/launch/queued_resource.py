"""The calls of gcloud about one queued resource, as argument lists.

https://cloud.google.com/sdk/gcloud/reference/compute/tpus/queued-resources has
all of them; `tests/launch/tpu_vm_test.py` holds each flag against it.
"""

import dataclasses
from collections.abc import Sequence
from typing import Literal

Machines = Literal['all', '0']

Call = tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class QueuedResource:
  """A request for slices, and the machines that are granted.

  Attributes:
    name: of the request.
    project: of Google Cloud.
    zone: of the chips.
  """

  name: str
  project: str
  zone: str

  def create(self, *, slices: int, options: Sequence[str]) -> Call:
    """Returns what asks for slices.

    Args:
      slices: how many. Those of one request know of each other.
      options: of what kind, and on which terms.
    """
    nodes = [f'--node-id={self.name}']
    if slices > 1:
      nodes = [f'--node-count={slices}', f'--node-prefix={self.name}']
    return self._call('create', self.name, *options, *nodes)

  def delete(self, *, with_machines: bool) -> Call:
    """Returns what takes the request back.

    Args:
      with_machines: whether machines are given back too; without, the service
        refuses where there are any (`force` of its
        projects.locations.queuedResources.delete).
    """
    force = ['--force'] if with_machines else []
    return self._call('delete', self.name, *force)

  def state(self) -> Call:
    """Returns what prints the state: ACTIVE, SUSPENDED, ..."""
    return self._call('describe', self.name, '--format=value(state.state)')

  def ssh(self, command: str, machines: Machines = 'all') -> Call:
    """Returns what runs a shell command on all machines, or on the first."""
    where = f'--node={machines}', f'--worker={machines}'
    return self._call('ssh', self.name, *where, f'--command={command}')

  def copy(self, files: Sequence[str], folder: str) -> Call:
    """Returns what copies files into a folder of each machine."""
    target = f'{self.name}:{folder}/'
    return self._call('scp', *files, target, '--node=all', '--worker=all')

  def _call(self, verb: str, *arguments: str) -> Call:
    return (
      *('gcloud', 'compute', 'tpus', 'queued-resources', verb, *arguments),
      f'--project={self.project}',
      f'--zone={self.zone}',
      '--quiet',  # nobody would see a question
    )
