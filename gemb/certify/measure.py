"""The run's own path on a mesh against the plain one: loss and gradients."""

import dataclasses
import math
from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Array, Float64

from gemb import axes, provenance
from gemb.axes import MeshConfig
from gemb.certify import batches, faults, meshes, plain_model, small
from gemb.certify.batches import Examples
from gemb.certify.certificate import Certificate, Row
from gemb.losses.plain import plain_loss
from gemb.model.embedder import Embedder, Params, make_embedder
from gemb.run import Run
from gemb.train.state import abstract_params
from gemb.train.step import make_loss
from gemb.types import Batch

# Of float32 against float64: rounding was 3e-6 at most on all runs, meshes and
# losses, and the least of the seeded faults makes a difference of 2e-2.
TOLERANCE = 1e-5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
  """A run, and what its loss and gradients should be on a synthetic batch.

  Attributes:
    run: at the sizes that are compared.
    embedder: of the run.
    params: of the embedder, as they are before training; on the host.
    examples: of the batch.
    loss: of the reference.
    gradient: of the reference, by every parameter.
  """

  run: Run
  embedder: Embedder
  params: Params
  examples: Examples
  loss: Float64[np.ndarray, '']
  gradient: Params

  def row(self, mesh: MeshConfig) -> Row:
    """Computes the run's own path on a mesh, and compares it."""
    loss, gradient = self._on_mesh(mesh)
    differences = jax.tree.map(_difference, gradient, self.gradient)
    by_path, _ = jax.tree.flatten_with_path(differences)
    path, worst = max(by_path, key=lambda item: item[1])
    return Row(
      mesh={'data': mesh.data, 'fsdp': mesh.fsdp, 'tensor': mesh.tensor},
      loss=float(loss),
      loss_difference=_difference(loss, self.loss),
      parameter=jax.tree_util.keystr(path, simple=True, separator='/'),
      difference=worst,
    )

  def _on_mesh(self, mesh: MeshConfig) -> tuple[np.ndarray, Params]:
    run = self.run
    with axes.use(meshes.make_layout(run, mesh)) as layout:
      like = abstract_params(self.embedder, layout)
      shardings = jax.tree.map(lambda x: x.sharding, like)
      batch = batches.lay_out(self.examples, run, layout.shards('batch'))
      loss = make_loss(self.embedder, run.loss, run.microbatch)
      (value, _), gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))(
        jax.device_put(self.params, shardings),
        jax.device_put(batch, layout.sharding('batch')),
      )
      return jax.device_get((value, gradient))


def prepare(run: Run) -> Comparison:
  """Draws parameters and a batch, and computes the reference."""
  embedder = make_embedder(run.model, run.compute)
  params = jax.device_get(jax.jit(embedder.init)(jax.random.key(run.seed)))
  examples = batches.make_examples(run)
  loss, gradient = _reference(run, params, examples)
  return Comparison(
    run=run,
    embedder=embedder,
    params=params,
    examples=examples,
    loss=loss,
    gradient=gradient,
  )


def certify(
  run: Run,
  *,
  full: bool = False,
  fault: str | None = None,
  tell: Callable[[Row], None] = lambda row: None,
) -> Certificate:
  """Compares loss and gradients of a run's path with the reference.

  Args:
    run: what is to be certified.
    full: whether at the sizes that it has; by default they are made small.
    fault: of `gemb.certify.FAULTS`, to be planted in the run's path.
    tell: is called with each row when it is there.

  Raises:
    ValueError: if there are too few devices, or too many for the run's batch.
  """
  here = small.for_cpus(run) if full else small.shrink(run)
  chosen, left_out = meshes.choose_meshes(here)
  comparison = prepare(here)
  rows = []
  with faults.plant(fault):
    for mesh in chosen:
      rows.append(comparison.row(mesh))
      tell(rows[-1])
  return Certificate(
    rows=tuple(rows),
    reference=float(comparison.loss),
    tolerance=TOLERANCE,
    batch=batches.describe(comparison.examples, here),
    changes=tuple(small.changes(run, here)),
    left_out=tuple(left_out),
    fault=fault,
    about=provenance.about_run(),
  )


def _reference(
  run: Run, params: Params, examples: Examples
) -> tuple[np.ndarray, Params]:
  """Returns loss and gradient of the plain path, in float64 on one device."""

  def loss(params: Params, tokens_BIL: Array, batch: Batch) -> Array:
    embeddings = plain_model.embed_batch(run.model, params, tokens_BIL)
    return plain_loss(run.loss, embeddings, batch)[0]

  def widen(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float64) if x.dtype == np.float32 else x

  given = params, examples.tokens, batches.padded(examples, run)
  with jax.enable_x64(True):
    widened = jax.tree.map(widen, given)
    return jax.device_get(jax.jit(jax.value_and_grad(loss))(*widened))


def _difference(got: np.ndarray, wanted: np.ndarray) -> float:
  """Returns the greatest difference, relative to the largest entry wanted."""
  difference = float(np.abs(np.float64(got) - wanted).max())
  largest = float(np.abs(wanted).max())
  if not math.isfinite(difference) or (difference and not largest):
    return math.inf
  return difference / largest if largest else 0.0
