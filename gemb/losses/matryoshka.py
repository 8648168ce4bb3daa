"""MRL: one contrastive loss for each prefix, for the price of one.

Source: Matryoshka Representation Learning (arXiv:2205.13147), equation 1, as
used in Gemini Embedding (arXiv:2503.07891), section 3.2: the loss is summed
over nested prefixes of the embedding (there 768, 1536 and 3072), each
renormalised. Inner products of nested prefixes are partial sums,
<q,p>_1536 = <q,p>_768 + <q,p>_768:1536, so that all prefixes together cost
one full matrix product.
"""

import dataclasses
from collections.abc import Iterator

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from gemb import axes
from gemb.losses import contrastive


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossConfig:
  """Equation 1 over nested prefixes.

  Attributes:
    prefixes: M, ascending; the last is the width that `accuracy` is taken at.
    temperature: t > 0.
    weights: of each prefix in the sum; None: 1 each, as EmbeddingGemma states
      (arXiv:2509.20354, 2.2) and the report seems to imply.
  """

  prefixes: tuple[int, ...]
  temperature: float
  weights: tuple[float, ...] | None = None

  def __post_init__(self):
    ascending = all(
      a < b for a, b in zip((0, *self.prefixes), self.prefixes, strict=False)
    )
    if not self.prefixes or not ascending:
      raise ValueError(
        f'LossConfig.prefixes is {self.prefixes}; it must hold positive '
        'widths in ascending order, such as (64, 128, 256).'
      )
    if self.temperature <= 0:
      raise ValueError(
        f'LossConfig.temperature is {self.temperature}; it must be greater '
        'than 0.'
      )
    if self.weights is not None and len(self.weights) != len(self.prefixes):
      raise ValueError(
        f'LossConfig.weights has {len(self.weights)} numbers for '
        f'{len(self.prefixes)} prefixes; give one each.'
      )


def matryoshka_loss(
  config: LossConfig,
  query: Float[Array, 'B E'],
  positive: Float[Array, 'B E'],
  negatives: Float[Array, 'B R E'],
  *,
  mask: Bool[Array, 'B B'],
  has_negative: Bool[Array, 'B R'],
) -> tuple[Float[Array, ''], dict[str, Float[Array, '...']]]:
  """Returns the weighted sum of equation 1 over the prefixes, and metrics.

  Args:
    config: prefixes, temperature and weights.
    query: embeddings, of any length.
    positive: row i answers query i.
    negatives: row i holds the hard negatives of query i.
    mask: `contrastive.in_batch_mask`.
    has_negative: False where `negatives` only fills the row.

  Returns:
    The loss, and {'loss/M': for each prefix, 'accuracy': in the batch at the
    last prefix, 'example_loss': [B], summed over prefixes}.

  Raises:
    ValueError: if a prefix is wider than the embedding.
  """
  check_prefixes(config.prefixes, query.shape[-1])
  weights = config.weights or (1.0,) * len(config.prefixes)
  total_B = jnp.zeros(query.shape[0])
  metrics = {}
  for M, weight, (similarity_BB, hard_BR) in zip(
    config.prefixes,
    weights,
    cosines(query, positive, negatives, config.prefixes),
    strict=True,
  ):
    loss_B = contrastive.contrastive_loss(
      similarity_BB,
      hard_BR,
      mask_BB=mask,
      has_negative_BR=has_negative,
      temperature=config.temperature,
    )
    total_B += weight * loss_B
    metrics[f'loss/{M}'] = loss_B.mean()
    metrics['accuracy'] = contrastive.accuracy(similarity_BB, mask)
  return total_B.mean(), metrics | {'example_loss': total_B}


def check_prefixes(prefixes: tuple[int, ...], embedding_width: int) -> None:
  """Raises ValueError if a prefix is wider than the embedding."""
  if max(prefixes) > embedding_width:
    raise ValueError(
      f'Prefix {max(prefixes)} is wider than the embedding, which has '
      f'{embedding_width} dimensions; shorten LossConfig.prefixes or widen '
      'EmbedderConfig.embedding_width.'
    )


def cosines(
  query_BE: Float[Array, 'B E'],
  positive_BE: Float[Array, 'B E'],
  negatives_BRE: Float[Array, 'B R E'],
  prefixes: tuple[int, ...],
) -> Iterator[tuple[Float[Array, 'B B'], Float[Array, 'B R']]]:
  """Yields, prefix by prefix, the cosines that equation 1 needs, float32.

  Sums over one block of dimensions after another: squared lengths and inner
  products of a prefix are those of the prefix before plus its block's.
  """
  total = None
  for start, end in zip((0, *prefixes), prefixes, strict=False):
    q_BM, p_BM, n_BRM = (
      x[..., start:end].astype(jnp.float32)
      for x in (query_BE, positive_BE, negatives_BRE)
    )
    q_BM = axes.constrain(q_BM, 'batch', None)
    p_BM = axes.constrain(p_BM, 'passages', None)
    block = (
      jnp.einsum('BM,PM->BP', q_BM, p_BM),
      jnp.einsum('BM,BRM->BR', q_BM, n_BRM),
      *(jnp.sum(jnp.square(x), axis=-1) for x in (q_BM, p_BM, n_BRM)),
    )
    total = block if total is None else jax.tree.map(jnp.add, total, block)
    inner_BB, inner_BR, *squares = total
    # Clamped: a hard negative that is not there may have length 0, and 1 / 0
    # would turn its masked-out term into NaN in the backward pass.
    q_B, p_B, n_BR = (jax.lax.rsqrt(jnp.maximum(x, 1e-24)) for x in squares)
    yield inner_BB * q_B[:, None] * p_B[None], inner_BR * q_B[:, None] * n_BR
