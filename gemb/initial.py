"""The parameters that a run begins with: random, or a decoder's."""

from gemb.axes import Layout
from gemb.data import weights
from gemb.model import from_decoder
from gemb.model.embedder import Embedder, Params
from gemb.run import Run
from gemb.train.state import abstract_params, init_params


def check_pretrained(run: Run) -> None:
  """Raises FileNotFoundError if the run starts from what is not there."""
  if run.pretrained is not None:
    from_decoder.check_path(weights.find(run.pretrained.path))


def initial_params(run: Run, embedder: Embedder, layout: Layout) -> Params:
  """Computes or reads the parameters onto their shards.

  Raises:
    FileNotFoundError: if the run starts from a checkpoint that is not there.
    ValueError: if that does not fit the model, or the mesh the model.
  """
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
