"""The folder of a sweep on the tiny run, and a trainer that is done at once."""

import json
import sys

import pytest

from gemb import config
from gemb.sweep import sweeping
from gemb.sweep.family import open_family

# Its accuracy at 16 is highest, 1, at a learning rate of 0.01; at others it is
# a tenth less by factor of ten. With the seed 13 its loss is not finite.
TRAINER = """
import json, math, pathlib, re, sys
folder = pathlib.Path(sys.argv[1])
text = (folder / 'point.gin').read_text()
if 'Run.seed = 13' in text:
  print('gemb: it is the 13th.')
  sys.exit(1)
rate = float(re.search('learning_rate = (.*)', text)[1])
score = 1 - 0.1 * abs(math.log10(rate) + 2)
scores = {f'eval/bitext/accuracy@{p}': score - (16 - p) / 100 for p in (4, 16)}
(folder / 'metrics.jsonl').write_text(json.dumps({'step': 10} | scores))
(folder / 'checkpoints' / '10').mkdir(parents=True)
"""
RATE = 'gemb.train.optimizer.OptimizerConfig.learning_rate'
SEED = 'gemb.run.Run.seed'


@pytest.fixture
def make_family(tiny_gin, golden_model, tmp_path):
  """Opens a family of the tiny run; more are bindings."""

  def open_folder(*bindings, name='family'):
    tokenizer = f"TokenizerConfig.path='{golden_model}'"
    run, text = config.load([tiny_gin], [tokenizer, *bindings])
    with open_family(tmp_path / name, run, text) as family:
      return family

  return open_folder


@pytest.fixture
def quick(monkeypatch):
  """Has points trained at once, in processes of their own."""

  def command(family, name):
    return [sys.executable, '-I', '-S', '-c', TRAINER, str(family.root / name)]

  monkeypatch.setattr(sweeping, 'train_command', command)


@pytest.fixture
def end():
  """Ends a run of a family, with the scores of its evaluation."""

  def write(family, name, scores, step=10):
    folder = family.root / name
    line = {'step': step} | {f'eval/{key}': v for key, v in scores.items()}
    (folder / 'metrics.jsonl').write_text(json.dumps(line) + '\n')
    (folder / 'checkpoints' / str(step)).mkdir(parents=True)

  return write
