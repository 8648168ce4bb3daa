"""MRL: one loss for each prefix, for the price of one.

Source: Matryoshka Representation Learning (arXiv:2205.13147), equation 1, as
used in Gemini Embedding (arXiv:2503.07891), section 3.2: the loss is summed
over nested prefixes of the embedding (there 768, 1536 and 3072), each
renormalised.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from gemb.losses.config import LossConfig, check_prefixes
from gemb.losses.contrastive import contrastive_loss
from gemb.losses.distillation import distillation_loss
from gemb.losses.spread_out import spread_out
from gemb.types import Batch, Embeddings


def total_loss(
  config: LossConfig, embeddings: Embeddings, batch: Batch
) -> tuple[Float[Array, ''], dict[str, Float[Array, '...']]]:
  """Returns the weighted sum of all losses over the prefixes, and metrics.

  Args:
    config: prefixes, weights, and which losses there are.
    embeddings: of the batch's texts, of any length.
    batch: which texts are the same, and which hard negatives are there.

  Returns:
    The loss, and {'loss/M': equation 1 for each prefix, 'accuracy': in the
    batch at the last prefix, 'example_loss': [B], all that is summed over
    examples}; 'spread_out' and 'distillation' where there are any, unweighted.

  Raises:
    ValueError: if a prefix is wider than the embedding.
  """
  check_prefixes(config.prefixes, embeddings.query.shape[-1])
  weights_1J = jnp.array([config.weights or (1.0,) * len(config.prefixes)])
  loss_BJ, accuracy = contrastive_loss(config, embeddings, batch)
  metrics = {
    f'loss/{M}': loss_BJ[:, j].mean() for j, M in enumerate(config.prefixes)
  }
  metrics['accuracy'] = accuracy
  example_B = jnp.sum(loss_BJ * weights_1J, axis=1)
  if config.distillation:
    distance_BJ = distillation_loss(embeddings, batch, config.prefixes)
    distance_B = jnp.sum(distance_BJ * weights_1J, axis=1)
    metrics['distillation'] = distance_B.mean()
    example_B += config.distillation * distance_B
  value = example_B.mean()
  if config.spread_out:
    sides = embeddings.query, embeddings.positive
    moment_J = sum(spread_out(side, config.prefixes) for side in sides)
    metrics['spread_out'] = jnp.sum(moment_J * weights_1J[0])
    value += config.spread_out * metrics['spread_out']
  return value, metrics | {'example_loss': example_B}
