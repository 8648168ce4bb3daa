"""Every config resolves: what is never run rots."""

import pathlib
import re

import gin
import pytest

from gemb import config
from gemb.run import Run

REPOSITORY = pathlib.Path(__file__).parents[1]
CONFIGS = REPOSITORY / 'configs'
RUNS = sorted((CONFIGS / 'run').glob('*.gin'))
FRAGMENTS = sorted(
  path for path in CONFIGS.glob('*/*.gin') if path.parent.name != 'run'
)
# Included by no run; resolves in place of another fragment of its folder.
INSTEAD_OF = {'sharding/fsdp.gin': 'sharding/data.gin'}


def name(path):
  return path.relative_to(CONFIGS).as_posix()


def included(text):
  return re.findall(r"^include 'configs/(.*)'$", text, re.MULTILINE)


def test_there_are_runs_and_fragments():
  assert RUNS and FRAGMENTS


@pytest.mark.parametrize('path', RUNS, ids=name)
def test_every_run_resolves_and_its_operative_text_to_the_same(path, tmp_path):
  run, text = config.load([str(path)])
  assert isinstance(run, Run)
  (tmp_path / 'config.gin').write_text(text)
  again, same_text = config.load([str(tmp_path / 'config.gin')])
  assert again == run
  assert same_text == text


@pytest.mark.parametrize('path', FRAGMENTS, ids=name)
def test_every_fragment_is_part_of_a_run_or_of_a_variant(path, tmp_path):
  if name(path) not in INSTEAD_OF:
    assert any(name(path) in included(run.read_text()) for run in RUNS)
    return
  usual = INSTEAD_OF[name(path)]
  for run in RUNS:
    text = run.read_text()
    if usual not in included(text):
      continue
    variant = tmp_path / run.name
    variant.write_text(
      text.replace(f'configs/{usual}', f'configs/{name(path)}')
    )
    assert config.load([str(variant)])[0] != config.load([str(run)])[0]


@pytest.mark.parametrize('path', RUNS, ids=name)
def test_gin_itself_builds_the_same_run(path, monkeypatch):
  monkeypatch.chdir(REPOSITORY)
  try:
    gin.parse_config_file(str(path))
    built = gin.get_configurable(Run)()
  finally:
    gin.clear_config(clear_constants=True)
  assert built == config.load([str(path)])[0]
