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
above, and so do we; pinned by losses/contrastive_test.py.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, UInt32


def in_batch_mask(
  query_id: UInt32[Array, 'B 2'], positive_id: UInt32[Array, 'B 2']
) -> Bool[Array, 'B B']:
  """Returns which positives (columns) each query (row) is contrasted with.

  Equation 3, with the diagonal kept: a positive is always in its own
  denominator, and other rows' positives unless query or positive is the same
  text.
  """

  def same(id_B2: Array) -> Array:
    return jnp.all(id_B2[:, None] == id_B2[None, :], axis=-1)

  itself_BB = jnp.eye(query_id.shape[0], dtype=bool)
  return itself_BB | ~(same(query_id) | same(positive_id))


def contrastive_loss(
  similarity_BB: Float[Array, 'B B'],
  hard_similarity_BR: Float[Array, 'B R'],
  *,
  mask_BB: Bool[Array, 'B B'],
  has_negative_BR: Bool[Array, 'B R'],
  temperature: float,
) -> Float[Array, 'B']:
  """Returns equation 1's summand for each query, float32.

  Args:
    similarity_BB: cosine of every query (rows) with every positive.
    hard_similarity_BR: cosine of every query with its own hard negatives.
    mask_BB: `in_batch_mask`; the diagonal must be True.
    has_negative_BR: False where an example has no such hard negative.
    temperature: t > 0; the report does not state it, its neighbours use 0.01
      to 0.05.

  Example:
    >>> import jax.numpy as jnp
    >>> loss = contrastive_loss(
    ...     jnp.array([[1.0, 0.0], [0.0, 1.0]]),
    ...     jnp.zeros((2, 0)),
    ...     mask_BB=jnp.ones((2, 2), bool),
    ...     has_negative_BR=jnp.zeros((2, 0), bool),
    ...     temperature=1.0)
    >>> [round(float(x), 4) for x in loss]  # log(1 + e^-1)
    [0.3133, 0.3133]
  """
  logits_BP = jnp.concatenate([similarity_BB, hard_similarity_BR], axis=1)
  kept_BP = jnp.concatenate([mask_BB, has_negative_BR], axis=1)
  logits_BP = jnp.where(kept_BP, logits_BP / temperature, -jnp.inf)
  return jax.nn.logsumexp(logits_BP, axis=1) - jnp.diagonal(logits_BP)


def accuracy(
  similarity_BB: Float[Array, 'B B'], mask_BB: Bool[Array, 'B B']
) -> Float[Array, '']:
  """Returns the share of queries whose positive is the nearest in the batch.

  Masked positives do not count; a tie counts as a miss, so that collapsed
  embeddings score 0.
  """
  B = similarity_BB.shape[0]
  others_BB = mask_BB & ~jnp.eye(B, dtype=bool)
  rival_B = jnp.where(others_BB, similarity_BB, -jnp.inf).max(axis=1)
  return jnp.mean(jnp.diagonal(similarity_BB) > rival_B, dtype=jnp.float32)
