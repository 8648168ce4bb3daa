"""The quickstart, through the README's own command, on real data."""

import json
import pathlib
import subprocess
import sys

import pytest

REPOSITORY = pathlib.Path(__file__).parents[1]


def test_the_quickstart_runs_on_real_data(process_environment, tmp_path):
  """Four steps on one real corpus, and its evaluation on another."""
  if not (pathlib.Path(sys.prefix) / 'gemb-setup').is_file():
    pytest.skip('needs a .venv made by tools/setup; tools/test makes one')
  small = [
    "DataConfig.rates={'allauth_catalogues': 1.0}",
    "DataConfig.held_out=('rest_framework_catalogues',)",
    "EvalConfig.bitext=('rest_framework_catalogues',)",
    'EvalConfig.retrieval=()',
    'EvalConfig.max_candidates=50',
    'DataConfig.shapes=((32, 32),)',
    'DataConfig.batch_size=32',
    'OptimizerConfig.warmup_steps=2',
    'Run.microbatch=32',
    'Run.steps=4',
    'Run.log_every_steps=1',
  ]
  command = [REPOSITORY / 'tools' / 'quickstart', f'--workdir={tmp_path}/run']
  done = subprocess.run(
    [*map(str, command), *(f'--gin.{binding}' for binding in small)],
    env=process_environment(devices=1)
    | {'GEMB_DATA': str(tmp_path / 'data'), 'GEMB_VENV': sys.prefix},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  results = json.loads((tmp_path / 'run' / 'results.json').read_text())
  assert {row['system'] for row in results['rows']} == {
    'gemb',
    'untrained',
    'bm25',
  }
  assert (tmp_path / 'run' / 'report.html').stat().st_size > 10_000
