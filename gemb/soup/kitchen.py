"""Parameters in, scores and losses out: what all soups of one model share."""

import dataclasses
import statistics
from collections.abc import Callable, Sequence

import jax
from jaxtyping import Array, Float

from gemb import axes, encode
from gemb.axes import Layout
from gemb.data.loader import open_loader
from gemb.data.tokenizer import Tokenizer
from gemb.encode import Encoder
from gemb.evals import suite
from gemb.evals.suite import EvalTask
from gemb.model.embedder import Embedder, Params, make_embedder
from gemb.run import Run
from gemb.soup import average
from gemb.soup.config import Soup
from gemb.soup.ingredients import Ingredient
from gemb.train.checkpoints import Checkpoints
from gemb.train.state import abstract_params
from gemb.train.step import make_loss

# (parameters, parameters, share of the second) -> loss between them.
LossBetween = Callable[[Params, Params, float], float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kitchen:
  """One model on one mesh, compiled once for all its parameters.

  Attributes:
    embedder: whose parameters are averaged.
    layout: of the mesh.
    like: shapes and shardings of the parameters.
    encoder: without parameters.
    tasks: held out.
    prefixes: that are evaluated.
  """

  embedder: Embedder
  layout: Layout
  like: Params
  encoder: Encoder
  tasks: Sequence[EvalTask]
  prefixes: tuple[int, ...]

  def load(self, ingredient: Ingredient) -> Params:
    """Reads an ingredient's parameters onto the mesh."""
    config = ingredient.run.checkpoints
    with Checkpoints(ingredient.workdir.checkpoints, config) as checkpoints:
      return checkpoints.restore_params(ingredient.step, self.like)

  def scores(self, params: Params) -> dict[str, float]:
    """Returns {'task/metric@prefix': value}."""
    encode = self.encoder.with_params(params).encode
    return suite.scores(self.tasks, encode, self.prefixes)

  def make_loss(self, run: Run, batches: int) -> LossBetween:
    """Returns the mean training loss on batches of a run's own data.

    They are those that would come after its last step. Their texts are the
    mixture's and no others: it is a training loss, of a new draw.

    Raises:
      FileNotFoundError: if the run's data has not been made.
      ValueError: if they, or the mesh, do not fit the run.
    """
    run.check_layout(self.layout)
    shards = self.layout.shards('batch')
    loader = open_loader(
      run.data,
      seed=run.seed,
      shards=shards,
      rows_at_once=run.microbatch // shards,
    )
    sharding = self.layout.sharding('batch')
    drawn = [
      jax.device_put(loader.batch(run.steps + i)[1], sharding)
      for i in range(batches)
    ]
    loss = make_loss(
      make_embedder(run.model, run.compute), run.loss, run.microbatch
    )

    @jax.jit
    def between(params, other, share, batch) -> Float[Array, '']:
      return loss(average.lerp(params, other, share), batch)[0]

    def mean(params: Params, other: Params, share: float) -> float:
      with axes.use(self.layout):
        found = [float(between(params, other, share, b)) for b in drawn]
      return statistics.fmean(found)

    return mean


def open_kitchen(soup: Soup, first: Ingredient) -> Kitchen:
  """Opens the model that the first ingredient is of, and its held-out tasks.

  Raises:
    FileNotFoundError: if the held-out texts are not there.
    ValueError: if the mesh does not fit the model or the run's microbatch.
  """
  run = first.run
  layout = Layout(axes.make_mesh(soup.mesh), soup.rules)
  embedder = make_embedder(run.model, run.compute.for_any_length())
  like = abstract_params(embedder, layout)
  encoder = encode.make_encoder(
    embedder,
    like,
    Tokenizer(first.workdir.tokenizer),
    layout,
    lengths=encode.lengths_to(run.data.lengths[-1]),
    rows=run.microbatch,
  )
  tasks = suite.load_tasks(
    run.evaluation, run.data, in_training=soup.fewer_candidates
  )
  return Kitchen(
    embedder=embedder,
    layout=layout,
    like=like,
    encoder=encoder,
    tasks=tasks,
    prefixes=run.loss.prefixes,
  )
