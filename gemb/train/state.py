"""What training carries from step to step, laid out over the mesh."""

import dataclasses
import typing
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int32

from gemb.axes import Layout
from gemb.model.embedder import Embedder, Params


# Unchecked: jax.tree.map also fills it with shardings and shapes.
@typing.no_type_check
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainState:
  """Everything that a checkpoint must hold to go on.

  Attributes:
    step: updates done; also the step whose batch comes next.
    params: of the embedder, float32.
    opt_state: of the optimizer.
  """

  step: Int32[Array, '']
  params: Params
  opt_state: Any


def abstract_params(embedder: Embedder, layout: Layout) -> Params:
  """Returns the parameters' shapes and shardings without computing them.

  Raises:
    ValueError: if the mesh does not divide a parameter.
  """
  return jax.tree.map_with_path(
    lambda path, shape, names: _place(layout, path, shape, names),
    jax.eval_shape(embedder.init, jax.random.key(0)),
    embedder.logical_axes,
  )


def abstract_state(
  embedder: Embedder,
  optimizer: optax.GradientTransformation,
  layout: Layout,
) -> TrainState:
  """Returns the state's shapes and shardings without computing it.

  Moments lie where their parameters lie; counters are on every device.

  Raises:
    ValueError: if the mesh does not divide a parameter.
  """
  params = abstract_params(embedder, layout)
  whole = layout.sharding()
  opt_state = optax.tree_utils.tree_map_params(
    optimizer.init,
    lambda moment, param: _on(moment, param.sharding),
    jax.eval_shape(optimizer.init, params),
    params,
    transform_non_params=lambda x: _on(x, whole),
  )
  step: Any = jax.ShapeDtypeStruct((), jnp.int32, sharding=whole)
  return TrainState(step=step, params=params, opt_state=opt_state)


def init_params(embedder: Embedder, layout: Layout, seed: int) -> Params:
  """Initialises the parameters in place: no device ever holds all of them."""
  shardings = _shardings(abstract_params(embedder, layout))
  return jax.jit(embedder.init, out_shardings=shardings)(jax.random.key(seed))


def init_state(
  embedder: Embedder,
  optimizer: optax.GradientTransformation,
  layout: Layout,
  params: Params,
) -> TrainState:
  """Initialises the optimizer in place, about these parameters."""
  opt_shardings = _shardings(
    abstract_state(embedder, optimizer, layout).opt_state
  )
  return TrainState(
    step=jax.device_put(jnp.int32(0), layout.sharding()),
    params=params,
    opt_state=jax.jit(optimizer.init, out_shardings=opt_shardings)(params),
  )


def _shardings(tree: Any) -> Any:
  return jax.tree.map(lambda x: x.sharding, tree)


def _on(x: jax.ShapeDtypeStruct, sharding) -> jax.ShapeDtypeStruct:
  return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding)


def _place(layout: Layout, path, shape, names) -> jax.ShapeDtypeStruct:
  what = jax.tree_util.keystr(path)
  for name, size in zip(names, shape.shape, strict=True):
    layout.check_divides(name, size, f'Axis {name!r} of parameter {what}')
  return _on(shape, layout.sharding(*names))
