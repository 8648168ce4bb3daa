"""Mixtures as whole batches of every 1,000, and random ones around another.

The schedule gives each task its batches of every 1,000 exactly, so these are
all mixtures that there are: two with the same batches are the same.
"""

import hashlib
from collections.abc import Mapping

import numpy as np

from gemb.data.sampling import BLOCK, generator

RATES = 'gemb.data.config.DataConfig.rates'  # as a gin file names them
Mixture = dict[str, int]  # {task: its batches of every BLOCK}


def make_mixture(shares: Mapping[str, int | float]) -> Mixture:
  """Returns the mixture nearest to these shares, by largest remainder.

  A task that would have less than one batch is raised to one, for otherwise it
  could not be trained on; the largest gives it up.

  >>> make_mixture({'a': 2.0, 'b': 1.0})
  {'a': 667, 'b': 333}
  >>> make_mixture({'a': 1.0, 'b': 1e-9})
  {'a': 999, 'b': 1}
  """
  share = np.array(list(shares.values()), np.float64)
  share *= BLOCK / share.sum()
  batches = np.maximum(np.floor(share), 1).astype(int)
  missing = BLOCK - batches.sum()
  if missing > 0:
    batches[np.argsort(batches - share, kind='stable')[:missing]] += 1
  while batches.sum() > BLOCK:
    batches[batches.argmax()] -= 1
  return dict(zip(shares, batches.tolist(), strict=True))


def draw_mixture(
  around: Mixture, *, concentration: float, seed: int, number: int
) -> Mixture:
  """Draws a mixture from the Dirichlet distribution with this mean.

  Args:
    around: the mean.
    concentration: sum of the distribution's parameters; a share p has the
      variance p (1 - p) / (concentration + 1).
    seed: of all draws.
    number: of this one.
  """
  mean = np.array(list(around.values())) / BLOCK
  drawn = generator(seed, 'dirichlet', number).dirichlet(concentration * mean)
  return make_mixture(dict(zip(around, drawn.tolist(), strict=True)))


def rates_of(mixture: Mixture) -> dict[str, float]:
  """Returns the mixture as DataConfig.rates."""
  return {task: float(batches) for task, batches in mixture.items()}


def name_of(mixture: Mixture) -> str:
  """Returns what tells a mixture from all others of its tasks, short."""
  text = repr(sorted(mixture.items()))
  return hashlib.blake2b(text.encode(), digest_size=5).hexdigest()
