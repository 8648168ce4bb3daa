"""Where a job runs: what each kind of place has to tell, and what it is told.

A place makes no call itself. It returns the commands that do, so that a dry run
prints exactly what would be run.
"""

import abc
import dataclasses
import pathlib
from typing import ClassVar

from gemb.launch.command import Command

# In the folder of a job:
CODE = 'code.tar.gz'  # where it ships its code
STOPPED = 'stopped'  # after `gemb launch stop`, until it is launched again


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
  """One run of a job; a sweep's job has many.

  Attributes:
    name: of its file, tasks/NAME.gin in the job's folder: letters, digits and
      hyphens.
    program: the gin program of its Run, which is that file.
    workdir: of the run, on the machine where it runs.
  """

  name: str
  program: str
  workdir: str

  @property
  def file(self) -> str:
    """Path of the gin program within the job's folder."""
    return f'tasks/{self.name}.gin'

  def train(self, gin_file: str) -> tuple[str, ...]:
    """Returns the arguments of gemb that train it, or go on.

    Args:
      gin_file: where its program lies on the machine that trains.
    """
    return 'train', f'--gin_file={gin_file}', f'--workdir={self.workdir}'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shipment:
  """A job as its place is told of it: nothing is left to be looked up.

  Attributes:
    name: of the job, unique among those of its place.
    folder: of the job on this machine, absolute. It has job.gin, tasks/*.gin,
      code.tar.gz where the place ships code, and the place's own files.
    tasks: the runs, at least one.
    commit: of the code, in full; '' where the place ships none.
    restarts: how often a supervisor starts a task again, at most.
    extras: of gemb's package, which the runs need beside what all need.
    environment: variables of the runs.
    secrets: {variable: name of its value in Google's Secret Manager}.
  """

  name: str
  folder: pathlib.Path
  tasks: tuple[Task, ...]
  commit: str
  restarts: int
  extras: tuple[str, ...] = ()
  environment: dict[str, str] = dataclasses.field(default_factory=dict)
  secrets: dict[str, str] = dataclasses.field(default_factory=dict)

  @property
  def code(self) -> pathlib.Path:
    """The archive of the code."""
    return self.folder / CODE

  @property
  def code_folder(self) -> str:
    """The one folder in the archive, which has all the rest."""
    return f'gemb-{self.commit[:12]}'

  def supervise_options(self, task: Task, *, gin_file: str) -> tuple[str, ...]:
    """Returns the arguments of gemb.launch.supervise that train a task.

    Args:
      task: one of the job's.
      gin_file: where its program lies on the machine that trains.
    """
    return f'--restarts={self.restarts}', '--', *task.train(gin_file)

  def supervised(
    self, task: Task, *, gin_file: str, python: str
  ) -> tuple[str, ...]:
    """Returns the command that trains a task and starts it again when it dies.

    In the foreground; gemb.launch.background has the same in the background.

    Args:
      task: one of the job's.
      gin_file: where its program lies on the machine that trains.
      python: the interpreter there that has gemb.
    """
    supervise = python, '-m', 'gemb.launch.supervise'
    return *supervise, *self.supervise_options(task, gin_file=gin_file)


class Place(abc.ABC):
  """Machines of one kind; its subclasses are frozen dataclasses.

  Attributes:
    ships_code: whether machines get an archive of the commit; else they run
      the code that is here, and share the file system.
    takes_secrets: whether they read them from the Secret Manager; else they
      have the environment of this shell, and a job with secrets is refused.
    takes_tasks: whether a job may have several.
    own_machines: whether each has machines of its own, and is looked after
      whatever becomes of the others.
  """

  ships_code: ClassVar[bool] = True
  takes_secrets: ClassVar[bool] = True
  takes_tasks: ClassVar[bool] = True
  own_machines: ClassVar[bool] = False

  @property
  def all_devices(self) -> int | None:
    """How many devices JAX finds for a task in all; None: not known here."""
    return None

  def default_workdir(self, folder: pathlib.Path) -> str:
    """Returns the work folder of a run for which none is given.

    Args:
      folder: of the job on this machine, absolute.

    Raises:
      ValueError: if the machines share no folder with this one.
    """
    del folder
    raise ValueError(
      f'{type(self).__name__} has no folder of its own for checkpoints; give '
      '--workdir=DIR, which all machines of the job share.'
    )

  def files(self, shipment: Shipment) -> dict[str, str]:
    """Returns {name: content} of files in the job's folder; .sh are run."""
    del shipment
    return {}

  @abc.abstractmethod
  def start(self, shipment: Shipment) -> list[Command]:
    """Returns what starts all tasks, or lets them go on, and comes back.

    Raises:
      ValueError: if this shipment cannot be started here.
    """

  @abc.abstractmethod
  def status(self, shipment: Shipment) -> list[Command]:
    """Returns what prints whether the tasks run."""

  @abc.abstractmethod
  def logs(self, shipment: Shipment) -> list[Command]:
    """Returns what prints the last lines that the tasks have printed."""

  @abc.abstractmethod
  def stop(self, shipment: Shipment) -> list[Command]:
    """Returns what stops the tasks, which save, and gives machines back."""

  def wait(self, shipment: Shipment) -> list[Command]:
    """Returns what comes back when the tasks have ended.

    Raises:
      ValueError: if this place has nothing of the kind.
    """
    del shipment
    raise ValueError(
      f'{type(self).__name__} cannot be waited for; look with `gemb launch '
      'status`.'
    )
