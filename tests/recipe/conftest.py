"""What the tests of tools/recipe have in common."""

import importlib
import json
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def tools(monkeypatch):
  """Returns a function: the name of a tool's module -> the module."""
  monkeypatch.syspath_prepend(str(ROOT / 'tools'))
  return importlib.import_module


@pytest.fixture(scope='session')
def write_rows():
  """Returns a function that writes a file as a stage of curation leaves it."""

  def write(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [{'about': {}}, *rows]
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines))

  return write
