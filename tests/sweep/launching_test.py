import pathlib

import pytest

from gemb import config
from gemb.launch import job as job_lib
from gemb.sweep import launching
from gemb.sweep.family import open_family, plan_family
from gemb.sweep.launching import launch_points
from gemb.sweep.reading import Sweep
from gemb.sweep.resolving import resolve

RATE = 'gemb.train.optimizer.OptimizerConfig.learning_rate'
POINTS = ({RATE: 0.1}, {RATE: 0.2})
SCORES = {'bitext/accuracy@16': 0.5}
SLURM = 'configs/launch/slurm.gin'


@pytest.fixture
def load(tiny_gin, golden_model):
  """Loads the tiny run as a job of SLURM's; more are bindings."""

  def load_job(*bindings):
    files = [tiny_gin, SLURM]
    given = [f"TokenizerConfig.path='{golden_model}'", *bindings]
    job, text = config.load(files, given, root='Job')
    _, program = config.load(files, given, root='Job', program_of='Run')
    return job, text, program

  return load_job


def resolved(job, program):
  sweep = Sweep(file='x.yaml', text='', points=POINTS)
  return resolve(sweep, job.run, program)


def test_points_are_the_tasks_of_one_job(load, tmp_path, monkeypatch, end):
  launched = []
  monkeypatch.setattr(
    launching, 'launch_tasks', lambda *a, dry_run: launched.append(a)
  )
  job, text, program = load()
  points, folder = resolved(job, program), tmp_path / 'job'
  with open_family(tmp_path / 'sweep', job.run, program) as family:
    launch_points(family, points, '', job, text, folder)
    ((_, _, tasks, where),) = launched
    assert where == folder
    for task, point in zip(tasks, points, strict=True):
      name = family.name_of(point.changes)
      assert task.workdir == str(family.root / name)
      assert task.name == pathlib.PurePath(name).name
      assert task.program == config.load(family.files(name))[1]
    end(family, f'points/{tasks[0].name}', SCORES)
    launch_points(family, points, '', job, text, folder)
    assert [task.workdir for task in launched[1][2]] == [tasks[1].workdir]
    end(family, f'points/{tasks[1].name}', SCORES)
    for dry_run in (False, True):
      with pytest.raises(ValueError, match='All 2 points have ended'):
        launch_points(family, points, '', job, text, folder, dry_run=dry_run)


def show(family, points, job, text, folder):
  launch_points(family, points, '', job, text, folder, dry_run=True)


def test_a_dry_run_prints_an_array_and_writes_nothing(load, tmp_path, capsys):
  job, text, program = load("Job.workdir='/shared'", "Job.name='rates'")
  folder = tmp_path / 'job'
  family = plan_family(tmp_path / 'sweep', job.run, program)
  show(family, resolved(job, program), job, text, folder)
  printed = capsys.readouterr().out
  assert '#SBATCH --array=0-1\n' in printed
  assert printed.count(' /shared/points/') + printed.count('(/shared/') == 2
  assert job_lib.name_of(job, folder) == 'rates'
  assert list(tmp_path.iterdir()) == []


def test_a_dry_run_prints_what_has_not_ended_alone(load, tmp_path, capsys, end):
  job, text, program = load()
  points = resolved(job, program)
  with open_family(tmp_path / 'sweep', job.run, program) as family:
    one, two = (family.name_of(point.changes) for point in points)
    family.begin(one, points[0].changes)
    end(family, one, SCORES)
  planned = plan_family(tmp_path / 'sweep', job.run, program)
  show(planned, points, job, text, tmp_path / 'job')
  printed = capsys.readouterr().out
  assert two in printed and one not in printed
  job, text, program = load('Run.seed=7')
  with pytest.raises(ValueError, match='was begun with another run'):
    plan_family(tmp_path / 'sweep', job.run, program)
