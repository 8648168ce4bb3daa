"""One process that runs the real library; the tests read what it found.

mteb, torch and their warnings stay out of this process, and the half minute
that their import takes is spent once.
"""

import importlib.util
import json
import pathlib

import pytest

_SCRIPT = pathlib.Path(__file__).with_name('golden_library.py')


@pytest.fixture(scope='session')
def library(once, start, golden_model, tiny_folder):
  """Returns what golden_library.py found."""
  if not importlib.util.find_spec('mteb'):
    pytest.skip("mteb is not installed: pip install -e '.[parity]'")
  sets = golden_model.parent / 'eval'

  def find(folder):
    with pytest.MonkeyPatch.context() as patch:
      # For arrays this small, threads only wait for one another.
      patch.setenv('OMP_NUM_THREADS', '1')
      process = start(_SCRIPT, golden_model, sets, tiny_folder / 'run', folder)
    _, errors = process.communicate()
    if process.returncode:
      pytest.fail(errors)

  return json.loads((once('library', find) / 'found.json').read_text())
