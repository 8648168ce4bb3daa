"""Equation 1: contrastive loss with in-batch and hard negatives.

Source: Gemini Embedding (arXiv:2503.07891), section 3.2, equations 2 and 3:

  L = 1/B sum_i -log( e^{s(q_i,p_i)/t} / Z_i )
  Z_i = e^{s(q_i,p_i)/t} + sum_r e^{s(q_i,n_ir)/t}
        + sum_{j != i} mask(i,j) e^{s(q_i,p_j)/t}

s is cosine similarity, t the temperature, p_i the positive and n_ir the r-th
hard negative of query q_i; mask(i,j) = 0 where q_i and q_j, or p_i and p_j,
are the same text, else 1. Row i sees only its own hard negatives; the paper
has one of them, or none.

Read literally, the paper's mask also drops the positive from Z_i, since q_i is
the same text as q_i. The successor's report (arXiv:2605.27295) writes Z_i as
above, and so do we, unless LossConfig.positive_in_denominator is False; pinned
by losses/contrastive_test.py.

Further terms of Z_i and weights are `LossConfig`'s, each with its source. The
mask holds for all in-batch terms, also where a source has none.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt32

from gemb.losses.config import LossConfig
from gemb.losses.cosine import inner_products, inverse_norms
from gemb.losses.log_sum_exp import Side, log_sum_exp
from gemb.losses.text_ids import text_ids
from gemb.types import Batch, Embeddings


def contrastive_loss(
  config: LossConfig, embeddings: Embeddings, batch: Batch
) -> tuple[Float[Array, 'B J'], Float[Array, '']]:
  """Returns equation 1's summand for each query and prefix, float32.

  Args:
    config: prefixes, temperature and terms.
    embeddings: of the batch's texts.
    batch: which texts are the same, and which hard negatives are there.

  Returns:
    The loss; and the share of queries whose positive is the nearest in the
    batch at the last prefix. Masked positives do not count for that, nor do
    hard negatives; a tie is a miss, so that collapsed embeddings score 0.
  """
  cosine_BJ = _cosines(embeddings.query, embeddings.positive, config)
  limit_BJ = None
  if config.false_negative_margin is not None:
    limit_BJ = jax.lax.stop_gradient(cosine_BJ) + config.false_negative_margin
  queries = _in_batch(config, embeddings.query, batch)
  positives = _in_batch(config, embeddings.positive, batch)

  z_BJ, rival_B = log_sum_exp(config, queries, positives, limit_BJ)
  terms = [z_BJ, *_own_negatives(config, embeddings, batch, limit_BJ)]
  if config.hard_negatives == 'all':
    terms += _others_negatives(config, embeddings, batch, limit_BJ)
  if config.same_tower != 'none':
    terms.append(log_sum_exp(config, queries, queries, limit_BJ)[0])
  if config.same_tower == 'both':
    terms.append(log_sum_exp(config, positives, positives, limit_BJ)[0])
  loss_BJ = _loss(config, cosine_BJ, terms)
  if config.symmetric:
    z_BJ, _ = log_sum_exp(config, positives, queries, limit_BJ)
    loss_BJ = (loss_BJ + _loss(config, cosine_BJ, [z_BJ])) / 2
  # Two cosines that differ by rounding alone are a tie.
  least = max(float(jnp.finfo(config.dtype).eps), 1e-6)
  nearest_B = cosine_BJ[:, -1] - rival_B > least
  return loss_BJ, jnp.mean(nearest_B, dtype=jnp.float32)


def _loss(
  config: LossConfig, cosine_BJ: Float[Array, 'B J'], terms: list[Array]
) -> Float[Array, 'B J']:
  """Returns log Z minus the positive's logit, weighted."""
  logit_BJ = cosine_BJ / config.temperature
  if config.positive_in_denominator:
    terms = [*terms, logit_BJ]
  terms_KBJ = jnp.stack(terms)
  # To the letter of equation 1, a query that meets no negative has no Z: its
  # loss is 0. (The inner `where` is for the derivative of log 0.)
  meets_1BJ = jnp.any(terms_KBJ > -jnp.inf, axis=0, keepdims=True)
  z_BJ = jax.nn.logsumexp(jnp.where(meets_1BJ, terms_KBJ, 0), axis=0)
  loss_BJ = jnp.where(meets_1BJ[0], z_BJ - logit_BJ, 0)
  if config.focal:
    # Clamped: a root has no derivative at 0.
    doubt_BJ = jnp.maximum(-jnp.expm1(-loss_BJ), 1e-12)
    loss_BJ *= doubt_BJ**config.focal
  return loss_BJ


def _in_batch(
  config: LossConfig, vectors_BE: Float[Array, 'B E'], batch: Batch
) -> Side:
  """Returns texts that meet neither their own example's nor its equals'.

  Equation 3: a row and a column are of the same example, or of examples with
  the same query or the same positive, if they share an id.
  """
  ids_BA2 = jnp.stack([batch.query_id, batch.positive_id], axis=1)
  if not config.mask_same_texts:
    ids_BA2 = _numbers(len(vectors_BE))[:, None]
  return Side(vectors_BE, ids_BA2, jnp.ones(len(vectors_BE), bool))


def _own_negatives(
  config: LossConfig,
  embeddings: Embeddings,
  batch: Batch,
  limit_BJ: Float[Array, 'B J'] | None,
) -> list[Float[Array, 'B J']]:
  """Returns the logarithm of each own hard negative's term; -inf for none."""
  terms = []
  for r, negative_BE in enumerate(embeddings.negatives):
    cosine_BJ = _cosines(embeddings.query, negative_BE, config)
    there_BJ = batch.has_negative[:, r : r + 1]
    if limit_BJ is not None:
      there_BJ = there_BJ & (cosine_BJ <= limit_BJ)
    logit_BJ = cosine_BJ / config.temperature
    logit_BJ += config.hardness * jax.lax.stop_gradient(cosine_BJ)
    terms.append(jnp.where(there_BJ, logit_BJ, -jnp.inf))
  return terms


def _others_negatives(
  config: LossConfig,
  embeddings: Embeddings,
  batch: Batch,
  limit_BJ: Float[Array, 'B J'] | None,
) -> list[Float[Array, 'B J']]:
  """Returns the logarithm of the other queries' hard negatives' terms.

  But for those that are the very text of the query's positive.
  """
  number_B2 = _numbers(len(batch.query_id))
  text_BI2 = text_ids(batch.texts)

  def side(vectors_BE: Array, text_B2: Array, there_B: Array) -> Side:
    return Side(vectors_BE, jnp.stack([number_B2, text_B2], axis=1), there_B)

  everywhere_B = jnp.ones(len(number_B2), bool)
  queries = side(embeddings.query, text_BI2[:, 1], everywhere_B)
  terms = []
  for r, negative_BE in enumerate(embeddings.negatives):
    there_B = batch.has_negative[:, r]
    negatives = side(negative_BE, text_BI2[:, 2 + r], there_B)
    terms.append(log_sum_exp(config, queries, negatives, limit_BJ)[0])
  return terms


def _numbers(B: int) -> UInt32[Array, 'B 2']:
  """Returns ids by which each example is known alone."""
  return jnp.broadcast_to(jnp.arange(B, dtype=jnp.uint32)[:, None], (B, 2))


def _cosines(
  x_BE: Float[Array, 'B E'], y_BE: Float[Array, 'B E'], config: LossConfig
) -> Float[Array, 'B J']:
  """Returns the cosine of each x with its y, for each prefix."""
  inner_BJ = inner_products(x_BE, y_BE, config.prefixes)
  for side_BE in (x_BE, y_BE):
    inner_BJ *= inverse_norms(side_BE, config.prefixes)
  return inner_BJ
