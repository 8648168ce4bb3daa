"""Reciprocal rank fusion: one order out of several.

Source: Cormack, Clarke and Buettcher (SIGIR 2009), equation 1, whose constant
is 60; Gemini Embedding (arXiv:2503.07891), section 4.4.
"""

import numpy as np
from jaxtyping import Float, Int64


def ranks(signal: Float[np.ndarray, 'n']) -> Float[np.ndarray, 'n']:
  """Returns the rank of each value, from 1 for the greatest.

  Equal values share the mean of the ranks that they take up, so that a signal
  that tells nothing apart has no say. NaN, what is not known, ranks last, and
  is equal to itself.

  >>> ranks(np.array([0.5, 2.0, np.nan, 0.5])).tolist()
  [2.5, 1.0, 4.0, 2.5]
  """
  falling = -np.nan_to_num(signal, nan=-np.inf)
  _, places, counts = np.unique(
    falling, return_inverse=True, return_counts=True
  )
  last = np.cumsum(counts)
  return ((2 * last - counts + 1) / 2)[places]


def fuse(
  signals: Float[np.ndarray, 's n'], constant: float
) -> Float[np.ndarray, 'n']:
  """Returns the sum over signals of 1 / (constant + rank): higher is better."""
  return sum(
    (1 / (constant + ranks(signal)) for signal in signals),
    np.zeros(signals.shape[1]),
  )


def order(
  signals: Float[np.ndarray, 's n'], constant: float
) -> Int64[np.ndarray, 'n']:
  """Returns the places of all in falling fused score; equals stay in order."""
  return np.argsort(-fuse(signals, constant), kind='stable')
