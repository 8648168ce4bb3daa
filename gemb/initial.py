"""The parameters that a run begins with: random, a decoder's, another run's."""

import dataclasses
from typing import Any

from gemb.axes import Layout
from gemb.data import weights
from gemb.data.tokenizer import Tokenizer
from gemb.model import from_decoder
from gemb.model.embedder import Embedder, Params
from gemb.run import Run
from gemb.train.checkpoints import Checkpoints, differences
from gemb.train.state import abstract_params, init_params
from gemb.workdir import ParentConfig, find_workdir


def check_origin(run: Run, tokenizer: Tokenizer | None = None) -> None:
  """Looks at what the run starts from, and reads none of its parameters.

  Args:
    run: to start.
    tokenizer: its own; None: not known yet, and not compared.

  Raises:
    FileNotFoundError: if it is not there.
    ValueError: if it has another architecture or tokenizer, or no checkpoint.
  """
  if run.pretrained is not None:
    from_decoder.check_path(weights.find(run.pretrained.path))
  if run.parent is not None:
    with _open(run.parent, run) as checkpoints:
      step = _step(run.parent, checkpoints)
      was = checkpoints.about(step)
    before: dict[str, Any] = {'Run.model': was['model']}
    now: dict[str, Any] = {'Run.model': dataclasses.asdict(run.model)}
    if tokenizer is not None:
      before['tokenizer'] = was['data']['tokenizer']
      now['tokenizer'] = tokenizer.sha256
    if found := differences(before, now):
      raise ValueError(
        f'Run.parent {run.parent.workdir} is another model: '
        f'{"; ".join(found)}. Make the run like it, or take another parent.'
      )


def initial_params(run: Run, embedder: Embedder, layout: Layout) -> Params:
  """Computes or reads the parameters onto their shards.

  Raises:
    FileNotFoundError: if the run starts from a checkpoint that is not there.
    ValueError: if that does not fit the model, or the mesh the model.
  """
  if run.parent is not None:
    with _open(run.parent, run) as checkpoints:
      step = _step(run.parent, checkpoints)
      print(f'Starting from step {step} of {run.parent.workdir}', flush=True)
      like = abstract_params(embedder, layout)
      return checkpoints.restore_params(step, like)
  if run.pretrained is None:
    return init_params(embedder, layout, run.seed)
  path = weights.find(run.pretrained.path)
  print(f'Reading {path}', flush=True)
  checkpoint = from_decoder.open_checkpoint(path, run.model.encoder)
  return from_decoder.load_params(
    checkpoint,
    embedder,
    abstract_params(embedder, layout),
    seed=run.seed,
    differs_in=run.pretrained.differs_in,
  )


def _open(parent: ParentConfig, run: Run) -> Checkpoints:
  try:
    folder = find_workdir(parent.workdir).checkpoints
  except FileNotFoundError as error:
    raise FileNotFoundError(
      f'Run.parent is {parent.workdir}, which holds no run (no config.gin); '
      'train it first, or name another by ParentConfig.workdir.'
    ) from error
  return Checkpoints(folder, run.checkpoints)


def _step(parent: ParentConfig, checkpoints: Checkpoints) -> int:
  steps = checkpoints.steps()
  if not steps:
    raise ValueError(
      f'Run.parent {parent.workdir} has no checkpoint yet; train it first.'
    )
  return steps[-1] if parent.step is None else parent.step
