"""gemb sweep, through the command line."""

import json

import jax
import pytest

from gemb import main
from gemb.data import locks

YAML = """
grid:
  OptimizerConfig.learning_rate: [1.0e-3, 1.0e-2]
"""
# Steps that were compiled before are not again.
COMPILED = (
  'jax_compilation_cache_dir',
  'jax_persistent_cache_min_compile_time_secs',
  'jax_persistent_cache_min_entry_size_bytes',
)
# Two steps: what takes long is to begin.
SHORT = ('Run.steps=2', 'OptimizerConfig.warmup_steps=1')


@pytest.fixture
def run(tiny_gin, tmp_path, capsys):
  """Runs the command on the tiny run; returns status, output, complaint."""
  (tmp_path / 'rates.yaml').write_text(YAML)

  def start(*arguments):
    given = [
      f'--gin_file={tiny_gin}',
      f'--sweep={tmp_path / "rates.yaml"}',
      f'--workdir={tmp_path / "sweep"}',
    ]
    if arguments[:1] == ('show',):
      given = given[2:]
    status = main.main(['sweep', *arguments, *given])
    return status, *capsys.readouterr()

  return start


@pytest.fixture
def tokenizer(golden_model):
  return f"--gin.TokenizerConfig.path='{golden_model}'"


@pytest.mark.usefixtures('tiny_run')
def test_a_sweep_of_two_points_runs_and_shows_its_table(
  run, tmp_path, monkeypatch
):
  for name in COMPILED:
    monkeypatch.setenv(name.upper(), str(getattr(jax.config, name)))
  short = [f'--gin.{binding}' for binding in SHORT]
  status, said, error = run('--parallel=2', *short)
  assert (status, error) == (0, '')
  assert '1 of 2, ' in said and ' ended in ' in said
  assert '| bitext/accuracy@16 |' in said
  folder = tmp_path / 'sweep'
  assert (folder / 'table.svg').read_text().startswith('<svg')
  names = [path.name for path in (folder / 'points').iterdir()]
  assert len(names) == 2
  for name in names:
    assert (folder / 'points' / name / 'checkpoints' / '2').is_dir()
    assert 'step 2/2' in (folder / 'points' / name / 'log.txt').read_text()
  status, again, _ = run(*short)
  assert again.count('has ended before.') == 2
  table = said[said.index('| point') :]
  assert again.endswith(table)
  elsewhere = f'--csv={tmp_path}/x.csv', f'--plots={tmp_path}/plots'
  status, shown, _ = run('show', '--metric=bitext/accuracy@8', *elsewhere)
  assert status == 0
  assert shown.startswith('| point ') and 'accuracy@16' not in shown
  assert (tmp_path / 'x.csv').read_text().count('\n') == 3
  assert (tmp_path / 'plots' / 'table.svg').is_file()


@pytest.mark.usefixtures('quick')
def test_points_that_fail_are_named_at_the_end(run, tokenizer, tmp_path):
  (tmp_path / 'rates.yaml').write_text(f'{YAML}  Run.seed: [0, 13]\n')
  status, said, error = run(tokenizer)
  assert status == 2
  assert error.startswith('gemb: 2 of 4 points have failed: points/')
  assert '(it is the 13th.)' in error
  assert said.count('| failed: it is the 13th. |') == 2
  content = json.loads((tmp_path / 'sweep' / 'sweep.json').read_text())
  assert len(content['points']) == 4


@pytest.mark.usefixtures('quick')
def test_a_search_shows_its_table(run, tokenizer, tmp_path):
  (tmp_path / 'rates.yaml').write_text("""
search:
  metric: bitext/accuracy@16
  trials: 2
  axes: {OptimizerConfig.learning_rate: {log_uniform: [1.0e-4, 1.0e-1]}}
""")
  status, said, error = run(tokenizer)
  assert (status, error) == (0, '')
  assert 'trial 2: OptimizerConfig.learning_rate=' in said
  assert len(list((tmp_path / 'sweep' / 'points').iterdir())) == 2
  status, said, error = run(tokenizer, f'--job={tmp_path}/job')
  assert status == 2 and 'is a search, whose points depend on' in error


def test_a_dry_run_tells_the_points_and_writes_nothing(run, tmp_path):
  status, said, _ = run('--dry_run')
  assert status == 0
  assert said == (
    '1 of 2: OptimizerConfig.learning_rate=0.001\n'
    '2 of 2: OptimizerConfig.learning_rate=0.01\n'
  )
  assert not (tmp_path / 'sweep').exists()


def test_a_wrong_point_is_told_before_anything_is_written(run, tmp_path):
  text = YAML.replace('learning_rate', 'learning_rat')
  (tmp_path / 'rates.yaml').write_text(text)
  status, _, error = run()
  assert status == 2
  assert 'rates.yaml: point 1 of 2 (' in error
  assert 'did you mean learning_rate?' in error
  assert not (tmp_path / 'sweep').exists()


def test_a_second_sweep_in_a_folder_is_refused(run, tokenizer, tmp_path):
  folder = tmp_path / 'sweep'
  folder.mkdir()
  with locks.hold(folder / '.lock'):
    status, _, error = run(tokenizer)
  assert status == 2
  assert 'is being swept by another process' in error


@pytest.mark.parametrize(
  ('arguments', 'said'),
  [
    (['--retries=-1'], '--retries is -1; it must not be negative.'),
    (['--workdir=other'], '--workdir is given 2 times'),
    (['show', '--gin.Run.steps=2'], '`gemb sweep show` takes --workdir'),
    (['show', '--retries=2'], '`gemb sweep show` takes --workdir'),
    (['show', '--job=jobs/x'], '`gemb sweep show` takes --workdir'),
    (['show'], 'holds no sweep (no base.gin)'),
    (['--metric=bitext/acuracy'], 'did you mean bitext/accuracy'),
    (['--job=jobs/x'], 'name one of configs/launch'),
    (
      ['--gin_file=configs/launch/slurm.gin'],
      'for `gemb sweep --job`; leave it out here',
    ),
  ],
)
def test_options_that_do_not_fit_are_refused(run, tmp_path, arguments, said):
  status, _, error = run(*arguments)
  assert status == 2
  assert said in error
  assert not (tmp_path / 'sweep').exists()


@pytest.mark.usefixtures('quick')
def test_points_that_fail_are_named_where_no_table_can_be_written(
  run, tokenizer, tmp_path
):
  (tmp_path / 'rates.yaml').write_text(f'{YAML}  Run.seed: [13]\n')
  (tmp_path / 'x.csv').mkdir()
  status, _, error = run(tokenizer, f'--csv={tmp_path}/x.csv')
  assert status == 2
  assert error.startswith('gemb: 2 of 2 points have failed: ')


@pytest.mark.usefixtures('quick')
def test_a_sweep_of_runs_without_evaluation_shows_their_states(run, tokenizer):
  status, said, error = run(
    tokenizer,
    '--gin.EvalConfig.bitext=()',
    '--gin.EvalConfig.retrieval=()',
    "--gin.CheckpointConfig.best_metric=''",
  )
  assert (status, error) == (0, '')
  assert said.count('| ended |') == 2 and 'Nothing is plotted' in said


def test_a_sweep_needs_its_file(tmp_path, capsys):
  assert main.main(['sweep', f'--workdir={tmp_path}']) == 2
  assert 'A sweep needs --gin_file' in capsys.readouterr().err
