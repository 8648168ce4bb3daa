"""After how many steps a task has converged: read off its training loss.

Gemini Embedding (arXiv:2503.07891), section 3.3, takes the rates of a mixture
from the number of steps to converge on each data set, and says no more of it.
Here losses l_1 ... l_n, at steps t_1 < ... < t_n, are smoothed, and what rises
again is not counted:

  s_i = mean of the l_j with |j - i| <= reach, fewer at the ends
  m_i = min of the s_j with j <= i

The steps to converge are the first t_i that has made most of the whole fall:

  m_1 - m_i >= FALL (m_1 - m_n)
"""

import dataclasses
from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, Int

from gemb.evals.results import MetricsLine

FALL = 0.95
LATE = 0.8  # of the run; one that converges later may not have ended
SMOOTHED = 0.05  # of the run, over which a mean is taken


@dataclasses.dataclass(frozen=True, kw_only=True)
class Curve:
  """How the loss of a task falls when it is trained on alone.

  Attributes:
    steps: that have a loss, ascending.
    loss: m_i, in nats.
  """

  steps: Int[np.ndarray, 'n']
  loss: Float[np.ndarray, 'n']

  @property
  def fallen(self) -> Float[np.ndarray, 'n']:
    """The share of the whole fall that each step has made; 1 if none is."""
    fall = self.loss[0] - self.loss
    return fall / fall[-1] if fall[-1] > 0 else np.ones_like(fall)

  @property
  def converged(self) -> int:
    """The steps to converge."""
    return int(self.steps[np.argmax(self.fallen >= FALL)])

  @property
  def is_late(self) -> bool:
    """Whether a longer run would move the end of the fall."""
    return bool(self.converged > LATE * self.steps[-1])


def make_curve(metrics: Iterable[MetricsLine]) -> Curve:
  """Returns the curve of a run.

  Args:
    metrics: the lines of its metrics.jsonl.

  Raises:
    ValueError: if they hold no loss.
  """
  losses = {line['step']: line['loss'] for line in metrics if 'loss' in line}
  if not losses:
    raise ValueError(
      'A run has no line of metrics with a loss; lower Run.log_every_steps.'
    )
  reach = round(SMOOTHED * len(losses) / 2)
  smoothed = smooth(np.array(list(losses.values()), float), reach)
  return Curve(
    steps=np.array(list(losses), int), loss=np.minimum.accumulate(smoothed)
  )


def smooth(
  values: Float[np.ndarray, 'n'], reach: int
) -> Float[np.ndarray, 'n']:
  """Returns the mean of each value and its neighbours, so many either side.

  >>> smooth(np.array([6.0, 3.0, 0.0, 3.0]), 1).tolist()
  [4.5, 3.0, 2.0, 1.5]
  """
  return np.array(
    [
      values[max(0, place - reach) : place + reach + 1].mean()
      for place in range(len(values))
    ]
  )
