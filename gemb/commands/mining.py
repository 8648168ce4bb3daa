"""gemb mine: hard negatives by a trained model."""

import argparse
import dataclasses
import hashlib
import pathlib

from gemb.commands.arguments import add_command, add_step, load_curation


def add(to) -> None:
  """Adds this command."""
  command = add_command(
    to,
    mine,
    'mine',
    'Find hard negatives for the examples of some tasks among their passages, '
    'by the embeddings of a trained model: Curation.tasks and MiningConfig. '
    'The tasks must be those of a `gemb cache`, and the model must have a '
    'prompt for each. Started again it goes on where it stopped.',
    '--gin_file=configs/curation/small.gin --workdir=runs/prefinetune '
    '--folder=curated',
    files=True,
    workdir='the run whose model mines',
  )
  add_step(command)
  command.add_argument(
    '--folder',
    required=True,
    metavar='DIR',
    help='the folder to write; DataConfig.mined_negatives names the '
    'TASK.mined.jsonl in it',
  )


def mine(options: argparse.Namespace) -> None:
  """Mines each task of a curation."""
  from gemb import config, workdir
  from gemb.curation import mining
  from gemb.prompts import make_prompt

  curation = load_curation(options)
  found = workdir.find_workdir(options.workdir)
  run, text = config.load([str(found.config)], [])
  known = curation.prompts
  prompts = {
    task: make_prompt(known[task]) if task in known else run.data.prompt(task)
    for task in curation.tasks
  }
  # It may have been trained on another machine than mines.
  run = dataclasses.replace(run, mesh=curation.mining.mesh)
  miner = _load_miner(run, text, found, options.step)
  for task, prompt in prompts.items():
    folder = pathlib.Path(options.folder)
    mining.mine(curation.mining, task, prompt, folder, miner)


def _load_miner(run, text: str, found, step: int | None):
  """Returns the model of a work folder, whose config is `text`."""
  from gemb import trained
  from gemb.curation.mining import Miner
  from gemb.evals.retrieval import truncate

  encoder, step = trained.load_encoder(run, found, step=step)
  width = run.loss.prefixes[-1]
  return Miner(
    embed=lambda texts: truncate(encoder.encode(texts), width),
    width=width,
    layout=encoder.layout,
    identity={
      'name': found.root.name,
      'step': step,
      'config': hashlib.blake2b(text.encode(), digest_size=8).hexdigest(),
    },
  )
