import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb.losses import contrastive
from gemb.losses.matryoshka import LossConfig, cosines, matryoshka_loss

GOLDEN = pathlib.Path(__file__).parents[1] / 'golden'
CONFIG = LossConfig(prefixes=(2, 4, 8), temperature=0.1)


def inputs(case):
  """The case as matryoshka_loss takes it: positional, then by name."""
  mask = contrastive.in_batch_mask(
    jnp.asarray(case['query_id']), jnp.asarray(case['positive_id'])
  )
  has_negative = jnp.asarray(case['has_negative'])
  embeddings = tuple(jnp.asarray(case[name]) for name in 'qpn')
  return embeddings, {'mask': mask, 'has_negative': has_negative}


@pytest.fixture(scope='module')
def golden():
  with np.load(GOLDEN / 'losses.npz') as arrays:
    return dict(arrays)


@pytest.fixture(scope='module')
def case_loss(case):
  embeddings, kwargs = inputs(case)
  return matryoshka_loss(CONFIG, *embeddings, **kwargs)


@pytest.mark.parametrize(
  ('name', 'prefixes'), [('pair', (16,)), ('matryoshka', (4, 8, 16))]
)
def test_values_and_gradients_equal_sentence_transformers(
  golden, name, prefixes
):
  config = LossConfig(prefixes=prefixes, temperature=1 / 20)

  def loss(query, positive):
    return matryoshka_loss(
      config,
      query,
      positive,
      jnp.zeros((6, 0, 16)),
      mask=jnp.ones((6, 6), bool),
      has_negative=jnp.zeros((6, 0), bool),
    )[0]

  value, gradients = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))(
    jnp.asarray(golden['query'], jnp.float32),
    jnp.asarray(golden['positive'], jnp.float32),
  )
  np.testing.assert_allclose(value, golden[f'{name}/loss'], rtol=1e-5)
  for gradient, side in zip(gradients, ('query', 'positive'), strict=True):
    wanted = golden[f'{name}/grad_{side}']
    np.testing.assert_allclose(gradient, wanted, rtol=1e-4, atol=1e-6)


def test_the_loss_is_the_mean_of_equation_1_summed_over_prefixes(
  case, case_loss, equation_1
):
  value, metrics = case_loss
  total = np.zeros(6)
  for M in CONFIG.prefixes:
    cut = case | {name: case[name][..., :M] for name in 'qpn'}
    losses = equation_1(**cut, temperature=0.1)
    np.testing.assert_allclose(metrics[f'loss/{M}'], losses.mean(), rtol=1e-5)
    total += losses
  np.testing.assert_allclose(metrics['example_loss'], total, rtol=1e-5)
  np.testing.assert_allclose(value, total.mean(), rtol=1e-5)


def test_a_prefix_is_the_loss_of_sliced_and_renormalised_embeddings(
  case, case_loss
):
  (q, p, n), kwargs = inputs(case)
  for M in CONFIG.prefixes:

    def sliced(x, M=M):
      x = x[..., :M]
      length = jnp.linalg.norm(x, axis=-1, keepdims=True)
      return x / jnp.where(length == 0, 1, length)

    losses = contrastive.contrastive_loss(
      sliced(q) @ sliced(p).T,
      jnp.einsum('BM,BRM->BR', sliced(q), sliced(n)),
      mask_BB=kwargs['mask'],
      has_negative_BR=kwargs['has_negative'],
      temperature=0.1,
    )
    np.testing.assert_allclose(
      case_loss[1][f'loss/{M}'], losses.mean(), rtol=1e-5
    )


def test_dimensions_beyond_the_last_prefix_do_not_matter(case):
  (q, p, n), kwargs = inputs(case)
  config = LossConfig(prefixes=(2, 4), temperature=0.1)
  value, _ = matryoshka_loss(config, q, p, n, **kwargs)
  other, _ = matryoshka_loss(config, q.at[:, 4:].set(7.0), p, n, **kwargs)
  assert value == other


def test_the_length_of_an_embedding_does_not_matter(case, case_loss):
  (q, p, n), kwargs = inputs(case)
  value, _ = matryoshka_loss(CONFIG, 7 * q, p / 9, 3 * n, **kwargs)
  np.testing.assert_allclose(value, case_loss[0], rtol=1e-6)


def test_weights_multiply_their_prefixes(case, case_loss):
  embeddings, kwargs = inputs(case)
  config = LossConfig(
    prefixes=(2, 4, 8), temperature=0.1, weights=(1.0, 0.5, 0.25)
  )
  value, metrics = matryoshka_loss(config, *embeddings, **kwargs)
  parts = [float(case_loss[1][f'loss/{M}']) for M in config.prefixes]
  np.testing.assert_allclose(
    value, parts[0] + parts[1] / 2 + parts[2] / 4, rtol=1e-6
  )
  assert metrics['loss/8'] == case_loss[1]['loss/8']  # not weighted


def test_accuracy_is_taken_at_the_last_prefix(case, case_loss):
  (q, p, n), kwargs = inputs(case)
  *_, (similarity, _) = cosines(q, p, n, (8,))
  wanted = contrastive.accuracy(similarity, kwargs['mask'])
  assert case_loss[1]['accuracy'] == wanted


def test_permuting_the_batch_permutes_the_example_losses(case, case_loss):
  order = np.array([4, 2, 0, 5, 1, 3])
  embeddings, kwargs = inputs({key: x[order] for key, x in case.items()})
  value, metrics = matryoshka_loss(CONFIG, *embeddings, **kwargs)
  np.testing.assert_allclose(value, case_loss[0], rtol=1e-6)
  np.testing.assert_allclose(
    metrics['example_loss'], case_loss[1]['example_loss'][order], rtol=1e-5
  )


@pytest.mark.parametrize('prefixes', [(8,), (2, 4, 8)])
def test_the_gradient_is_that_of_finite_differences(case, equation_1, prefixes):
  embeddings, kwargs = inputs(case)
  config = LossConfig(prefixes=prefixes, temperature=0.5)
  gradients = jax.jit(
    jax.grad(
      lambda *x: matryoshka_loss(config, *x, **kwargs)[0], argnums=(0, 1, 2)
    )
  )(*embeddings)

  def value(name, at, step):
    moved = case[name].astype(np.float64)
    moved[at] += step
    changed = case | {name: moved}
    return sum(
      equation_1(
        **changed | {k: changed[k][..., :M] for k in 'qpn'}, temperature=0.5
      ).mean()
      for M in prefixes
    )

  rng = np.random.default_rng(1)
  for name, gradient in zip('qpn', gradients, strict=True):
    present = case['has_negative'] if name == 'n' else np.ones(6, bool)
    for _ in range(10):
      row = tuple(rng.choice(np.argwhere(present)))
      at = (*row, rng.integers(8))
      numeric = (value(name, at, 1e-5) - value(name, at, -1e-5)) / 2e-5
      assert abs(numeric - gradient[at]) < 2e-6


def test_absent_hard_negatives_of_length_zero_leave_gradients_finite(case):
  embeddings, kwargs = inputs(case)
  none = {**kwargs, 'has_negative': jnp.zeros((6, 2), bool)}

  def value(q, p, n, kwargs):
    return matryoshka_loss(CONFIG, q, p, n, **kwargs)[0]

  gradient = jax.jit(jax.grad(value, argnums=(0, 1, 2)))
  gradients = gradient(*embeddings, kwargs)
  assert all(jnp.isfinite(g).all() for g in gradients)
  assert not gradients[2][~case['has_negative']].any()
  q, p, n = embeddings
  gradients = gradient(q, p, 0 * n, none)
  assert all(jnp.isfinite(g).all() for g in gradients)
  assert not gradients[2].any()
  alone = kwargs | {'has_negative': jnp.zeros((6, 0), bool)}
  assert value(q, p, n, none) == value(q, p, n[:, :0], alone)


def test_embeddings_of_length_zero_leave_gradients_finite(case):
  (q, p, n), kwargs = inputs(case)
  gradients = jax.grad(
    lambda q, p: matryoshka_loss(CONFIG, q, p, n, **kwargs)[0], argnums=(0, 1)
  )(q.at[0].set(0), p.at[1].set(0))
  assert all(jnp.isfinite(g).all() for g in gradients)


def test_bfloat16_embeddings_are_compared_in_float32(case):
  (q, p, n), _ = inputs(case)
  half = (x.astype(jnp.bfloat16) for x in (q, p, n))
  for similarity, hard in cosines(*half, (2, 8)):
    assert similarity.dtype == hard.dtype == jnp.float32


def product_flops(prefixes):
  """Counts the multiplications and additions of matrix products."""

  def count(jaxpr):
    total = 0
    for equation in jaxpr.eqns:
      if equation.primitive.name == 'dot_general':
        (contracted, _), _ = equation.params['dimension_numbers']
        shape = equation.invars[0].aval.shape
        inner = np.prod([shape[axis] for axis in contracted])
        total += 2 * inner * np.prod(equation.outvars[0].aval.shape)
      for value in equation.params.values():
        if hasattr(value, 'eqns') or hasattr(value, 'jaxpr'):
          total += count(getattr(value, 'jaxpr', value))
    return total

  shapes = [(32, 48), (32, 48), (32, 2, 48)]
  arrays = [jax.ShapeDtypeStruct(s, jnp.float32) for s in shapes]
  closed = jax.make_jaxpr(lambda *x: list(cosines(*x, prefixes)))(*arrays)
  return count(closed.jaxpr)


def test_all_prefixes_cost_one_full_product():
  one = product_flops((48,))
  assert one == 2 * 32 * 48 * (32 + 2)
  assert product_flops((12, 24, 48)) <= 1.05 * one


@pytest.mark.parametrize('prefixes', [(), (0, 4), (4, 4), (8, 4)])
def test_prefixes_must_ascend(prefixes):
  with pytest.raises(ValueError, match='positive widths in ascending order'):
    LossConfig(prefixes=prefixes, temperature=1.0)


def test_the_temperature_must_be_positive():
  with pytest.raises(ValueError, match=r'temperature is 0\.0; it must be'):
    LossConfig(prefixes=(4,), temperature=0.0)


def test_there_is_one_weight_a_prefix():
  with pytest.raises(ValueError, match='has 1 numbers for 2 prefixes'):
    LossConfig(prefixes=(2, 4), temperature=1.0, weights=(1.0,))


def test_a_prefix_wider_than_the_embedding_is_refused(case):
  embeddings, kwargs = inputs(case)
  config = LossConfig(prefixes=(4, 16), temperature=1.0)
  with pytest.raises(ValueError, match=r'Prefix 16 is wider .* has 8 dim'):
    matryoshka_loss(config, *embeddings, **kwargs)
