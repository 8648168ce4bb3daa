"""tools/recipe runs what is not done, tells what fails, and can be killed."""

import functools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

from gemb import config

ROOT = pathlib.Path(__file__).parents[2]
CURATION = 'configs/curation/small.gin'
# Notes its command, and leaves what is in a folder of that name. The command
# that is named `slow` stays until it is ended.
GEMB = """#!/bin/sh
echo "$1" >> "$FAKE/calls"
ls -l /proc/self/fd > "$FAKE/descriptors"
for word; do
  case $word in --workdir=*) made=${word#*=} ;; esac
done
for word; do
  case $word in --folder=* | --output=*) made=${word#*=} ;; esac
done
if [ "$1" = "$(cat "$FAKE/slow")" ]; then
  trap 'echo ended >> "$FAKE/calls"; exit 143' TERM
  touch "$FAKE/started"
  while :; do sleep 0.02; done
fi
[ -d "$FAKE/$1" ] || exit 2
[ "$1" = cache ] || { mkdir -p "$made" && cp -r "$FAKE/$1/." "$made"; }
"""
ABOUT = {'devices': 1, 'device': 'cpu', 'commit': 'c0ffee', 'versions': {}}
MINED = {
  'id': '1',
  'language': 'en',
  'query': 'how <b>so</b>',
  'positive': {'text': 'so', 'similarity': 0.9, 'grade': 3, 'likelihood': -4},
  'candidates': [],
  'negatives': ['not so'],
}
RESULTS = {
  'rows': [
    {
      'system': system,
      'prefix': prefix,
      'task': 'bitext',
      'kind': 'bitext',
      'metrics': {'accuracy': 0.5},
      'by_language': {'de': 0.25, 'fr': 0.75},
    }
    for system in ('gemb', 'untrained', 'bm25')
    for prefix in ((None,) if system == 'bm25' else (64, 256))
  ]
}


class Fake:
  """A folder with a `gemb` that only leaves what it is told to."""

  def __init__(self, folder, write_rows):
    self.folder = folder
    self.workdir = folder / 'recipe'
    self.bin = folder / 'bin'
    curation, _ = config.load([CURATION], root='Curation')
    self.slow('nothing')
    for name in 'cache', 'train/checkpoints', 'soup/checkpoints', 'evaluate':
      (folder / name).mkdir(parents=True)
    (folder / 'train/about.json').write_text(json.dumps(ABOUT))
    (folder / 'evaluate/results.json').write_text(json.dumps(RESULTS))
    for task in curation.tasks:
      write_rows(folder / f'mine/{task}.mined.jsonl', MINED)
    self.bin.mkdir()
    (self.bin / 'gemb').write_text(GEMB)
    (self.bin / 'gemb').chmod(0o755)
    self.environment = os.environ | {
      'PATH': f'{self.bin}:{os.environ["PATH"]}',
      'FAKE': str(folder),
      'GEMB_DATA': str(folder / 'data'),
    }

  def slow(self, command):
    (self.folder / 'slow').write_text(command)

  @property
  def calls(self):
    """What was run since the last look."""
    path = self.folder / 'calls'
    calls = path.read_text().split() if path.is_file() else []
    path.unlink(missing_ok=True)
    return calls


_load = config.load


@functools.cache
def load_same(files, contents, bindings, root):
  return _load(files, bindings, root=root)


def load_once(files, bindings=(), *, root='Run'):
  """Spares most of the tests' time: a chain reads the same files often."""
  contents = [
    pathlib.Path(file).read_text()
    for file in files
    if pathlib.Path(file).is_absolute()
  ]
  return load_same(tuple(files), tuple(contents), tuple(bindings), root)


@pytest.fixture
def fake(tmp_path, write_rows, monkeypatch):
  made = Fake(tmp_path, write_rows)
  for name in 'PATH', 'FAKE', 'GEMB_DATA':
    monkeypatch.setenv(name, made.environment[name])
  return made


@pytest.fixture
def run(tools, fake, monkeypatch):
  """Runs the recipe with arguments; returns its status."""
  handler = signal.getsignal(signal.SIGTERM)
  monkeypatch.setattr(config, 'load', load_once)
  # It is drawn in recipe_report_test.py.
  report = tools('recipe_report')
  monkeypatch.setattr(report, 'write_report', lambda recipe: 'report.html')

  def run_main(*arguments):
    words = ['recipe', '--small', f'--workdir={fake.workdir}', *arguments]
    monkeypatch.setattr(sys, 'argv', words)
    return tools('recipe').main()

  yield run_main
  signal.signal(signal.SIGTERM, handler)


ALONE = '--language_model=none'
CHAIN = ['cache', 'train', 'mine', *['train'] * 3, 'soup', *['evaluate'] * 5]


def test_without_the_terms_nothing_is_begun(run, fake, capfd):
  assert run() == 2
  said = capfd.readouterr().err
  assert '--accept_gemma_terms' in said and '--language_model=none' in said
  assert fake.calls == ['weights']  # which shows them
  assert not fake.workdir.exists()


def test_a_command_that_fails_stops_the_chain_with_its_status(run, fake, capfd):
  (fake.folder / 'mine').rename(fake.folder / 'later')
  assert run(ALONE) == 2
  assert 'stage mine failed with status 2: gemb mine' in capfd.readouterr().err
  assert fake.calls == ['cache', 'train', 'mine']
  (fake.folder / 'later').rename(fake.folder / 'mine')
  assert run(ALONE) == 0
  assert fake.calls == CHAIN[2:]


def test_a_command_that_leaves_nothing_has_not_done_its_work(run, fake, capfd):
  for path in (fake.folder / 'mine').iterdir():
    path.unlink()
  assert run(ALONE) == 2
  said = capfd.readouterr().err
  assert 'Stage mine ended well, but left no curation/*.mined.jsonl' in said


def test_what_is_done_is_done_again_only_if_it_is_gone_or_otherwise(
  run, fake, capfd, tmp_path
):
  assert run(ALONE) == 0
  assert fake.calls == CHAIN
  assert capfd.readouterr().out == 'Report: report.html\n'
  assert run(ALONE) == 0
  assert fake.calls == []
  (fake.workdir / '02_finetune_code/results.json').unlink()
  assert run(ALONE) == 0
  assert fake.calls == ['evaluate']
  other = tmp_path / 'other.gin'
  other.write_text(
    'from __gin__ import dynamic_registration\n'
    'from gemb.curation import config\n'
    f"include '{CURATION}'\n"
    'config.MiningConfig.ranks = (1, 5)\n'
  )
  capfd.readouterr()
  assert run(ALONE, f'--curation={other}') == 2
  said = capfd.readouterr().err
  assert 'mine in' in said and 'mining.ranks.1 was 8, is 5' in said
  assert fake.calls == []
  kept = fake.workdir / '01_prefinetune' / 'kept'
  gone = fake.workdir / '02_finetune_task' / 'gone'
  kept.touch()
  gone.touch()
  assert run(ALONE, f'--curation={other}', '--again') == 0
  # All but pre-finetuning and its evaluation follow from mining.
  assert fake.calls == ['mine', *['train'] * 3, 'soup', *['evaluate'] * 4]
  assert kept.exists() and not gone.exists()


def test_the_tool_runs_it_in_the_venv_that_it_has_set_up(tmp_path):
  tools = tmp_path / 'a clone' / 'tools'
  tools.mkdir(parents=True)
  for name in 'recipe', 'environment.sh':
    shutil.copy(ROOT / 'tools' / name, tools)
  python = tmp_path / 'venv/bin/python'
  python.parent.mkdir(parents=True)
  for path in tools / 'setup', python:
    path.write_text('#!/bin/sh\necho "${0##*/} $*"\n')
    path.chmod(0o755)
  done = subprocess.run(
    [tools / 'recipe', '--small', '--workdir=x y'],
    env={'PATH': os.environ['PATH'], 'GEMB_VENV': str(tmp_path / 'venv')},
    capture_output=True,
    text=True,
  )
  assert done.stdout.splitlines() == [
    'setup run',
    f'python {tools}/recipe.py --small --workdir=x y',
  ]


def start(fake, *arguments):
  return subprocess.Popen(
    [
      sys.executable,
      ROOT / 'tools/recipe.py',
      '--small',
      ALONE,
      f'--workdir={fake.workdir}',
      *arguments,
    ],
    env=fake.environment,
    stderr=subprocess.PIPE,
    text=True,
  )


def wait_for(path):
  deadline = time.monotonic() + 120
  while not path.exists() and time.monotonic() < deadline:
    time.sleep(0.01)


def test_an_ended_recipe_ends_its_command_and_goes_on_there(run, fake):
  fake.slow('mine')
  with start(fake) as process:
    wait_for(fake.folder / 'started')
    process.terminate()
    assert process.wait(timeout=30) == 143
  assert fake.calls == ['cache', 'train', 'mine', 'ended']
  entries = json.loads((fake.workdir / 'recipe.json').read_text())
  assert entries['mine']['made'] is None
  assert entries['mine']['seconds'] > 0
  fake.slow('nothing')
  assert run(ALONE) == 0
  assert fake.calls == CHAIN[2:]


def test_others_are_kept_out_by_a_recipe_and_by_its_command(
  run, fake, tools, capfd
):
  with tools('recipe').hold(fake.workdir):
    assert run(ALONE) == 2
  said = capfd.readouterr().err
  assert 'another recipe, or a stage of one that was killed, is at work' in said
  assert fake.calls == []
  assert run(ALONE) == 0
  # A command has the lock too, and so outlives a killed recipe with it.
  assert 'recipe.lock' in (fake.folder / 'descriptors').read_text()


def test_a_damaged_ledger_is_one_sentence(run, fake, capfd):
  fake.workdir.mkdir()
  (fake.workdir / 'recipe.json').write_text('{"mine": {')
  assert run(ALONE) == 2
  assert 'recipe.json is damaged' in capfd.readouterr().err


def test_tasks_without_texts_are_told_before_anything_runs(
  run, fake, capfd, tmp_path
):
  other = tmp_path / 'other.gin'
  other.write_text(
    'from __gin__ import dynamic_registration\n'
    'from gemb.curation import config\n'
    f"include '{CURATION}'\n"
    "config.Curation.tasks = ('python_docstrings', 'aws_operations')\n"
  )
  assert run(ALONE, f'--curation={other}') == 2
  said = capfd.readouterr().err
  assert "names ['aws_operations'], which pre-finetuning does not" in said
  assert fake.calls == []
