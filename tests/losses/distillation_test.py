from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb.losses.distillation import distillation_loss

compute = jax.jit(distillation_loss, static_argnums=2)


@pytest.fixture
def taught(case):
  """The case, and a teacher that thinks as the student does."""
  embeddings, batch = case
  sides = [embeddings.query, embeddings.positive, *embeddings.negatives]
  return embeddings, replace(batch, teacher=jnp.stack(sides, axis=1))


def test_it_is_one_minus_the_cosine_of_each_text(case):
  embeddings, batch = case
  sides = [embeddings.query, embeddings.positive, *embeddings.negatives]
  got = compute(embeddings, batch, (2, 8))
  for j, M in enumerate((2, 8)):

    def distance(i, side, M=M):
      x = np.asarray(sides[side][i, :M], np.float64)
      y = np.asarray(batch.teacher[i, side, :M], np.float64)
      return 1 - x @ y / np.linalg.norm(x) / np.linalg.norm(y)

    for i, has in enumerate(batch.has_negative):
      hard = [distance(i, 2 + r) for r in range(2) if has[r]]
      wanted = distance(i, 0) + distance(i, 1) + (np.mean(hard) if hard else 0)
      np.testing.assert_allclose(got[i, j], wanted, rtol=1e-5)


def test_a_student_that_equals_its_teacher_has_nothing_to_learn(taught):
  got = compute(*taught, (2, 8))
  np.testing.assert_allclose(got, jnp.zeros((16, 2)), atol=1e-6)


def test_lengths_do_not_matter(taught):
  embeddings, batch = taught
  longer = replace(batch, teacher=7 * batch.teacher)
  np.testing.assert_allclose(
    compute(embeddings, longer, (2, 8)), jnp.zeros((16, 2)), atol=1e-6
  )


def test_a_hard_negative_that_is_not_there_does_not_matter(case):
  embeddings, batch = case
  absent = ~batch.has_negative[..., None]
  teacher = batch.teacher.at[:, 2:].multiply(jnp.where(absent, 0, 1))
  without = replace(batch, teacher=teacher)

  @jax.jit
  @jax.value_and_grad
  def differentiate(embeddings):
    return distillation_loss(embeddings, without, (2, 8)).sum()

  got, gradient = differentiate(embeddings)
  np.testing.assert_allclose(
    got, compute(embeddings, batch, (2, 8)).sum(), rtol=1e-6
  )
  assert not gradient.negatives[absent[..., 0].T].any()
  nothing = replace(embeddings, negatives=0 * embeddings.negatives)
  for gradient in jax.tree.leaves(differentiate(nothing)[1]):
    assert jnp.isfinite(gradient).all()


def test_the_teacher_may_be_wider_than_the_student(taught):
  embeddings, batch = taught
  wider = jnp.pad(batch.teacher, ((0, 0), (0, 0), (0, 5)), constant_values=9)
  np.testing.assert_array_equal(
    compute(embeddings, replace(batch, teacher=wider), (2, 8)),
    compute(embeddings, batch, (2, 8)),
  )


@pytest.mark.parametrize('width', [0, 6])
def test_a_teacher_that_is_missing_or_too_narrow_is_named(case, width):
  embeddings, batch = case
  teacher = batch.teacher[..., :width] if width else None
  with pytest.raises(
    ValueError, match=rf'at least 8 dim.*the batch have {width}; name some in'
  ):
    distillation_loss(embeddings, replace(batch, teacher=teacher), (2, 8))
