"""Every loss as its equation reads, on whole matrices of the batch.

The reference that `gemb certify` and the tests hold the other modules to: it
shares nothing with them but the configuration. It takes memory for B x B
cosines, several times, and is for small batches.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from gemb.losses.config import LossConfig
from gemb.types import Batch, Embeddings, Padded


def plain_loss(
  config: LossConfig, embeddings: Embeddings, batch: Batch
) -> tuple[Float[Array, ''], dict[str, Float[Array, '...']]]:
  """Returns what `matryoshka.total_loss` returns, in the embeddings' dtype.

  Raises:
    ValueError: if hard negatives of others are to be compared with positives
      (LossConfig.hard_negatives='all') in packed texts; or if the batch has no
      teacher to learn from (LossConfig.distillation).
  """
  weights = config.weights or (1.0,) * len(config.prefixes)
  value, metrics = jnp.zeros((), embeddings.query.dtype), {}
  example_B = jnp.zeros_like(embeddings.query[:, 0])
  for M, weight in zip(config.prefixes, weights, strict=True):
    q_BM, p_BM = _unit(embeddings.query, M), _unit(embeddings.positive, M)
    n_RBM = _unit(embeddings.negatives, M)
    loss_B, metrics['accuracy'] = _contrastive(config, q_BM, p_BM, n_RBM, batch)
    metrics[f'loss/{M}'] = loss_B.mean()
    example_B += weight * loss_B
    if config.distillation:
      distance_B = _distillation(q_BM, p_BM, n_RBM, batch, M)
      example_B += weight * config.distillation * distance_B
      total = metrics.get('distillation', 0) + weight * distance_B.mean()
      metrics['distillation'] = total
    if config.spread_out:
      moment = _second_moment(q_BM) + _second_moment(p_BM)
      metrics['spread_out'] = metrics.get('spread_out', 0) + weight * moment
      value += weight * config.spread_out * moment
  return value + example_B.mean(), metrics | {'example_loss': example_B}


def _unit(x: Float[Array, '*b E'], M: int) -> Float[Array, '*b M']:
  x = x[..., :M]
  square = jnp.sum(x * x, axis=-1, keepdims=True)
  return x / jnp.sqrt(jnp.maximum(square, 1e-24))


def _contrastive(
  config: LossConfig, q: Array, p: Array, n: Array, batch: Batch
) -> tuple[Float[Array, 'B'], Float[Array, '']]:
  """Returns equation 1 with what `LossConfig` adds to it, and the accuracy."""
  itself_BB = jnp.eye(len(q), dtype=bool)
  # Equation 3 without its diagonal: the positive is written out.
  mask_BB = ~itself_BB
  if config.mask_same_texts:
    mask_BB &= ~(_same(batch.query_id) | _same(batch.positive_id))
  qp_BB, qn_BRB = q @ p.T, jnp.einsum('iM,rjM->irj', q, n)
  positive_B = jnp.diagonal(qp_BB)
  margin = config.false_negative_margin
  limit_B1 = jnp.full((len(q), 1), jnp.inf)
  if margin is not None:
    limit_B1 = jax.lax.stop_gradient(positive_B)[:, None] + margin

  # What stands in the denominator besides the positive: terms and weights.
  own_BRB = batch.has_negative.T[None] & itself_BB[:, None]
  hardness = jnp.exp(config.hardness * jax.lax.stop_gradient(qn_BRB))
  terms: list[tuple[Array, Array, Array | float]] = [
    (qp_BB, mask_BB & (qp_BB <= limit_B1), 1.0),
    (qn_BRB, own_BRB & (qn_BRB <= limit_B1[..., None]), hardness),
  ]
  if config.hard_negatives == 'all':
    kept_BRB = _others_negatives(batch) & (qn_BRB <= limit_B1[..., None])
    terms.append((qn_BRB, kept_BRB, 1.0))
  if config.same_tower in ('queries', 'both'):
    terms.append((q @ q.T, mask_BB & (q @ q.T <= limit_B1), 1.0))
  if config.same_tower == 'both':
    terms.append((p @ p.T, mask_BB & (p @ p.T <= limit_B1), 1.0))
  loss_B = _negative_log_share(config, positive_B, terms)
  if config.symmetric:
    back = (qp_BB.T, mask_BB & (limit_B1 >= qp_BB.T), 1.0)
    loss_B = (loss_B + _negative_log_share(config, positive_B, [back])) / 2
  # A rival that the margin takes for a positive is none.
  rival_B = jnp.where(terms[0][1], qp_BB, -2.0).max(axis=1)
  # Two cosines that differ by rounding alone are a tie.
  nearest_B = positive_B - rival_B > 1e-6
  return loss_B, jnp.mean(nearest_B, dtype=jnp.float32)


def _negative_log_share(
  config: LossConfig,
  positive_B: Float[Array, 'B'],
  terms: list[tuple[Array, Array, Array | float]],
) -> Float[Array, 'B']:
  """Returns -log(e^{positive/t} / Z) of each row, times its focal weight."""
  t = config.temperature
  # All exponents are taken relative to the greatest possible: 1 / t.
  numerator_B = jnp.exp((positive_B - 1) / t)
  z_B = numerator_B if config.positive_in_denominator else 0.0 * numerator_B
  for cosine, kept, weight in terms:
    term = jnp.where(kept, weight * jnp.exp((cosine - 1) / t), 0)
    z_B += term.reshape(len(term), -1).sum(axis=1)
  meets_B = z_B > 0
  log_z_B = jnp.log(jnp.where(meets_B, z_B, 1))
  loss_B = jnp.where(meets_B, log_z_B - (positive_B - 1) / t, 0)
  if config.focal:
    share_B = jnp.exp(-loss_B)
    loss_B *= jnp.maximum(1 - share_B, 1e-12) ** config.focal
  return loss_B


def _others_negatives(batch: Batch) -> Bool[Array, 'B R B']:
  """Returns which hard negatives of others a query is contrasted with."""
  if not isinstance(batch.texts, Padded):
    raise ValueError(
      "LossConfig.hard_negatives='all' compares texts, which the reference "
      'does in padded batches only; give it the padded form of the batch.'
    )
  negative_BRL, positive_BL = batch.texts.negatives, batch.texts.positive
  same_BRB = jnp.all(
    positive_BL[:, None, None] == negative_BRL.swapaxes(0, 1)[None], axis=-1
  )
  others_BB = ~jnp.eye(len(positive_BL), dtype=bool)
  return others_BB[:, None] & batch.has_negative.T[None] & ~same_BRB


def _same(ids_B2: Array) -> Bool[Array, 'B B']:
  return jnp.all(ids_B2[:, None] == ids_B2[None], axis=-1)


def _second_moment(x_BM: Array) -> Float[Array, '']:
  B = len(x_BM)
  others_BB = ~jnp.eye(B, dtype=bool)
  return jnp.sum(jnp.where(others_BB, x_BM @ x_BM.T, 0) ** 2) / (B * (B - 1))


def _distillation(
  q: Array, p: Array, n: Array, batch: Batch, M: int
) -> Float[Array, 'B']:
  if batch.teacher is None:
    raise ValueError(
      "LossConfig.distillation needs a teacher's embeddings, and the batch has "
      'none; name some in DataConfig.teacher.'
    )
  t_BIM = _unit(batch.teacher, M)
  distance_B = 2 - jnp.sum(q * t_BIM[:, 0] + p * t_BIM[:, 1], axis=1)
  hard_BR = 1 - jnp.einsum('rbM,brM->br', n, t_BIM[:, 2:])
  hard_BR = jnp.where(batch.has_negative, hard_BR, 0)
  return distance_B + hard_BR.sum(axis=1) / jnp.maximum(
    batch.has_negative.sum(axis=1), 1
  )
