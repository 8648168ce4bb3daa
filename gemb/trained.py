"""A model out of its work folder, ready to encode: trained, or as it began."""

import dataclasses

from gemb import axes, encode
from gemb.axes import Layout
from gemb.data.tokenizer import Tokenizer
from gemb.encode import Encoder
from gemb.initial import initial_params
from gemb.model.embedder import make_embedder
from gemb.run import Run
from gemb.train.checkpoints import Checkpoints, check_same
from gemb.train.state import abstract_params
from gemb.workdir import Workdir


def load_encoder(
  run: Run,
  workdir: Workdir,
  *,
  step: int | None = None,
  rows: int | None = None,
) -> tuple[Encoder, int]:
  """Restores the parameters of a checkpoint onto all devices.

  Args:
    run: as `workdir.config` describes it.
    workdir: of a run that has begun.
    step: of the checkpoint; 0: the model as it begins; None: the last.
    rows: texts of the longest length in a call; None: `run.microbatch`.

  Returns:
    The encoder, and its checkpoint's step.

  Raises:
    ValueError: if there is no such checkpoint, or it has another architecture
      or tokenizer.
  """
  layout = Layout(axes.make_mesh(run.mesh), run.rules)
  embedder = make_embedder(run.model, run.compute.for_any_length())
  with Checkpoints(workdir.checkpoints, run.checkpoints) as checkpoints:
    steps = checkpoints.steps()
    if step is None and not steps:
      raise ValueError(
        f'{workdir.root} has no checkpoint yet; run `gemb train` first, or '
        'name --step=0, the model as it begins.'
      )
    step = steps[-1] if step is None else step
    tokenizer = Tokenizer(workdir.tokenizer)
    if step or steps:
      was = checkpoints.about(step or steps[-1])
      model = dataclasses.asdict(run.model)
      check_same(was['model'], model, 'architecture (Run.model)')
      check_same(
        {'sha256': was['data']['tokenizer']},
        {'sha256': tokenizer.sha256},
        f'tokenizer than {tokenizer.path}',
      )
    if step == 0:
      params = initial_params(run, embedder, layout)
    else:
      like = abstract_params(embedder, layout)
      params = checkpoints.restore_params(step, like)
  encoder = encode.make_encoder(
    embedder,
    params,
    tokenizer,
    layout,
    lengths=encode.lengths_to(run.data.lengths[-1]),
    rows=rows or run.microbatch,
  )
  return encoder, step
