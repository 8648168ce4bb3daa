"""AdamW with warm-up, cosine decay and clipping, from optax."""

import dataclasses
from typing import Any

import jax
import optax


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
  """Numbers of the optimizer; the report states none of them.

  Attributes:
    learning_rate: the peak, reached after warm-up.
    warmup_steps: of linear growth from 0.
    final_fraction: of the peak that the cosine decays to at the last step.
    b1: decay of the first moment.
    b2: decay of the second moment.
    weight_decay: decoupled; applied to matrices, not to norm scales.
    clip_norm: largest global norm of a gradient.
  """

  learning_rate: float
  warmup_steps: int
  final_fraction: float = 0.1
  b1: float = 0.9
  b2: float = 0.98
  weight_decay: float = 0.01
  clip_norm: float = 1.0

  def __post_init__(self):
    if self.learning_rate <= 0 or self.clip_norm <= 0:
      raise ValueError(
        f'OptimizerConfig.learning_rate={self.learning_rate} and '
        f'clip_norm={self.clip_norm} must be greater than 0.'
      )
    if self.warmup_steps < 0:
      raise ValueError(
        f'OptimizerConfig.warmup_steps is {self.warmup_steps}; it must not be '
        'negative.'
      )


def make_schedule(config: OptimizerConfig, steps: int) -> optax.Schedule:
  """Returns the learning rate at each step of a run of `steps` steps.

  The first step (0) already moves: its rate is peak / warmup_steps.

  Raises:
    ValueError: if the warm-up does not end before the run does.
  """
  check_warmup(config, steps)
  schedule = optax.warmup_cosine_decay_schedule(
    init_value=0.0,
    peak_value=config.learning_rate,
    warmup_steps=config.warmup_steps,
    decay_steps=steps,
    end_value=config.learning_rate * config.final_fraction,
  )
  return lambda step: schedule(step + 1)


def check_warmup(config: OptimizerConfig, steps: int) -> None:
  """Raises ValueError if the warm-up does not end before the run does."""
  if config.warmup_steps >= steps:
    raise ValueError(
      f'OptimizerConfig.warmup_steps={config.warmup_steps} must be less than '
      f'Run.steps={steps}.'
    )


def make_optimizer(
  config: OptimizerConfig, schedule: optax.Schedule
) -> optax.GradientTransformation:
  """Returns clipping, then AdamW at the schedule's learning rate."""

  def decayed(params):
    return jax.tree.map_with_path(lambda path, _: not _is_scale(path), params)

  return optax.chain(
    optax.clip_by_global_norm(config.clip_norm),
    optax.adamw(
      schedule,
      b1=config.b1,
      b2=config.b2,
      weight_decay=config.weight_decay,
      mask=decayed,
    ),
  )


def unseen(before: Any, after: Any) -> Any:
  """Returns the optimizer's state after a step that it is not to know of.

  The learning rate alone moves on: it is that of the step's number, as of any
  other. Moments, and how many steps they are of, stay.

  Args:
    before: its state before the step.
    after: as it would have been.
  """

  def is_schedule(x: Any) -> bool:
    return isinstance(x, optax.ScaleByScheduleState)

  return jax.tree.map(
    lambda old, new: new if is_schedule(old) else old,
    before,
    after,
    is_leaf=is_schedule,
  )


def _is_scale(path) -> bool:
  return path[-1].key == 'scale'
