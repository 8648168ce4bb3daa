import pathlib

import pytest

from gemb import config
from gemb.launch import job as job_lib
from gemb.sweep import launching
from gemb.sweep.family import open_family
from gemb.sweep.launching import launch_points, show_launch

RATE = 'gemb.train.optimizer.OptimizerConfig.learning_rate'
POINTS = [{RATE: 0.1}, {RATE: 0.2}]
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


def test_points_are_the_tasks_of_one_job(load, tmp_path, monkeypatch, end):
  launched = []
  monkeypatch.setattr(launching, 'launch_tasks', lambda *a: launched.append(a))
  job, text, program = load()
  family = open_family(tmp_path / 'sweep', job.run, program)
  launch_points(family, POINTS, '', job, text, tmp_path / 'job')
  ((_, _, tasks, folder),) = launched
  assert folder == tmp_path / 'job'
  for task, point in zip(tasks, POINTS, strict=True):
    name = family.name_of(point)
    assert task.workdir == str(family.root / name)
    assert task.name == pathlib.PurePath(name).name
    (tmp_path / 'task.gin').write_text(task.program)
    run, _ = config.load([str(tmp_path / 'task.gin')])
    assert run == family.load(name)
  end(family, family.name_of(POINTS[0]), {'bitext/accuracy@16': 0.5})
  launch_points(family, POINTS, '', job, text, tmp_path / 'job')
  assert [task.workdir for task in launched[1][2]] == [tasks[1].workdir]
  end(family, family.name_of(POINTS[1]), {'bitext/accuracy@16': 0.5})
  with pytest.raises(ValueError, match='All 2 points have ended'):
    launch_points(family, POINTS, '', job, text, tmp_path / 'job')


def test_a_dry_run_prints_an_array_and_writes_nothing(load, tmp_path, capsys):
  job, text, program = load("Job.workdir='/shared'", "Job.name='rates'")
  folder = tmp_path / 'job'
  show_launch(tmp_path / 'sweep', POINTS, job, program, text, folder)
  printed = capsys.readouterr().out
  assert '#SBATCH --array=0-1\n' in printed
  assert printed.count(' /shared/points/') + printed.count('(/shared/') == 2
  assert job_lib.name_of(job, folder) == 'rates'
  assert list(tmp_path.iterdir()) == []
