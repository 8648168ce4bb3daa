"""The two sides of tools/bench_train: each takes a step when it is told to.

A line on standard input asks for a step, a line on standard output tells what
it took. Each is timed with the reading of its batch.
"""

import dataclasses
import json
import os
import pathlib
import re
import sys
import time
import warnings
from typing import Any, TextIO


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
  """What one step took.

  Attributes:
    wall: seconds.
    cpu: seconds of all threads together.
    loss: before the update.
    before: bytes of memory in use before the first step.
    peak: bytes of memory, at most until now.
  """

  wall: float
  cpu: float
  loss: float
  before: int
  peak: int


def main() -> None:
  """Takes as many steps as the command line says."""
  side, *arguments = sys.argv[1:]
  answers, sys.stdout = sys.stdout, sys.stderr
  {'gemb': train_ours, 'peer': train_theirs}[side](Turns(answers), *arguments)


class Turns:
  """Waits for one's turn, and tells what one did in it."""

  def __init__(self, answers: TextIO):
    """Tells it to `answers`."""
    self._answers = answers
    self._before = memory('VmRSS')
    self._started: tuple[float, float] | None = None

  def begin(self) -> None:
    """Waits until a step is asked for; exits if none is any more."""
    if not sys.stdin.readline():
      sys.exit()  # the other side ended
    self._started = time.perf_counter(), time.process_time()

  def ready(self) -> None:
    """Notes the memory in use before anything is computed."""
    self._before = memory('VmRSS')

  def end(self, loss: float) -> None:
    """Tells what the step took."""
    wall, cpu = self._started
    step = Step(
      wall=time.perf_counter() - wall,
      cpu=time.process_time() - cpu,
      loss=loss,
      before=self._before,
      peak=memory('VmHWM'),
    )
    print(json.dumps(dataclasses.asdict(step)), file=self._answers, flush=True)


def memory(name: str) -> int:
  """Returns a size of this process in bytes, as Linux calls it."""
  # Not getrusage: its peak counts the process that started this one.
  status = pathlib.Path('/proc/self/status').read_text()
  return int(re.search(rf'{name}:\s*(\d+) kB', status)[1]) * 1024


def open_run(workdir: pathlib.Path) -> tuple[Any, Any, Any]:
  """Returns the run that a work folder holds, its layout and its loader."""
  from gemb import axes, config
  from gemb.data.loader import open_loader
  from gemb.workdir import find_workdir

  run, _ = config.load([str(find_workdir(workdir).config)], [])
  layout = axes.Layout(axes.make_mesh(run.mesh), run.rules)
  shards = layout.shards('batch')
  loader = open_loader(
    run.data,
    seed=run.seed,
    shards=shards,
    rows_at_once=run.microbatch // shards,
  )
  return run, layout, loader


def train_ours(turns: Turns, folder: str, steps: str) -> None:
  """Trains as `gemb train` does."""
  import jax

  from gemb import axes
  from gemb.initial import initial_params
  from gemb.model.embedder import make_embedder
  from gemb.train import optimizer
  from gemb.train.state import init_state
  from gemb.train.step import make_loss, make_train_step

  run, layout, loader = open_run(pathlib.Path(folder, 'run'))
  embedder = make_embedder(run.model, run.compute)
  schedule = optimizer.make_schedule(run.optimizer, run.steps)
  updates = optimizer.make_optimizer(run.optimizer, schedule)
  with axes.use(layout):
    params = initial_params(run, embedder, layout)
    state = init_state(embedder, updates, layout, params)
    train_step = make_train_step(
      make_loss(embedder, run.loss, run.microbatch), updates, schedule
    )
    turns.ready()
    # Compiled before anything is timed, once for each shape of a batch.
    compiled = {}
    for step in range(int(steps)):
      plan, batch = loader.batch(step)
      if plan.shape not in compiled:
        compiled[plan.shape] = train_step.lower(state, batch).compile()
    for step in range(int(steps)):
      turns.begin()
      plan, batch = loader.batch(step)
      state, values = compiled[plan.shape](state, batch)
      jax.block_until_ready(state)
      turns.end(float(values['loss']))


def train_theirs(turns: Turns, folder: str, steps: str, cached: str) -> None:
  """Trains with the trainer of sentence-transformers, with its defaults."""
  os.environ |= {'HF_HUB_OFFLINE': '1', 'TOKENIZERS_PARALLELISM': 'false'}
  warnings.simplefilter('ignore')
  import torch
  from datasets import Dataset
  from sentence_transformers import SentenceTransformer
  from sentence_transformers import SentenceTransformerTrainer as Trainer

  run, *_ = open_run(pathlib.Path(folder, 'run'))
  torch.set_num_threads(len(os.sched_getaffinity(0)))
  model = SentenceTransformer(f'{folder}/export', device='cpu')
  loss = their_loss(run.loss, model, int(cached))
  told: list[float] = []
  loss.register_forward_hook(lambda *call: told.append(float(call[-1])))
  lines = pathlib.Path(folder, 'batches.jsonl').read_text().splitlines()
  anchors, positives = zip(*map(json.loads, lines), strict=True)
  trainer = Trainer(
    model=model,
    args=their_arguments(run, folder, int(steps)),
    train_dataset=Dataset.from_dict({'anchor': anchors, 'positive': positives}),
    loss=loss,
    callbacks=[take_turns(turns, told)],
  )
  turns.ready()
  trainer.train()


def their_loss(config: Any, model: Any, cached: int) -> Any:
  """Returns equation 1 over the prefixes, as they have it."""
  from sentence_transformers.sentence_transformer import losses

  scale = 1 / config.temperature
  if cached:
    inner = losses.CachedMultipleNegativesRankingLoss(
      model, scale=scale, mini_batch_size=cached
    )
  else:
    inner = losses.MultipleNegativesRankingLoss(model, scale=scale)
  return losses.MatryoshkaLoss(
    model, inner, list(config.prefixes), config.weights
  )


def their_arguments(run: Any, folder: str, steps: int) -> Any:
  """Returns the run's batches and optimizer, as they have them."""
  from sentence_transformers.base.sampler import DefaultBatchSampler
  from sentence_transformers.sentence_transformer.training_args import (
    SentenceTransformerTrainingArguments,
  )
  from torch.utils.data import SequentialSampler

  def in_order(dataset: Any, **options: Any) -> DefaultBatchSampler:
    return DefaultBatchSampler(SequentialSampler(dataset), **options)

  return SentenceTransformerTrainingArguments(
    output_dir=f'{folder}/peer',
    per_device_train_batch_size=run.data.batch_size,
    max_steps=steps,
    batch_sampler=in_order,
    learning_rate=run.optimizer.learning_rate,
    lr_scheduler_type='constant_with_warmup',
    warmup_steps=run.optimizer.warmup_steps,
    adam_beta1=run.optimizer.b1,
    adam_beta2=run.optimizer.b2,
    weight_decay=run.optimizer.weight_decay,
    max_grad_norm=run.optimizer.clip_norm,
    save_strategy='no',
    logging_strategy='no',
    report_to='none',
    disable_tqdm=True,
    use_cpu=True,
  )


def take_turns(turns: Turns, told: list[float]) -> Any:
  """Returns a callback for which a step lasts until the next one begins.

  Their trainer reads the next batch in between.
  """
  import transformers

  class TakeTurns(transformers.TrainerCallback):
    def on_step_begin(self, *_, **__):
      if told:
        turns.end(told[-1])
      turns.begin()

    def on_train_end(self, *_, **__):
      turns.end(told[-1])

  return TakeTurns()


if __name__ == '__main__':
  main()
