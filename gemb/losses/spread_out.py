"""The spread-out term: texts that have nothing in common lie far apart.

Source: EmbeddingGemma (arXiv:2509.20354), equation 4: the second moment of
Global Orthogonal Regularization (arXiv:1708.06320),

  1/(B(B-1)) sum_{i != j} (q_i . q_j)^2 + 1/(B(B-1)) sum_{i != j} (p_i . p_j)^2

over unit vectors.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from gemb.losses.cosine import inverse_norms


def spread_out(
  x: Float[Array, 'B E'], prefixes: tuple[int, ...]
) -> Float[Array, 'J']:
  """Returns the mean squared cosine of different vectors, for each prefix.

  The squares of all B x B inner products sum to those of the M x M products of
  dimensions: sum_ij (x_i . x_j)^2 = |X X^T|^2 = |X^T X|^2. So the term is
  exact at any batch size, in time and memory linear in it.
  """
  B = len(x)
  inverse_BJ = inverse_norms(x, prefixes)
  moments = []
  for j, M in enumerate(prefixes):
    unit_BM = x[:, :M] * inverse_BJ[:, j : j + 1]
    product_MM = jnp.einsum('BM,BN->MN', unit_BM, unit_BM)
    itself = jnp.sum(jnp.square(jnp.sum(unit_BM**2, axis=1)))
    moments.append(jnp.sum(product_MM**2) - itself)
  return jnp.stack(moments) / max(B * (B - 1), 1)
