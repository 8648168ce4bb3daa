"""The points of a sweep as the tasks of one job, on other machines."""

import pathlib
import tempfile
from collections.abc import Sequence

from gemb import config
from gemb.launch.config import Job
from gemb.launch.job import launch_tasks
from gemb.launch.place import Task
from gemb.sweep.family import Family, open_family
from gemb.sweep.record import Record, read_record
from gemb.sweep.resolving import Changes
from gemb.sweep.sweeping import write_points


def launch_points(
  family: Family,
  points: Sequence[Changes],
  given: str,
  job: Job,
  text: str,
  folder: pathlib.Path,
) -> None:
  """Launches the points that have not ended.

  What the machines train lies in Job.workdir, or in the sweep's own folder,
  which they then share.

  Args:
    family: whose points they are.
    points: resolved.
    given: the sweep's file.
    job: whose run they are made from.
    text: the gin program of it.
    folder: of the job.

  Raises:
    ValueError: if all have ended, or the job cannot be launched.
    OSError: if a program is not installed.
    RuntimeError: if a command fails.
  """
  record = Record(given=given, points=read_record(family.root).points)
  runs = write_points(family, points, record)
  names = [
    name for name, run in runs.items() if not family.has_ended(name, run)
  ]
  if not names:
    raise ValueError(f'All {len(runs)} points have ended; nothing is launched.')
  tasks = _tasks(family, names, job.workdir or str(family.root))
  launch_tasks(job, text, tasks, folder)


def show_launch(
  root: pathlib.Path,
  points: Sequence[Changes],
  job: Job,
  program: str,
  text: str,
  folder: pathlib.Path,
) -> None:
  """Prints what would be launched; writes nothing.

  Args:
    root: folder of the sweep.
    points: resolved.
    job: whose run they are made from.
    program: the gin program of the run.
    text: that of the job.
    folder: of the job.

  Raises:
    ValueError: if the job cannot be launched.
  """
  with tempfile.TemporaryDirectory() as elsewhere:
    family = open_family(pathlib.Path(elsewhere), job.run, program)
    names = list(write_points(family, points, Record()))
    tasks = _tasks(family, names, job.workdir or str(root.absolute()))
    launch_tasks(job, text, tasks, folder, dry_run=True)


def _tasks(family: Family, names: Sequence[str], root: str) -> list[Task]:
  return [
    Task(
      name=pathlib.PurePath(name).name,
      program=config.load(family.files(name))[1],
      workdir=f'{root}/{name}',
    )
    for name in names
  ]
