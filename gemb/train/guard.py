"""What becomes of a step whose loss, or gradient, is not as those before it.

The decision is a part of the train step: it is made of numbers of the global
batch, so that all processes make the same one, and nobody waits for it.

A spike is seen by the norm of the gradient, not by the loss. PaLM
(arXiv:2204.02311, section 5.1) saw its loss spike about 20 times although
gradients were clipped; it went back 100 steps and left out the batches around
the spike, after which there was none, though the same batches did no harm from
another checkpoint. So one has to leave out the update that does the harm, and
when the loss is seen to be high that has been done. SPAM (arXiv:2501.06842)
finds gradients of up to 1000 times the usual size before spikes of the loss,
and that Adam's moments remember them for long, clipped or not. And here the
loss is no measure: batches are of one task each (arXiv:2503.07891, section 3),
and each task has its own.
"""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from gemb.axes import Layout


@dataclasses.dataclass(frozen=True, kw_only=True)
class GuardConfig:
  """Whether to stop at a step that is not as it should be, or to go on.

  A step that is left out changes neither parameters nor moments; the next one
  has the next batch, and its own learning rate. The defaults cost nothing:
  nothing is compiled into the train step.

  Attributes:
    not_finite: what is done where loss or gradient is not finite.
    spike: what is done where the norm of the gradient, before it is clipped, is
      above `spike_factor` times the running mean of the steps that were taken.
    spike_factor: see there.
    decay: of the running mean; it is over about 1 / (1 - decay) steps.
    after: steps that the mean must be of before a spike is told by it.
    most_skipped: steps left out in a row; at one more the run stops, since the
      model, not a batch, is at fault.
  """

  not_finite: Literal['stop', 'skip'] = 'stop'
  spike: Literal['ignore', 'stop', 'skip'] = 'ignore'
  spike_factor: float = 10.0
  decay: float = 0.99
  after: int = 100
  most_skipped: int = 10

  def __post_init__(self):
    if self.spike_factor <= 1:
      raise ValueError(
        f'GuardConfig.spike_factor is {self.spike_factor}; it must be greater '
        'than 1, or usual steps are spikes.'
      )
    if not 0 <= self.decay < 1:
      raise ValueError(
        f'GuardConfig.decay is {self.decay}; it must be at least 0 and less '
        'than 1.'
      )
    if self.after < 1 or self.most_skipped < 1:
      raise ValueError(
        f'GuardConfig has after={self.after} and most_skipped='
        f'{self.most_skipped}; both must be at least 1.'
      )

  @property
  def watches(self) -> bool:
    """Whether the train step must look; not where all it does is stop."""
    return self.not_finite == 'skip' or self.spike != 'ignore'


# Unchecked: jax.tree.map also fills it with shardings and shapes.
@typing.no_type_check
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Seen:
  """What the train step remembers of the steps before.

  Attributes:
    usual: the running mean of the gradient's norm.
    taken: steps that it is of.
    skipped: steps left out since the last one that was taken.
  """

  usual: Float[Array, '']
  taken: Int32[Array, '']
  skipped: Int32[Array, '']


def abstract_seen(config: GuardConfig, layout: Layout) -> Seen | None:
  """Returns the shapes of what there is to remember; None: nothing.

  Args:
    config: the policy.
    layout: every device has it.
  """
  if not config.watches:
    return None
  whole = layout.sharding()
  count: Any = jax.ShapeDtypeStruct((), jnp.int32, sharding=whole)
  usual: Any = jax.ShapeDtypeStruct((), jnp.float32, sharding=whole)
  return Seen(usual=usual, taken=count, skipped=count)


def begin(
  config: GuardConfig, layout: Layout, saved: Mapping[str, Any] | None = None
) -> Seen | None:
  """Returns what the first step of a start remembers.

  It is no part of a checkpoint's arrays, but of what is said about it: a run
  may go on with another policy than it began with.

  Args:
    config: the policy.
    layout: every device has it.
    saved: what `remembered` has given, for a run that goes on.
  """
  saved = saved or {'usual': 0.0, 'taken': 0, 'skipped': 0}
  return jax.tree.map(
    lambda like, number: jax.device_put(
      jnp.asarray(number, like.dtype), like.sharding
    ),
    abstract_seen(config, layout),
    Seen(**saved) if config.watches else None,
  )


def remembered(seen: Seen | None) -> dict[str, int | float] | None:
  """Returns it as JSON has it, to the last bit."""
  if seen is None:
    return None
  return {
    'usual': float(seen.usual),
    'taken': int(seen.taken),
    'skipped': int(seen.skipped),
  }


def judge(
  config: GuardConfig,
  seen: Seen,
  loss: Float[Array, ''],
  norm: Float[Array, ''],
) -> tuple[Bool[Array, ''], Seen]:
  """Returns whether to leave a step out, and what to remember.

  So it is too where the run will stop: there the state is thrown away.

  Args:
    config: the policy, of which the numbers count here.
    seen: of the steps before.
    loss: of this step.
    norm: of its gradient, before it is clipped.
  """
  odd = ~(jnp.isfinite(loss) & jnp.isfinite(norm))
  if config.spike != 'ignore':
    known = seen.taken >= config.after
    odd |= known & (norm > config.spike_factor * seen.usual)
  # The mean of all steps at first, then of the latest.
  share = jnp.maximum(1 - config.decay, 1 / (seen.taken + 1))
  after = Seen(
    usual=seen.usual + share * (norm - seen.usual),
    taken=seen.taken + 1,
    skipped=jnp.zeros_like(seen.skipped),
  )
  before = dataclasses.replace(seen, skipped=seen.skipped + 1)
  return odd, choose(odd, before, after)


def choose(odd: Bool[Array, ''], before: Any, after: Any) -> Any:
  """Returns `before` of two equal trees where a step is left out."""
  return jax.tree.map(lambda x, y: jnp.where(odd, x, y), before, after)
