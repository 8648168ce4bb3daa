"""What the tests of this folder are to know of the real mteb, as found.json.

Run by `conftest.py` in a process of its own, with the golden tokenizer, a
folder of local sets, the work folder of a run, and a folder to write in.
"""

import dataclasses
import json
import os
import pathlib
import shutil
import sys

import jax
import numpy as np

from gemb import axes, config, encode
from gemb.data.tokenizer import Tokenizer
from gemb.evals.mteb import run
from gemb.evals.mteb.encoder import find_prompt, make_mteb_encoders
from gemb.evals.mteb.exported import load_exported
from gemb.evals.mteb.local import local_tasks
from gemb.evals.mteb.tasks import find_tasks
from gemb.export.folder import export
from gemb.model.config import EmbedderConfig, EncoderConfig
from gemb.model.embedder import make_embedder
from gemb.trained import load_encoder
from gemb.workdir import find_workdir

MODEL = {'model': 'gemb/tiny', 'revision': 'step-7'}
BENCHMARKS = ('MTEB(Multilingual, v2)', 'MTEB(eng, v2)', 'MTEB(Code, v1)')


class Perfect:
  """Knows what every text of the local sets means: the number at its end."""

  lengths = (32,)

  def __init__(self):
    self.asked = []

  def encode(self, texts):
    self.asked.extend(texts)
    vectors = np.zeros((len(texts), 40), np.float32)
    for vector, text in zip(vectors, texts, strict=True):
      number = int(text.split()[-1])
      vector[number % 4] = 1
      vector[4 + number] = 0.5
    return vectors


def make_encoder(tokenizer):
  shape = EncoderConfig(
    vocabulary=4096,
    width=16,
    layers=2,
    heads=2,
    kv_heads=1,
    head_dim=8,
    mlp_width=32,
    local_radius=4,
    global_every=2,
    dtype='float32',
  )
  embedder = make_embedder(EmbedderConfig(encoder=shape, embedding_width=12))
  layout = axes.Layout(axes.make_mesh(axes.MeshConfig()), axes.AxisRules())
  return encode.make_encoder(
    embedder,
    jax.jit(embedder.init)(jax.random.key(0)),
    Tokenizer(tokenizer),
    layout,
    lengths=(32,),
    rows=64,
  )


def scores(summary):
  return {
    task.task: {str(prefix): score for prefix, score in task.scores.items()}
    for of_list in summary.lists
    for task in of_list.tasks
  }


def message(error, function, *arguments, **options):
  try:
    function(*arguments, **options)
  except error as caught:
    return str(caught)


def refusals(data, folder):
  """Before anything else: whether the hub answers is asked on first use."""

  def evaluate(**options):
    options = {'prefixes': (8,), 'folder': folder} | options
    return run.evaluate_encoder(Perfect(), **MODEL, **options)

  return {
    'none': message(OSError, evaluate, names=['STS12', 'MTEB(Code, v1)']),
    'some': dataclasses.asdict(evaluate(names=['STS12'], data=data)),
    'name': message(ValueError, evaluate, names=['MTEB(eng v2)']),
    'task': message(ValueError, evaluate, names=['STS112']),
    'prompt': message(
      ValueError, evaluate, data=data, prompts={'paris': 'clustering'}
    ),
    'prefix': message(ValueError, evaluate, data=data, prefixes=(8, 41)),
    'wrong': message(
      ValueError, evaluate, data=data, prompts={'pairs': 'clustring'}
    ),
    'known': scores(
      evaluate(
        data=data, prompts={'FEVER': 'fact checking', 'STS': 'clustering'}
      )
    ),
  }


def perfect(data, folder):
  """The same folder evaluated again and again, and spoilt between."""
  found = {}

  def evaluate(name):
    encoder = Perfect()
    summary = run.evaluate_encoder(
      encoder, data=data, prefixes=(40, 8), folder=folder, **MODEL
    )
    found[name] = {'scores': scores(summary), 'asked': encoder.asked}

  data = pathlib.Path(shutil.copytree(data, folder / 'copy'))
  evaluate('first')
  found['files'] = sorted(
    path.relative_to(folder).as_posix()
    for path in folder.rglob('*.json')
    if path.name in ('pairs.json', 'mteb_summary.json')
  )
  found['markdown'] = (folder / 'mteb_summary.md').read_text()
  evaluate('resumed')
  with (data / 'pairs.csv').open('a') as file:
    file.write('one 9,other 9,0\n')
  evaluate('changed')
  (spoilt,) = folder.rglob('prefix_8__*/heaps.json')
  spoilt.write_text(spoilt.read_text()[:100])
  evaluate('damaged')
  return found


def real(encoder, data, folder):
  """The scores of a model of random parameters."""

  def evaluate(name, prefixes):
    return scores(
      run.evaluate_encoder(
        encoder, data=data, prefixes=prefixes, folder=folder / name, **MODEL
      )
    )

  return {'both': evaluate('both', (4, 12)), 'alone': evaluate('alone', (12,))}


def mocks(encoder):
  import mteb

  (model,) = make_mteb_encoders(
    encoder,
    (12,),
    name='gemb/tiny',
    revision='step-7',
    # No task of the benchmarks is of these types.
    overrides={
      'Regression': 'classification',
      'ZeroShotClassification': 'classification',
    },
  ).values()
  return {
    name: getattr(result, 'exception', None)
    for name, result in mteb.mock_run(model).items()
    if result is not None
  }


def exported(workdir, data, folder):
  """The scores of a run, through gemb and through sentence-transformers."""
  workdir = find_workdir(workdir)
  settings, _ = config.load([str(workdir.config)], [])
  encoder, step = load_encoder(settings, workdir)
  prefixes = settings.loss.prefixes
  through_gemb = run.evaluate_encoder(
    encoder, data=data, prefixes=prefixes, folder=folder / 'gemb', **MODEL
  )
  export(settings, workdir, folder / 'model', step=step)
  lists = [local_tasks(data)]
  models = load_exported(
    folder / 'model',
    prefixes,
    lists,
    name='gemb/tiny',
    revision='step-7',
    overrides={},
  )
  through_others = run.evaluate_models(models, lists, folder / 'exported')
  return {'gemb': scores(through_gemb), 'exported': scores(through_others)}


def benchmarks():
  (_, _, code) = lists = find_tasks(BENCHMARKS)
  prompts = {
    of_list.name: [
      (task.metadata.type, find_prompt(task.metadata, {}).query)
      for task in of_list.tasks
    ]
    for of_list in lists
  }
  mixed = find_tasks(['STS12', 'MTEB(Code, v1)', 'FEVER'])
  return {
    'prompts': prompts,
    'mixed': [(x.name, x.benchmark, len(x.tasks)) for x in mixed],
    'code': [task.metadata.name for task in code.tasks],
  }


def main(tokenizer, data, workdir, folder):
  os.environ['HF_HOME'] = f'{folder}/huggingface'
  os.environ['HF_ENDPOINT'] = 'http://127.0.0.1:9'  # nobody listens there
  encoder = make_encoder(tokenizer)
  found = {
    'refusals': refusals(data, folder / 'refusals'),
    'perfect': perfect(data, folder / 'perfect'),
    'real': real(encoder, data, folder / 'real'),
    'exported': exported(workdir, data, folder / 'export'),
    'mocks': mocks(encoder),
    'benchmarks': benchmarks(),
  }
  (folder / 'found.json').write_text(json.dumps(found))


if __name__ == '__main__':
  main(*map(pathlib.Path, sys.argv[1:]))
