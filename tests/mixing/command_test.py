"""gemb rates and gemb search, through the command line."""

import json

import pytest

from gemb import main
from gemb.data import locks


@pytest.fixture
def run(tiny_gin, tmp_path, capsys):
  """Runs a command on the tiny run; returns status, output and complaint."""

  def start(name, *arguments):
    folder = f'--workdir={tmp_path / name}'
    status = main.main([name, f'--gin_file={tiny_gin}', folder, *arguments])
    return status, *capsys.readouterr()

  return start


@pytest.fixture
def given(two_tasks):
  return [f'--gin.{binding}' for binding in two_tasks]


@pytest.mark.usefixtures('tiny_run')
def test_rates_are_measured_on_the_small_run(run, tmp_path):
  status, said, _ = run('rates', '--gin.Run.steps=4')
  assert status == 0
  assert 'golden_pairs: 95% of the fall from ' in said
  assert "has the rates {'golden_pairs': 1000}" in said
  folder = tmp_path / 'rates'
  found = json.loads((folder / 'rates.json').read_text())['golden_pairs']
  assert found['of_steps'] == 4
  assert found['first_loss'] > found['last_loss']
  assert (folder / 'golden_pairs' / 'checkpoints' / '4').is_dir()


@pytest.mark.usefixtures('trained')
def test_a_search_writes_the_best_mixture(run, given, tmp_path):
  small = ['--points=2', '--trials=1', '--metric=bitext/accuracy@8']
  status, said, _ = run('search', *given, *small)
  assert status == 0
  assert ', given: a 750, b 250: 1.1500\n' in said
  found = json.loads((tmp_path / 'search' / 'search.json').read_text())
  assert len(found['points']) == 4
  shares = [row['mixture']['a'] for row in found['points']]
  assert shares == sorted(shares, reverse=True)  # what the trainer likes
  assert f"'a': {shares[0]}.0" in (tmp_path / 'search/best.gin').read_text()
  for row in found['points']:
    assert (tmp_path / 'search' / 'points' / row['name']).is_dir()


def test_a_search_that_has_ended_trains_nothing(run, given, trained):
  small = ['--points=1', '--trials=1']
  assert run('search', *given, *small)[0] == 0
  assert len(trained) == 3
  status, said, _ = run('search', *given, *small)
  assert (status, len(trained)) == (0, 3)
  assert said.count(', tried before\n') == 3


@pytest.mark.parametrize(
  ('arguments', 'said'),
  [
    (['--metric=bitext/accuracy@3'], "--metric names ['bitext/accuracy@3']"),
    (['--points=-1'], '--points is -1; it must not be negative'),
  ],
)
def test_what_is_wrong_is_told_before_anything_is_written(
  run, given, tmp_path, arguments, said
):
  status, _, error = run('search', *given, *arguments)
  assert status == 2
  assert said in error
  assert not (tmp_path / 'search').exists()


@pytest.mark.parametrize('name', ['rates', 'search'])
def test_a_folder_in_which_another_process_is_at_work_is_refused(
  run, given, trained, tmp_path, name
):
  folder = tmp_path / name
  folder.mkdir()
  with locks.hold(folder / '.lock'):
    status, _, error = run(name, *given)
  assert status == 2
  assert 'by another process' in error
  assert trained == [] and not (folder / 'base.gin').exists()


def test_a_run_of_one_task_is_not_searched(run):
  status, _, error = run('search')
  assert status == 2
  assert "has ['golden_pairs'] alone" in error


def test_a_run_without_evaluation_needs_a_metric(run, given):
  status, _, error = run(
    'search', *given, '--gin.CheckpointConfig.best_metric=""'
  )
  assert status == 2
  assert 'which no evaluation of the run gives' in error
