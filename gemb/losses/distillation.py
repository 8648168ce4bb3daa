"""Embedding distillation: the teacher's directions, learned by the student.

Source: EmbeddingGemma (arXiv:2509.20354), 2.2, which matches query, positive
and hard negatives to a teacher with uniform weights; its distance is not
stated. Here it is one minus the cosine, as in jina-embeddings-v5
(arXiv:2602.15547), between prefixes of the same width: a teacher that was
trained with MRL has them.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from gemb.losses.cosine import inner_products, inverse_norms
from gemb.types import Batch, Embeddings


def distillation_loss(
  embeddings: Embeddings, batch: Batch, prefixes: tuple[int, ...]
) -> Float[Array, 'B J']:
  """Returns the distance to the teacher for each example and prefix.

  The sum over its query, its positive and the mean of its hard negatives.

  Raises:
    ValueError: if the batch has no teacher's vectors, or too narrow ones.
  """
  if batch.teacher is None or batch.teacher.shape[-1] < prefixes[-1]:
    width = 0 if batch.teacher is None else batch.teacher.shape[-1]
    raise ValueError(
      f"LossConfig.distillation needs a teacher's embeddings of at least "
      f'{prefixes[-1]} dimensions, and those of the batch have {width}; name '
      'some in DataConfig.teacher, or shorten LossConfig.prefixes.'
    )
  sides = [embeddings.query, embeddings.positive, *embeddings.negatives]
  distances = []
  for i, student_BE in enumerate(sides):
    teacher_BE = batch.teacher[:, i, : student_BE.shape[1]]
    inner_BJ = inner_products(student_BE, teacher_BE, prefixes)
    for side in (student_BE, teacher_BE):
      inner_BJ *= inverse_norms(side, prefixes)
    distances.append(1 - inner_BJ)
  query_BJ, positive_BJ, *negatives = distances
  total_BJ = query_BJ + positive_BJ
  count_B1 = jnp.maximum(batch.has_negative.sum(axis=1, keepdims=True), 1)
  for r, negative_BJ in enumerate(negatives):
    there_B1 = batch.has_negative[:, r : r + 1]
    total_BJ += jnp.where(there_B1, negative_BJ / count_B1, 0)
  return total_BJ
