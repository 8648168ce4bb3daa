"""Beam's direct runner, in the environment that Beam has for itself."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from gemb.data.caching.merging import complete_job
from gemb.data.caching.workers import make_shards
from gemb.data.records import Records

ROOT = pathlib.Path(__file__).parents[3]
VENV = pathlib.Path(os.environ.get('GEMB_VENV', ROOT / '.venv'))
PYTHON = VENV.with_name(f'{VENV.name}-beam') / 'bin' / 'python'

needs_beam = pytest.mark.skipif(
  not PYTHON.is_file(), reason='tools/setup beam has not been run'
)


def beam(data_folder, *options):
  return subprocess.run(
    [PYTHON, '-m', 'gemb.data.caching.beam', *options],
    env={**os.environ, 'GEMB_DATA': str(data_folder)},
    capture_output=True,
    text=True,
    cwd=data_folder.parent,
  )


@needs_beam
def test_beam_makes_what_gemb_cache_makes(
  prepare, data_folder, tmp_path, monkeypatch
):
  (job,) = prepare(examples=50)
  other = shutil.copytree(data_folder, tmp_path / 'other')
  make_shards([job], processes=1)
  complete_job(job)
  done = beam(other)
  assert done.returncode == 0, done.stderr
  assert 'golden_pairs: 298 examples, 2 dropped' in done.stdout
  manifest = Records(job.spec).manifest
  monkeypatch.setenv('GEMB_DATA', str(other))
  beams = Records(job.spec).manifest
  for key in 'content', 'lengths_content', 'shards', 'dropped', 'tokens':
    assert beams[key] == manifest[key]
  nothing = beam(other)
  assert nothing.returncode == 2
  assert nothing.stderr.splitlines()[-1] == (
    f'gemb.data.caching.beam: Nothing is prepared in {other}; run `gemb cache '
    '--prepare` with a --gin_file first, or set GEMB_DATA to another data '
    'folder.'
  )


def test_beam_is_imported_nowhere_else():
  show = (
    "import sys, gemb.data.caching.workers\nprint('apache_beam' in sys.modules)"
  )
  command = [sys.executable, '-c', show]
  done = subprocess.run(command, capture_output=True, text=True, check=True)
  assert done.stdout == 'False\n'
