"""What is compiled: a run's train step, or its loss alone; no data is read."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gemb import axes
from gemb.axes import AxisRules, Layout, MeshConfig
from gemb.data import packing
from gemb.data.config import DataConfig
from gemb.losses.config import LossConfig
from gemb.losses.matryoshka import total_loss
from gemb.model.embedder import make_embedder
from gemb.run import Run
from gemb.train import optimizer
from gemb.train.guard import abstract_seen
from gemb.train.state import TrainState, abstract_state
from gemb.train.step import make_loss, make_train_step
from gemb.types import Batch, Embeddings, Packed, Padded


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepProgram:
  """The train step of a run, on the largest batch that it may meet.

  Attributes:
    run: whose step.
    tokens: of each text, where texts share rows: how many rows there are; None:
      the most that `DataConfig.shapes` lets them have.
  """

  run: Run
  tokens: int | None = None

  def layout(self, devices: Sequence[jax.Device]) -> Layout:
    """Returns the run's mesh on these devices.

    Raises:
      ValueError: if mesh, batch and microbatch do not fit each other.
    """
    layout = Layout(axes.make_mesh(self.run.mesh, devices), self.run.rules)
    self.run.check_layout(layout)
    return layout

  def arguments(self, layout: Layout) -> tuple[TrainState, Batch]:
    """Returns the shapes and places of the state and of a batch."""
    _, updates, _, embedder = self._parts()
    state = abstract_state(embedder, updates, layout)
    at_once = self.run.microbatch // layout.shards('batch')
    batch = abstract_batch(
      self.run.data,
      layout,
      rows_at_once=at_once,
      tokens=self.tokens,
      teacher=self.run.model.embedding_width,
    )
    return state, batch

  def logical_axes(self) -> Any:
    """Returns the parameters' tree, with a tuple of axis names a leaf."""
    return self._parts()[-1].logical_axes

  def lower(self, layout: Layout) -> jax.stages.Lowered:
    """Traces the step."""
    schedule, updates, loss, _ = self._parts()
    guard = self.run.guard
    step: Any = make_train_step(loss, updates, schedule, guard)
    # Before `use`: on devices that are not there nothing can be computed.
    state, batch = self.arguments(layout)
    seen = abstract_seen(guard, layout)
    with axes.use(layout):
      return step.lower(state, batch, seen)

  def key(self) -> dict[str, Any]:
    """Returns all that the compiled program depends on, as JSON has it."""
    run = self.run
    names = ['model', 'compute', 'loss', 'optimizer', 'mesh', 'rules']
    if run.guard.watches:
      names.append('guard')
    return {name: repr(getattr(run, name)) for name in names} | {
      'microbatch': run.microbatch,
      'steps': run.steps,
      'batch': (run.data.batch_size, run.data.hard_negatives),
      'shape': run.data.shapes[-1],
      'packing': repr(run.data.packing),
      'teacher': run.data.teacher is not None,
      'tokens': self.tokens,
    }

  def _parts(self):
    run = self.run
    schedule = optimizer.make_schedule(run.optimizer, run.steps)
    embedder = make_embedder(run.model, run.compute)
    return (
      schedule,
      optimizer.make_optimizer(run.optimizer, schedule),
      make_loss(embedder, run.loss, run.microbatch),
      embedder,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossProgram:
  """The loss of embeddings that are there, and its gradient by them.

  Attributes:
    loss: which.
    pairs: B.
    width: E.
    hard_negatives: R.
    mesh: that the pairs are split over.
    rules: of the axes.
  """

  loss: LossConfig
  pairs: int
  width: int
  hard_negatives: int = 0
  mesh: MeshConfig = dataclasses.field(default_factory=MeshConfig)
  rules: AxisRules = dataclasses.field(default_factory=AxisRules)

  def layout(self, devices: Sequence[jax.Device]) -> Layout:
    """Returns the mesh on these devices."""
    layout = Layout(axes.make_mesh(self.mesh, devices), self.rules)
    layout.check_divides('pairs', self.pairs, 'The number of pairs')
    return layout

  def arguments(self, layout: Layout) -> tuple[Embeddings, Batch]:
    """Returns the shapes and places of the embeddings, and what is of them."""
    B, R, E = self.pairs, self.hard_negatives, self.width
    rows = layout.sharding(None, 'batch')
    negatives: Any = jax.ShapeDtypeStruct((R, B, E), jnp.float32, sharding=rows)
    embeddings = Embeddings(
      query=_spread(layout, (B, E), jnp.float32),
      positive=_spread(layout, (B, E), jnp.float32),
      negatives=negatives,
    )
    texts = Padded(
      query=_spread(layout, (B, 1), jnp.int32),
      positive=_spread(layout, (B, 1), jnp.int32),
      negatives=_spread(layout, (B, R, 1), jnp.int32),
    )
    return embeddings, _batch(layout, texts, B, R)

  def lower(self, layout: Layout) -> jax.stages.Lowered:
    """Traces the loss and its gradient."""

    def loss(embeddings: Embeddings, batch: Batch):
      return total_loss(self.loss, embeddings, batch)[0]

    arguments = self.arguments(layout)
    with axes.use(layout):
      return jax.jit(jax.value_and_grad(loss)).lower(*arguments)

  def key(self) -> dict[str, Any]:
    """Returns all that the compiled program depends on, as JSON has it."""
    return {'program': repr(self)}


Program = StepProgram | LossProgram


def abstract_batch(
  data: DataConfig,
  layout: Layout,
  *,
  rows_at_once: int,
  tokens: int | None = None,
  teacher: int = 0,
) -> Batch:
  """Returns the shapes and places of the largest batch of a configuration.

  Args:
    data: sizes, shapes and packing.
    layout: that the batch is split by.
    rows_at_once: of packed texts that a shard encodes at a time.
    tokens: of a packed text; None: the longest.
    teacher: width of the stored embeddings, where there are some.
  """
  B, R = data.batch_size, data.hard_negatives
  query, passage = data.shapes[-1]
  if data.packing is None:
    texts: Any = Padded(
      query=_spread(layout, (B, query), jnp.int32),
      positive=_spread(layout, (B, passage), jnp.int32),
      negatives=_spread(layout, (B, R, passage), jnp.int32),
    )
  else:
    shards, length = layout.shards('batch'), data.packing.row_length
    example = [query] + [passage] * (1 + R)
    lengths = np.array(example * (B // shards))
    needed = packing.pack(np.minimum(lengths, tokens or passage), length).rows
    rows = shards * packing.round_up(needed, rows_at_once)
    texts = Packed(
      tokens=_spread(layout, (rows, length), jnp.int32),
      segments=_spread(layout, (rows, length), jnp.int32),
      place=_spread(layout, (B, 2 + R), jnp.int32),
      slots=packing.slots(length),
      shards=shards,
    )
  return _batch(layout, texts, B, R, teacher if data.teacher else 0)


def _batch(layout: Layout, texts: Any, B: int, R: int, teacher: int = 0) -> Any:
  shape = (B, 2 + R, teacher)
  return Batch(
    texts=texts,
    has_negative=_spread(layout, (B, R), jnp.bool_),
    query_id=_spread(layout, (B, 2), jnp.uint32),
    positive_id=_spread(layout, (B, 2), jnp.uint32),
    teacher=_spread(layout, shape, jnp.float32) if teacher else None,
  )


def _spread(layout: Layout, shape: tuple[int, ...], dtype: Any) -> Any:
  """Returns an array of a batch, split as the loop splits it."""
  return jax.ShapeDtypeStruct(shape, dtype, sharding=layout.sharding('batch'))
