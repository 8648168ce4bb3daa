"""The tables of experiments/: every point resolves; what is made of them."""

import importlib.util
import pathlib
import statistics
import sys

import pytest

from gemb import config
from gemb.run import Run

REPOSITORY = pathlib.Path(__file__).parents[1]
EXPERIMENTS = REPOSITORY / 'experiments'
SWEEPS = sorted(path.parent.name for path in EXPERIMENTS.glob('*/sweep.py'))


def load(path):
  spec = importlib.util.spec_from_file_location(path.stem, path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


@pytest.fixture
def tool(monkeypatch):
  """tools/experiment.py, with its folder of runs and imports as it has them."""
  monkeypatch.chdir(REPOSITORY)
  monkeypatch.syspath_prepend(EXPERIMENTS)
  yield load(REPOSITORY / 'tools' / 'experiment.py')
  for name in ('miniature', 'decoder', 'negatives'):
    sys.modules.pop(name, None)


def test_there_are_tables():
  assert len(SWEEPS) >= 9


@pytest.mark.parametrize('name', SWEEPS)
def test_every_point_resolves_to_a_run_of_its_own(name, tool):
  import miniature

  points = tool.load_sweep(name).POINTS
  folders = {
    (miniature.folder(point, seed), point.untrained)
    for point in points.values()
    for seed in (0, 1)
  }
  assert len(folders) == 2 * len(points)
  for point in points.values():
    for file in point.files:
      assert pathlib.Path(file).is_file()


@pytest.mark.parametrize('name', SWEEPS)
def test_every_table_has_its_results_and_tells_of_them(name):
  folder = EXPERIMENTS / name
  assert (folder / 'results.json').is_file()
  assert (folder / 'plot.svg').read_text().startswith('<svg')
  readme = (folder / 'README.md').read_text()
  assert f'tools/experiment {name}' in readme
  assert 'plot.svg' in readme
  assert name in (EXPERIMENTS / 'README.md').read_text()


def test_another_binding_takes_the_place_of_one_of_its_name(tool):
  import miniature

  point = miniature.Point(bindings=('Run.steps=1', 'Run.seed=2'))
  assert point.but('Run.steps=3').bindings == ('Run.steps=3', 'Run.seed=2')


def test_the_parent_of_a_point_is_of_the_same_seed(tool):
  import miniature

  run, _ = miniature.load(miniature.FINETUNE, seed=1)
  assert isinstance(run, Run)
  parent = miniature.folder(miniature.PREFINETUNE, 1)
  assert pathlib.Path(run.parent.workdir) == parent
  assert parent != miniature.folder(miniature.PREFINETUNE, 0)


@pytest.fixture
def results(tool):
  """Two points, two seeds: 10 and 20 percent, 30 and 50."""

  def of_seed(share):
    metrics = [m for metrics in tool.GROUPS.values() for m in metrics]
    return {f'{metric}@256': share for metric in metrics}

  return tool.collect(
    {'one': [of_seed(0.1), of_seed(0.2)], 'two': [of_seed(0.3), of_seed(0.5)]},
    (256,),
  )


def test_a_table_has_means_and_deviations_over_seeds(tool, results):
  assert results['one'][256]['bitext'] == [10, 20]
  lines = tool.table(results).splitlines()
  assert lines[0].split('|')[2].strip() == 'bitext'
  spread = f'{statistics.stdev([10, 20]):.1f}'
  assert lines[2].count(f'15.0 ± {spread}') == len(tool.GROUPS) + 1


def test_a_plot_names_its_points(tool, results):
  svg = tool.plot('Which is better?', results).svg
  assert all(
    word in svg for word in ('Which is better?', 'one', 'two', 'bitext')
  )


def test_a_table_takes_its_place_in_a_page(tool):
  page = tool.with_table('# Title\n', 'old')
  assert page.startswith('# Title\n\n<!--')
  told = page + 'What it means.\n'
  again = tool.with_table(told, 'new')
  assert again == told.replace('old', 'new')


def test_an_unknown_table_is_refused_with_those_there_are(tool, capsys):
  with pytest.raises(SystemExit):
    tool.main(['05_patches'])
  assert '05_batches' in capsys.readouterr().err


def test_every_small_fragment_goes_behind_a_run():
  for run, small in (
    ('01_prefinetune', 'prefinetune'),
    ('02_finetune_task', 'finetune'),
    ('02_finetune_language', 'finetune'),
    ('02_finetune_code', 'finetune'),
  ):
    files = [f'configs/run/{run}.gin', f'configs/small/{small}.gin']
    usual, _ = config.load(files[:1])
    found, _ = config.load([*files, 'configs/run/04_evaluate.gin'])
    assert found.steps < usual.steps
    assert found.evaluation.classification
