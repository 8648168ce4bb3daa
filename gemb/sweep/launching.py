"""The points of a sweep as the tasks of one job, on other machines."""

import pathlib
from collections.abc import Sequence

from gemb.launch.config import Job
from gemb.launch.job import launch_tasks
from gemb.launch.place import Task
from gemb.sweep.family import Family
from gemb.sweep.record import Record
from gemb.sweep.resolving import Resolved
from gemb.sweep.sweeping import write_points


def launch_points(
  family: Family,
  points: Sequence[Resolved],
  given: str,
  job: Job,
  text: str,
  folder: pathlib.Path,
  *,
  dry_run: bool = False,
) -> None:
  """Launches the points that have not ended.

  What the machines train lies in Job.workdir, or in the sweep's own folder,
  which they then share.

  Args:
    family: whose points they are.
    points: of it.
    given: the sweep's file.
    job: whose run they are made from.
    text: the gin program of it.
    folder: of the job.
    dry_run: print what would be launched instead, and write nothing.

  Raises:
    ValueError: if all have ended, or the job cannot be launched.
    OSError: if a program is not installed.
    RuntimeError: if a command fails.
  """
  tasks = _tasks(family, points, job.workdir or str(family.root))
  if not tasks:
    raise ValueError(
      f'All {len(points)} points have ended; nothing is launched.'
    )
  if not dry_run:
    changes = [point.changes for point in points]
    write_points(family, changes, Record(given=given))
  launch_tasks(job, text, tasks, folder, dry_run=dry_run)


def _tasks(family: Family, points: Sequence[Resolved], root: str) -> list[Task]:
  names = [family.name_of(point.changes) for point in points]
  return [
    Task(
      name=pathlib.PurePath(name).name,
      program=point.program,
      workdir=f'{root}/{name}',
    )
    for name, point in zip(names, points, strict=True)
    if not family.has_ended(name, point.run)
  ]
