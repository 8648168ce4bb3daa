"""The words of README and guides are true: commands run, tables are whole."""

import dataclasses
import importlib
import json
import re
import shlex
import sys
import typing

import numpy as np
import pytest
import seqio
from documented import GUIDES, REPOSITORY, indented

from gemb import main
from gemb.axes import MeshConfig
from gemb.certify import meshes
from gemb.curation import models
from gemb.data import weights
from gemb.data.sources import SourceConfig
from gemb.sweep import sweeping
from gemb.sweep.family import Family
from gemb.train.metrics import read_metrics

README = (REPOSITORY / 'README.md').read_text()
QUICKSTART = 'configs/run/00_quickstart.gin'
_, OWN_DATA = README.split('## Your own data')
OWN_DATA, _ = OWN_DATA.split('\n## ', maxsplit=1)
COMMANDS = [command for page in GUIDES for command in indented(page)]


WITH_MTEB = [
  command
  for command in COMMANDS
  if re.search('^gemb evaluate .*--(data|mteb)=', command)
]


# They work in one folder, one after another.
CURATION = [
  command
  for command in COMMANDS
  if command.split()[1] in ('mine', 'score', 'filter', 'synthesize')
]
LAUNCH = [command for command in COMMANDS if command.split()[1] == 'launch']
SWEEP = [command for command in COMMANDS if command.split()[1] == 'sweep']
CURATION_GIN = """
from __gin__ import dynamic_registration
from gemb.curation import config
config.Curation.tasks = ('golden_pairs',)
config.Curation.scoring = @config.ScoringConfig()
config.ScoringConfig.most = 3
config.Curation.synthesis = @config.SynthesisConfig()
config.SynthesisConfig.queries = ('golden_pairs',)
config.SynthesisConfig.most = 2
"""


class LanguageModel:
  """Finds all equally likely, and writes a query."""

  identity: typing.ClassVar = {'model': 'of this test'}

  def likelihoods(self, contexts, texts):
    return np.zeros(len(texts))

  def choose(self, prompts, labels):
    return np.full((len(prompts), len(labels)), -np.log(len(labels)))

  def complete(self, prompts, *, seeds, max_tokens, temperature, stop='\n'):
    return ['web search | three other words' for _ in prompts]


# mteb is imported once for all of its commands.
ONE_AFTER_ANOTHER = """
import contextlib, io, json, sys
from gemb import main
for words in json.loads(sys.argv[1]):
  with contextlib.redirect_stdout(io.StringIO()) as said:
    status = main.main(words)
  print('Exited with', status, said.getvalue())
"""


@pytest.fixture
def words_of(tiny_run, tiny_gin, tmp_path, monkeypatch):
  """Returns a function: a command -> its words, on the small run."""
  monkeypatch.chdir(REPOSITORY)

  def split(command):
    words = shlex.split(command)[1:]
    # A folder that is trained into is the test's own.
    finished = words[0] in (
      *('evaluate', 'encode', 'export', 'check', 'teach', 'mine'),
    )
    folder = tiny_run if finished else tmp_path / r'\1'
    words = [re.sub('^--workdir=(.*)', f'--workdir={folder}', w) for w in words]
    if words[0] == 'soup':
      soup = f"--gin.Soup.ingredients=('{tiny_run}@all',)"
      words = [*words, soup]
    else:
      words = [
        re.sub(r'=configs/run/.*\.gin', f'={tiny_gin}', w) for w in words
      ]
    behind = r'--gin_file=(configs/mix|runs/)'
    words = [w for w in words if not re.match(behind, w)]
    curation = f'={tmp_path}/curation.gin'
    words = [re.sub(r'=configs/curation/.*\.gin', curation, w) for w in words]
    words = [w.replace('--folder=', f'--folder={tmp_path}/') for w in words]
    # The small run has one task: nothing is drawn around its rates.
    words = [re.sub(r'^--(points|trials)=.*', r'--\1=0', w) for w in words]
    words = [w.replace('v5e:4x4', 'v5e:2x2') for w in words]
    words = [w.replace('--job=', f'--job={tmp_path}/') for w in words]
    words = [w.replace('home_assistant', 'golden_pairs') for w in words]
    words = [w.replace('Run.steps=20', 'Run.steps=6') for w in words]
    words = [re.sub('^--prefix=.*', '--prefix=8', w) for w in words]
    words = [w.replace('--plots=', f'--plots={tmp_path}/') for w in words]
    words = [w.replace('--output=', f'--output={tmp_path}/') for w in words]
    return words

  return split


REPEATED = [c for c in COMMANDS if '/config.gin' in c]
TOGETHER = WITH_MTEB + CURATION + REPEATED + LAUNCH + SWEEP
# What differs in the names of runs alone is the same on the small run.
ALONE = {
  re.sub(r'=(configs/run|runs)/[^ ]+| +', ' ', command): command
  for command in COMMANDS
  if command not in TOGETHER
}.values()


@pytest.mark.parametrize('command', ALONE)
def test_every_command_runs_as_it_is_written(
  command, words_of, monkeypatch, tmp_path
):
  # Their own test fetches weights; here are none to be had.
  monkeypatch.setattr(weights, 'fetch', lambda name, *, accepted: tmp_path)
  # tests/certify has the others; one is compiled in seconds.
  one = MeshConfig(data=1, fsdp=1, tensor=1)
  monkeypatch.setattr(meshes, 'choose_meshes', lambda run: ([one], []))
  monkeypatch.setenv('WANDB_MODE', 'offline')
  assert main.main(words_of(command)) == 0


def test_a_run_is_repeated_from_its_folder_alone(tiny_run, tmp_path):
  (command,) = REPEATED
  words = [
    re.sub('^--workdir=.*', f'--workdir={tmp_path}', word).replace(
      '=runs/mine', f'={tiny_run}'
    )
    for word in shlex.split(command)[1:]
  ]
  assert main.main(words) == 0
  first, again = (
    [
      {k: v for k, v in line.items() if not k.endswith('_per_second')}
      for line in read_metrics(folder)
    ]
    for folder in (tiny_run, tmp_path)
  )
  assert again == first != []
  told = [
    json.loads((folder / 'about.json').read_text())
    for folder in (tiny_run, tmp_path)
  ]
  for name in ('commit', 'versions', 'seed', 'fingerprint'):
    assert told[0][name] == told[1][name]
  assert told[0]['fingerprint']['tasks'].keys() == {'golden_pairs'}


def test_the_commands_of_curation_run_one_after_another(
  words_of, monkeypatch, tmp_path
):
  (tmp_path / 'curation.gin').write_text(CURATION_GIN)
  monkeypatch.setattr(models, 'open_model', lambda curation: LanguageModel())
  assert [main.main(words_of(command)) for command in CURATION] == [0] * 4
  (folder,) = {path.parent for path in tmp_path.rglob('*.mined.jsonl')}
  assert {path.name for path in folder.iterdir()} >= {
    'golden_pairs.scored.jsonl',
    'golden_pairs.filtered.jsonl',
    'golden_pairs.dropped.jsonl',
    'filter_report.html',
    'synthetic_golden_pairs.jsonl',
  }


def test_the_commands_of_launching_run_one_after_another(
  words_of, tmp_path, capfd
):
  # tests/launch waits for the pod's rehearsal.
  shown = [
    f'{command} --dry_run' if '--wait' in command else command
    for command in LAUNCH
  ]
  assert [main.main(words_of(command)) for command in shown] == [0] * len(shown)
  assert 'gcloud compute tpus queued-resources create' in capfd.readouterr().out
  (job,) = (path.parent for path in tmp_path.rglob('log.txt'))
  assert 'asked to stop by SIGTERM' in (job / 'log.txt').read_text()


def test_the_commands_of_sweeps_run_one_after_another(
  words_of, tiny_run, tmp_path, monkeypatch
):
  def copy(family, name):
    made = (str(tiny_run / part) for part in ('metrics.jsonl', 'checkpoints'))
    return ['cp', '-r', *made, str(family.root / name)]

  # Nothing is trained: tests/sweep does.
  monkeypatch.setattr(sweeping, 'train_command', copy)
  monkeypatch.setattr(Family, 'scores', lambda *_: {'bitext/accuracy@16': 0.5})
  axes = '{OptimizerConfig.learning_rate: {uniform: [0.001, 0.01]}}'
  for name, asked in {
    'learning_rate': 'grid: {OptimizerConfig.learning_rate: [0.001]}',
    'search': 'search: {metric: bitext/accuracy@16, trials: 1, axes: '
    f'{axes}}}',
  }.items():
    (tmp_path / f'{name}.yaml').write_text(asked)
  for command in SWEEP:
    words = words_of(command)
    words = [w.replace('=configs/sweep', f'={tmp_path}') for w in words]
    words = [w.replace('--csv=', f'--csv={tmp_path}/') for w in words]
    assert main.main(words) == 0


def test_every_command_of_mteb_runs_as_it_is_written(
  words_of, start, monkeypatch
):
  monkeypatch.setenv('HF_HUB_OFFLINE', '1')
  monkeypatch.setenv('OMP_NUM_THREADS', '1')
  words = json.dumps([words_of(command) for command in WITH_MTEB])
  process = start('-c', ONE_AFTER_ANOTHER, words, devices=1)
  said, errors = process.communicate()
  with_data, with_hub = re.split('^Exited with ', said, flags=re.MULTILINE)[1:]
  assert with_data.startswith('0'), errors
  assert '| likeness ' in with_data
  # The hub cannot be reached: each task that would be evaluated is told.
  assert with_hub.startswith('2'), errors
  assert 'BelebeleRetrieval' in with_hub + errors


def test_there_is_a_command_of_each_kind():
  assert {command.split()[1] for command in COMMANDS} == {
    *('train', 'cache', 'data', 'decontaminate', 'weights', 'teach'),
    *('certify', 'plan', 'check', 'evaluate', 'encode', 'export'),
    *('mine', 'score', 'filter', 'synthesize', 'soup', 'rates', 'search'),
    *('launch', 'sweep'),
  }
  assert len(WITH_MTEB) == 2


@pytest.mark.parametrize('page', GUIDES, ids=lambda page: page.parent.name)
def test_links_lead_somewhere(page):
  for link in re.findall(r'\]\(([^)]+)\)', page.read_text()):
    path, _, anchor = link.partition('#')
    if path.startswith('https:'):
      continue
    found = page.parent / path if path else page
    assert found.exists(), link
    if anchor:
      heads = re.findall(r'^#+ (.*)$', found.read_text(), re.MULTILINE)
      anchors = {
        re.sub(r'[^\w -]', '', head.lower()).replace(' ', '-') for head in heads
      }
      assert anchor in anchors, link


def test_the_guides_are_all_in_the_table_of_the_readme():
  rows = re.findall(r'^\| .*\]\((gemb/.*?README\.md)\)', README, re.MULTILINE)
  pages = [page.relative_to(REPOSITORY).as_posix() for page in GUIDES[1:]]
  assert sorted(rows) == pages


def test_the_reading_order_names_every_module():
  page = (REPOSITORY / 'gemb/README.md').read_text()
  named = set()
  for row in re.findall(r'^\| (`gemb/.*?) \|', page, re.MULTILINE):
    first, *others = re.findall(r'`([^`]*)`', row)
    folder = first.rsplit('/', 1)[0]
    named |= {first, *(f'{folder}/{other}' for other in others)}
  modules = {
    str(path.relative_to(REPOSITORY))
    for path in (REPOSITORY / 'gemb').rglob('*.py')
    if path.name != '__init__.py'
  }
  folders = tuple(name for name in named if name.endswith('/'))
  unnamed = {m for m in modules if not m.startswith(folders)} - named
  assert not unnamed
  assert all((REPOSITORY / name).exists() for name in named)


def test_your_own_data_trains_in_the_lines_it_is_shown_in(
  tmp_path, monkeypatch, tiny_gin
):
  (gin,) = re.findall(r'```\n(from __gin__.*?)```', README, re.DOTALL)
  assert len(gin.splitlines()) <= 10
  # On the small run instead of the quickstart, and on these pairs alone.
  gin = gin.replace(QUICKSTART, tiny_gin).replace("'home_assistant': 1.0, ", '')
  (tmp_path / 'my.gin').write_text(gin)
  rows = [
    {'query': f'question {i}', 'positive': f'answer number {i}'}
    for i in range(1000)
  ]
  (tmp_path / 'pairs.jsonl').write_text('\n'.join(map(json.dumps, rows)))
  alone = [
    'DataConfig.modules=()',
    'DataConfig.held_out=()',
    'EvalConfig.bitext=()',
    'EvalConfig.retrieval=()',
    "CheckpointConfig.best_metric=''",
    'TokenizerConfig.vocabulary=300',
    'Run.steps=3',
  ]
  monkeypatch.setenv('GEMB_DATA', str(tmp_path / 'data'))
  monkeypatch.chdir(tmp_path)
  bindings = [f'--gin.{binding}' for binding in alone]
  command = ['train', '--gin_file=my.gin', '--workdir=run', *bindings]
  assert main.main(command) == 0
  assert (tmp_path / 'run' / 'checkpoints' / '3').is_dir()
  with (tmp_path / 'data' / 'texts' / 'my_pairs.jsonl').open() as texts:
    assert len(list(texts)) == 1 + len(rows)


def test_the_settings_of_ones_own_data_are_there():
  rows = re.findall(r'^\| (`.*?`) \|', OWN_DATA, re.MULTILINE)
  named = {name for row in rows[1:] for name in re.findall(r'`(\w+)`', row)}
  fields = {field.name for field in dataclasses.fields(SourceConfig)}
  assert named == fields - {'task', 'path', 'max_characters'}


def test_a_task_in_python_is_read_as_it_is_shown(tmp_path, monkeypatch):
  (python,) = re.findall(r'```python\n(.*?)```', OWN_DATA, re.DOTALL)
  (tmp_path / 'my_tasks.py').write_text(python)
  (tmp_path / 'pairs.tsv').write_text('a question\tan answer\nwo\tda\n')
  monkeypatch.chdir(tmp_path)
  monkeypatch.syspath_prepend(str(tmp_path))
  tasks = importlib.import_module('my_tasks').tasks
  try:
    read = list(tasks.read('my_task'))
  finally:
    seqio.TaskRegistry.remove('my_task')
    del sys.modules['my_tasks']
  assert [(example.query, example.positive) for example in read] == [
    ('a question', 'an answer'),
    ('wo', 'da'),
  ]
