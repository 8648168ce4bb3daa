"""A job's folder: written at the launch, and read to look after the job.

tasks/       the gin program of each task's Run, which travels
*            what the place writes: scripts
code.tar.gz  the code of the commit, where the place ships it
job.json     its name and commit, and the work folder of each task
job.gin      the gin program of the Job; written last, when all else is there
stopped      it was stopped, and not launched since
"""

import dataclasses
import functools
import json
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Literal

from gemb import config, files, stopping
from gemb.launch import code
from gemb.launch.command import Command, run_all
from gemb.launch.config import Job, check_name
from gemb.launch.place import STOPPED, Shipment, Task

Action = Literal['wait', 'status', 'logs', 'stop']


def launch(
  gin_files: Sequence[str],
  bindings: Sequence[str],
  folder: pathlib.Path,
  *,
  dry_run: bool = False,
  wait: bool = False,
) -> None:
  """Launches the one run of a job, or lets it go on.

  Args:
    gin_files: that describe a Job.
    bindings: of the command line.
    folder: of the job.
    dry_run: print what would be written and run instead.
    wait: come back when it has ended.

  Raises:
    ValueError: if they describe no job, or it cannot be launched.
    OSError: if a program is not installed.
    stopping.Failed: if a command fails.
    stopping.Stopped: if the run that was waited for was asked to stop.
  """
  job, text = config.load(gin_files, bindings, root='Job')
  _, program = config.load(gin_files, bindings, root='Job', program_of='Run')
  folder = folder.absolute()
  workdir = job.workdir or job.place.default_workdir(folder)
  if not job.place.ships_code:  # it is a folder of this machine
    workdir = os.path.abspath(workdir)
  task = Task(name=name_of(job, folder), program=program, workdir=workdir)
  launch_tasks(job, text, [task], folder, dry_run=dry_run, wait=wait)


def launch_tasks(
  job: Job,
  text: str,
  tasks: Sequence[Task],
  folder: pathlib.Path,
  *,
  dry_run: bool = False,
  wait: bool = False,
) -> None:
  """Launches the tasks of a job, as those of a sweep, or lets them go on.

  Args:
    job: whose run they vary.
    text: the gin program of the job.
    tasks: at least one.
    folder: of the job.
    dry_run: print what would be written and run instead.
    wait: come back when they have ended.

  Raises:
    as `launch` does.
  """
  _check_place(job, tasks)
  folder = folder.absolute()
  before = _find(job, text, tasks, folder)
  name = name_of(job, folder)
  commit = before.commit if before else _commit(job, dry_run=dry_run)
  shipment = _shipment(job, name, tasks, folder, commit)
  commands = job.place.start(shipment)
  commands += job.place.wait(shipment) if wait else []
  travels = {task.file: task.program for task in tasks}
  travels |= job.place.files(shipment)
  if dry_run:
    for name, content in travels.items():
      print(f'# The file {shipment.folder / name}:\n{content}')
  else:
    _write(shipment, travels)
  if job.place.ships_code:
    _pack(shipment, before, dry_run=dry_run)
  if not dry_run:
    record = _record(shipment, before)
    _write(shipment, {'job.json': record, 'job.gin': text})
    (folder / STOPPED).unlink(missing_ok=True)
  _wait(folder, commands, dry_run=dry_run)


def attend(
  action: Action, folder: pathlib.Path, *, dry_run: bool = False
) -> None:
  """Looks after a job that was launched.

  Args:
    action: a method of its place.
    folder: of the job.
    dry_run: print what would be run instead.

  Raises:
    FileNotFoundError: if no job was launched from there.
    ValueError: if its place does not know the action.
    OSError: if a program is not installed.
    stopping.Failed: if a command fails.
    stopping.Stopped: if the run that was waited for was asked to stop.
  """
  folder = folder.absolute()
  job, shipment = _read(folder)
  if action == 'stop' and not dry_run:
    (folder / STOPPED).touch()
  parts = [shipment]
  if job.place.own_machines:
    parts = [
      dataclasses.replace(shipment, tasks=(task,)) for task in shipment.tasks
    ]
  run = functools.partial(_wait, folder) if action == 'wait' else run_all
  failures = []
  for part in parts:
    try:
      run(getattr(job.place, action)(part), dry_run=dry_run)
    except stopping.Failed as failure:
      failures.append(failure)
  for failure in failures[:-1]:
    print(f'gemb: {failure}', file=sys.stderr)
  if failures:
    raise failures[-1]


def _wait(
  folder: pathlib.Path, commands: Sequence[Command], *, dry_run: bool
) -> None:
  """Runs what starts or awaits a job: one that is stopped is not lost."""
  try:
    run_all(commands, dry_run=dry_run)
  except stopping.Failed as failure:
    lost = failure.status == os.EX_TEMPFAIL
    if lost and (folder / STOPPED).is_file():
      raise stopping.Stopped(
        f'The job of {folder} was stopped by `gemb launch stop`.'
      ) from failure
    raise


def name_of(job: Job, folder: pathlib.Path) -> str:
  """Returns the name of a job: its own, or that of its folder."""
  name = job.name or folder.name.replace('_', '-')
  check_name(name, 'The folder of --job names the job, which would be')
  return name


def _check_place(job: Job, tasks: Sequence[Task]) -> None:
  """Raises ValueError unless the place can have such a job."""
  place = type(job.place)
  if job.secrets and not place.takes_secrets:
    raise ValueError(
      f'{place.__name__} runs in the environment of this shell, and '
      f'Job.secrets names {sorted(job.secrets)}; export them before the '
      'launch, and leave Job.secrets empty.'
    )
  if len(tasks) > 1 and not place.takes_tasks:
    raise ValueError(
      f'{place.__name__} runs one task, and there are {len(tasks)}; leave the '
      'launch file away, and `gemb sweep` runs them here one after another.'
    )


def _commit(job: Job, *, dry_run: bool) -> str:
  """Returns the commit that a new job ships; '': its place ships none."""
  if not job.place.ships_code:
    return ''
  commit = code.find_commit(job.commit)
  try:
    code.check_clean(job.commit)
  except ValueError as error:
    if not dry_run:
      raise
    print(f'# A launch would be refused as things are: {error}\n')
  return commit


def _pack(
  shipment: Shipment, before: Shipment | None, *, dry_run: bool
) -> None:
  """Packs the code that travels; a job keeps what it was launched with."""
  if before and shipment.code.is_file():
    print(f'# it goes on with the code of commit {shipment.commit[:12]}')
    return
  run_all([code.archive(shipment)], dry_run=dry_run)
  if not dry_run:
    print(f'{shipment.code}: sha256 {code.checksum(shipment.code)}')


def _shipment(
  job: Job, name: str, tasks: Sequence[Task], folder: pathlib.Path, commit: str
) -> Shipment:
  services = vars(job.run.tracking)  # by their names, which are the extras'
  return Shipment(
    name=name,
    folder=folder,
    tasks=tuple(tasks),
    commit=commit,
    restarts=job.restarts,
    extras=tuple(name for name, value in services.items() if value),
    environment=job.environment,
    secrets=job.secrets,
  )


def _find(
  job: Job, text: str, tasks: Sequence[Task], folder: pathlib.Path
) -> Shipment | None:
  """Returns the job that the folder holds, if any, which goes on.

  Raises:
    ValueError: if it is another.
  """
  if not (folder / 'job.gin').is_file():
    return None
  was, before = _read(folder)
  advice = 'choose another --job for another job.'
  if was != job:
    old = (folder / 'job.gin').read_text(encoding='utf-8')
    here = [line for line in text.splitlines() if line not in old.splitlines()]
    raise ValueError(
      f'{folder} holds a job that differs from this one, which has '
      f'{"; ".join(here[:3]) or "less"}; {advice}'
    )
  workdirs = {task.name: task.workdir for task in before.tasks}
  for task in tasks:
    if task.workdir != (kept := workdirs.get(task.name, task.workdir)):
      raise ValueError(
        f'{folder} holds a job whose run is in {kept}, and this one would be '
        f'in {task.workdir}: give the same --workdir; {advice}'
      )
  return before


def _record(shipment: Shipment, before: Shipment | None) -> str:
  """Returns what job.json says, with the tasks of earlier launches."""
  tasks = (*shipment.tasks, *(before.tasks if before else ()))
  workdirs = {task.name: task.workdir for task in tasks}
  content = {
    'name': shipment.name,
    'commit': shipment.commit,
    'tasks': workdirs,
  }
  return json.dumps(content, indent=2) + '\n'


def _read(folder: pathlib.Path) -> tuple[Job, Shipment]:
  """Reads a job's folder."""
  program = folder / 'job.gin'
  if not program.is_file():
    raise FileNotFoundError(
      f'{folder} holds no job (no job.gin); give the --job of a `gemb launch`.'
    )
  job, _ = config.load([str(program)], root='Job')
  record = json.loads((folder / 'job.json').read_text(encoding='utf-8'))
  tasks = [
    Task(
      name=name,
      program=(folder / 'tasks' / f'{name}.gin').read_text(encoding='utf-8'),
      workdir=workdir,
    )
    for name, workdir in record['tasks'].items()
  ]
  return job, _shipment(job, record['name'], tasks, folder, record['commit'])


def _write(shipment: Shipment, contents: dict[str, str]) -> None:
  for name, content in contents.items():
    path = files.write_file(shipment.folder / name, content)
    if path.suffix == '.sh':
      path.chmod(0o755)
