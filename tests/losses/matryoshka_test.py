import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params

from gemb.losses.config import LossConfig
from gemb.losses.matryoshka import total_loss
from gemb.types import Batch, Embeddings, Padded

CONFIG = LossConfig(prefixes=(2, 4, 8), temperature=0.1, tile=4)


@pytest.fixture(scope='module')
def usual(differentiate):
  """The value and the metrics of equation 1 at three prefixes."""
  return differentiate(total_loss, CONFIG)[0]


def test_the_loss_is_the_mean_of_equation_1_summed_over_prefixes(
  usual, case, equation_1
):
  value, metrics = usual
  total = np.zeros(16)
  for M in CONFIG.prefixes:
    losses = equation_1(CONFIG, *case, M)
    np.testing.assert_allclose(metrics[f'loss/{M}'], losses.mean(), rtol=1e-5)
    total += losses
  np.testing.assert_allclose(metrics['example_loss'], total, rtol=1e-5)
  np.testing.assert_allclose(value, total.mean(), rtol=1e-5)


@pytest.mark.parametrize(
  'name',
  ['symmetric', 'hardness', 'matryoshka', 'weights'],
)
def test_values_and_gradients_equal_sentence_transformers(assert_golden, name):
  assert_golden(total_loss, name)


def test_prefixes_and_further_losses_are_added_with_their_weights(
  differentiate, everything
):
  (value, metrics), _ = differentiate(total_loss, everything)
  contrastive = 0.5 * metrics['loss/2'] + metrics['loss/8']
  of_examples = contrastive + 0.3 * metrics['distillation']
  np.testing.assert_allclose(
    metrics['example_loss'].mean(), of_examples, rtol=1e-5
  )
  np.testing.assert_allclose(
    value, of_examples + 0.7 * metrics['spread_out'], rtol=1e-5
  )


def test_dimensions_behind_the_last_prefix_do_not_matter(
  case, differentiate, usual
):
  embeddings, batch = case
  wider = jax.tree.map(
    lambda x: jnp.concatenate([x, 7 + x], axis=-1), embeddings
  )
  (value, _), gradients = differentiate(total_loss, CONFIG, wider, batch)
  np.testing.assert_allclose(value, usual[0], rtol=1e-6)
  for gradient in jax.tree.leaves(gradients):
    assert gradient[..., :8].any() and not gradient[..., 8:].any()


def test_the_length_of_an_embedding_does_not_matter(case, differentiate, usual):
  embeddings, batch = case
  longer = Embeddings(
    query=7 * embeddings.query,
    positive=embeddings.positive / 9,
    negatives=3 * embeddings.negatives,
  )
  (value, _), gradient = differentiate(total_loss, CONFIG, longer, batch)
  np.testing.assert_allclose(value, usual[0], rtol=1e-5)
  for side in ('query', 'positive', 'negatives'):
    # A cosine is the same along the vector.
    along = np.sum(getattr(gradient, side) * getattr(longer, side), axis=-1)
    np.testing.assert_allclose(along, 0 * along, atol=1e-5)


def test_a_prefix_wider_than_the_embedding_is_refused(case):
  config = LossConfig(prefixes=(4, 16), temperature=1.0)
  with pytest.raises(ValueError, match=r'Prefix 16 is wider .* has 8 dim'):
    total_loss(config, *case)


def product_flops(jaxpr):
  """Counts the multiplications and additions of matrix products."""
  total = 0
  for equation in jaxpr.eqns:
    if equation.primitive.name == 'dot_general':
      (contracted, _), _ = equation.params['dimension_numbers']
      shape = equation.invars[0].aval.shape
      inner = np.prod([shape[axis] for axis in contracted])
      total += 2 * inner * np.prod(equation.outvars[0].aval.shape)
    times = equation.params.get('length', 1)  # of a scan
    for inner in jaxprs_in_params(equation.params):
      total += times * product_flops(inner)
  return total


@pytest.mark.parametrize('hard_negatives', ['own', 'all'])
def test_all_prefixes_cost_one_full_product(hard_negatives):
  B, R, E = 32, 1, 48
  texts = jnp.ones((B, 1), jnp.int32)
  ids = jnp.ones((B, 2), jnp.uint32)
  batch = Batch(
    texts=Padded(query=texts, positive=texts, negatives=texts[:, :, None]),
    has_negative=jnp.ones((B, R), bool),
    query_id=ids,
    positive_id=ids,
  )
  embeddings = Embeddings(
    query=jnp.ones((B, E)),
    positive=jnp.ones((B, E)),
    negatives=jnp.ones((R, B, E)),
  )

  def flops(prefixes):
    config = LossConfig(
      prefixes=prefixes,
      temperature=1.0,
      hard_negatives=hard_negatives,
      tile=8,
    )
    return product_flops(
      jax.make_jaxpr(
        jax.value_and_grad(lambda x: total_loss(config, x, batch), has_aux=True)
      )(embeddings).jaxpr
    )

  one = flops((E,))
  # Cosines, the same once more, and the gradients of both sides.
  matrices = 2 if hard_negatives == 'all' else 1
  assert one == 4 * 2 * B * B * E * matrices
  assert flops((12, 24, E)) <= 1.15 * one
