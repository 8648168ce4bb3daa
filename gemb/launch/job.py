"""A job's folder: written at the launch, and read to look after the job.

job.gin      the gin program of the Job
job.json     its name and commit, and the work folder of each task
tasks/       the gin program of each task's Run, which travels
code.tar.gz  the code of the commit, where the place ships it
*            what the place writes: scripts
"""

import json
import pathlib
from collections.abc import Sequence
from typing import Literal

from gemb import config, files
from gemb.launch import code
from gemb.launch.command import run_all
from gemb.launch.config import Job, check_name
from gemb.launch.place import Shipment, Task

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
    RuntimeError: if a command fails.
    stopping.Stopped: if the run that was waited for was asked to stop.
  """
  job, text = config.load(gin_files, bindings, root='Job')
  _, program = config.load(gin_files, bindings, root='Job', program_of='Run')
  folder = folder.absolute()
  task = Task(
    name=name_of(job, folder),
    program=program,
    workdir=job.workdir or job.place.default_workdir(folder),
  )
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
  shipment = _ship(job, tasks, folder.absolute(), dry_run=dry_run)
  _check_same(job, text, shipment)
  commands = job.place.start(shipment)
  commands += job.place.wait(shipment) if wait else []
  travels = {task.file: task.program for task in tasks}
  travels |= job.place.files(shipment)
  if dry_run:
    for name, content in travels.items():
      print(f'# The file {shipment.folder / name}:\n{content}')
  else:
    _write(shipment, {'job.gin': text, 'job.json': _record(shipment)} | travels)
  if job.place.ships_code:
    run_all([code.archive(shipment)], dry_run=dry_run)
    if not dry_run:
      print(f'{shipment.code}: sha256 {code.checksum(shipment.code)}')
  run_all(commands, dry_run=dry_run)


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
    RuntimeError: if a command fails.
    stopping.Stopped: if the run that was waited for was asked to stop.
  """
  job, shipment = _read(folder.absolute())
  run_all(getattr(job.place, action)(shipment), dry_run=dry_run)


def name_of(job: Job, folder: pathlib.Path) -> str:
  """Returns the name of a job: its own, or that of its folder."""
  name = job.name or folder.name
  check_name(name)
  return name


def _ship(
  job: Job, tasks: Sequence[Task], folder: pathlib.Path, *, dry_run: bool
) -> Shipment:
  """Returns what the place is told, once it is found to fit the place."""
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
  commit = ''
  if place.ships_code:
    commit = code.find_commit(job.commit)
    try:
      code.check_clean(job.commit)
    except ValueError as error:
      if not dry_run:
        raise
      print(f'# A launch would be refused as things are: {error}\n')
  return _shipment(job, name_of(job, folder), tasks, folder, commit)


def _shipment(
  job: Job, name: str, tasks: Sequence[Task], folder: pathlib.Path, commit: str
) -> Shipment:
  return Shipment(
    name=name,
    folder=folder,
    tasks=tuple(tasks),
    commit=commit,
    restarts=job.restarts,
    environment=job.environment,
    secrets=job.secrets,
  )


def _check_same(job: Job, text: str, shipment: Shipment) -> None:
  """Raises ValueError if the folder holds another job, or of other code."""
  if not (shipment.folder / 'job.gin').is_file():
    return
  was, before = _read(shipment.folder)
  advice = 'choose another --job for another job.'
  if was != job:
    old = (shipment.folder / 'job.gin').read_text(encoding='utf-8')
    here = [line for line in text.splitlines() if line not in old.splitlines()]
    raise ValueError(
      f'{shipment.folder} holds a job that differs from this one, which has '
      f'{"; ".join(here[:3]) or "less"}; {advice}'
    )
  if before.commit != shipment.commit:
    raise ValueError(
      f'{shipment.folder} holds a job of commit {before.commit[:12]}, and this '
      f'is one of {shipment.commit[:12]}. To go on with its code, give '
      f'--gin.Job.commit="\'{before.commit[:12]}\'" as well; {advice}'
    )


def _record(shipment: Shipment) -> str:
  """Returns what job.json says."""
  workdirs = {task.name: task.workdir for task in shipment.tasks}
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
