"""A decoder at the size of the miniature: next tokens of the corpora's texts.

Gemini Embedding begins as Gemini; this is to be to the miniature's encoder what
Gemini is to the report's: the same architecture, trained on the same kind of
text to predict its next token. Its projection is random.
"""

import dataclasses
import pathlib

import jax
import jax.numpy as jnp
import optax
from miniature import SHORT

from gemb import axes, config, provenance, workdir
from gemb.data.loader import open_loader
from gemb.model.decoder import make_decoder
from gemb.model.embedder import make_embedder
from gemb.train import optimizer
from gemb.train.checkpoints import Checkpoints
from gemb.train.state import init_params

FOLDER = pathlib.Path('runs/miniature/decoder')
_BINDINGS = (
  'Run.steps=200',
  'DataConfig.batch_size=64',
  'OptimizerConfig.learning_rate=2e-3',
)


def train() -> None:
  """Trains it and writes its work folder, unless it is there."""
  if (FOLDER / 'checkpoints').is_dir():
    return
  run, text = config.load(list(SHORT.files), list(_BINDINGS))
  loader = open_loader(run.data, seed=run.seed)
  layout = axes.Layout(axes.make_mesh(run.mesh), run.rules)
  schedule = optimizer.make_schedule(run.optimizer, run.steps)
  updates = optimizer.make_optimizer(run.optimizer, schedule)
  log_probabilities = make_decoder(run.model.encoder).log_probabilities

  @jax.jit
  def update(params, state, tokens_XL):
    def loss(params):
      # A row's texts follow each other, as in the pretraining of decoders.
      total = log_probabilities(params, tokens_XL).sum()
      return -total / jnp.sum(tokens_XL[:, 1:] != 0)

    value, gradient = jax.value_and_grad(loss)(params)
    change, state = updates.update(gradient, state, params)
    return optax.apply_updates(params, change), state, value

  with axes.use(layout):
    params = init_params(make_embedder(run.model), layout, run.seed)
    state = updates.init(params)
    for step in range(run.steps):
      _, batch = loader.batch(step)
      params, state, value = update(params, state, batch.texts.tokens)
      if (step + 1) % 20 == 0:
        print(f'decoder, step {step + 1}: {value:.3f} nats a token', flush=True)
  made = workdir.make_workdir(FOLDER)
  made.write_tokenizer(loader.tokenizer)
  made.write_run(text, provenance.about_run())
  about = {
    'model': dataclasses.asdict(run.model),
    'data': {'tokenizer': loader.tokenizer.sha256},
  }
  with Checkpoints(made.checkpoints, run.checkpoints) as checkpoints:
    checkpoints.save_params(run.steps, params, about, {})
