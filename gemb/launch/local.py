"""This machine: a supervisor in the background, of one process or of several.

Several are a rehearsal of a pod: they meet, compute on one mesh of simulated
CPU devices, and save together, as the hosts of a slice do.
"""

import dataclasses
import functools
import pathlib
import sys
from typing import ClassVar

from gemb.launch import background
from gemb.launch.command import Command
from gemb.launch.place import Place, Shipment


@dataclasses.dataclass(frozen=True, kw_only=True)
class Local(Place):
  """Processes of this machine, which run the code that is here.

  Attributes:
    processes: that train together.
    devices: simulated CPU devices of each; None: the devices that JAX finds.
  """

  processes: int = 1
  devices: int | None = None

  ships_code: ClassVar[bool] = False
  takes_secrets: ClassVar[bool] = False
  takes_tasks: ClassVar[bool] = False

  def __post_init__(self):
    for name in ('processes', 'devices'):
      value = getattr(self, name)
      if value is not None and value < 1:
        raise ValueError(f'Local.{name} is {value}; it must be at least 1.')
    if self.processes > 1 and self.devices is None:
      raise ValueError(
        f'Local.processes is {self.processes} and Local.devices None: the '
        'processes cannot share the devices of this machine. Give '
        'Local.devices, the number of simulated CPU devices that each has.'
      )

  def default_workdir(self, folder: pathlib.Path) -> str:
    """Returns a folder in the job's own."""
    return str(folder / 'run')

  def start(self, shipment: Shipment) -> list[Command]:
    """Returns what starts the supervisor.

    Raises:
      ValueError: if it runs already.
    """
    background.check_free(shipment.folder)
    task = shipment.tasks[0]
    flags = [f'--processes={self.processes}']
    flags += [f'--devices={self.devices}'] if self.devices else []
    file = str(shipment.folder / task.file)
    return [
      self._command(
        shipment,
        'start',
        *('--', *flags, *shipment.supervise_options(task, gin_file=file)),
        what='start the run in the background',
      )
    ]

  def wait(self, shipment: Shipment) -> list[Command]:
    """Returns what prints the log until the run has ended."""
    what = 'follow its log; Ctrl-C stops the run, which saves'
    command = self._command(shipment, 'wait', what=what)
    ended = functools.partial(background.describe, shipment.folder)
    return [dataclasses.replace(command, ended=ended)]

  def status(self, shipment: Shipment) -> list[Command]:
    """Returns what prints whether it runs, which start it is, and the step."""
    workdir = f'--workdir={shipment.tasks[0].workdir}'
    return [self._command(shipment, 'status', workdir, what='look how it goes')]

  def logs(self, shipment: Shipment) -> list[Command]:
    """Returns what prints the end of its log."""
    log = str(background.log(shipment.folder))
    argv = 'tail', '--lines=50', log
    return [Command(what='print the end of its log', argv=argv)]

  def stop(self, shipment: Shipment) -> list[Command]:
    """Returns what asks it to stop, and waits until it has saved."""
    what = 'stop it when it has saved'
    return [self._command(shipment, 'stop', what=what)]

  def _command(self, shipment: Shipment, *words: str, what: str) -> Command:
    action, *options = words
    variables = [f'{name}={x}' for name, x in shipment.environment.items()]
    return Command(
      what=what,
      argv=(
        *(['env', *variables] if variables and action == 'start' else []),
        *(sys.executable, '-m', 'gemb.launch.background', action),
        f'--folder={shipment.folder}',
        *options,
      ),
    )
