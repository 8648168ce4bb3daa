import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gemb.train import optimizer

CONFIG = optimizer.OptimizerConfig(learning_rate=0.5, warmup_steps=4)
PARAMS = {
  'norm': {'scale': jnp.ones(2)},
  'map': {'kernel': jnp.ones((2, 2))},
  'table': jnp.ones((3, 2)),
}


def test_the_rate_rises_to_its_peak_and_falls_to_a_fraction_of_it():
  schedule = optimizer.make_schedule(CONFIG, 12)
  rates = [float(schedule(step)) for step in range(12)]
  np.testing.assert_allclose(rates[:4], [0.125, 0.25, 0.375, 0.5], rtol=1e-6)
  middle = (0.5 + 0.05) / 2  # half-way down the cosine: step 7 of 3..11
  np.testing.assert_allclose(rates[7], middle, rtol=1e-6)
  np.testing.assert_allclose(rates[-1], 0.05, rtol=1e-6)
  assert rates[3:] == sorted(rates[3:], reverse=True)


def test_a_run_without_warm_up_starts_near_the_peak():
  config = optimizer.OptimizerConfig(learning_rate=1.0, warmup_steps=0)
  first = float(optimizer.make_schedule(config, 1000)(0))
  assert 0.999 < first <= 1


def test_a_run_must_outlast_its_warm_up():
  optimizer.make_schedule(CONFIG, 5)
  with pytest.raises(
    ValueError, match=r'warmup_steps=4 must be less than Run\.steps=4'
  ):
    optimizer.make_schedule(CONFIG, 4)


@pytest.mark.parametrize(
  ('changes', 'text'),
  [
    ({'learning_rate': 0.0}, r'learning_rate=0\.0 and .* greater than 0'),
    ({'clip_norm': -1.0}, r'clip_norm=-1\.0 must be greater than 0'),
    ({'warmup_steps': -1}, 'warmup_steps is -1; it must not be negative'),
  ],
)
def test_impossible_numbers_are_refused(changes, text):
  with pytest.raises(ValueError, match=text):
    optimizer.OptimizerConfig(
      **{'learning_rate': 1.0, 'warmup_steps': 0} | changes
    )


def update(gradient, **changes):
  """Returns the first update of PARAMS, and the optimizer's state."""
  config = optimizer.OptimizerConfig(
    learning_rate=0.5, warmup_steps=0, **changes
  )
  chain = optimizer.make_optimizer(config, optax.constant_schedule(0.5))
  return chain.update(gradient, chain.init(PARAMS), PARAMS)


def test_weight_decay_shrinks_matrices_and_leaves_scales():
  nothing = jax.tree.map(jnp.zeros_like, PARAMS)
  updates, _ = update(nothing, weight_decay=0.1)
  assert not updates['norm']['scale'].any()
  np.testing.assert_allclose(updates['map']['kernel'], -0.05, rtol=1e-6)
  np.testing.assert_allclose(updates['table'], -0.05, rtol=1e-6)


def test_scales_learn_though_they_do_not_decay():
  updates, _ = update(jax.tree.map(jnp.ones_like, PARAMS))
  np.testing.assert_allclose(updates['norm']['scale'], -0.5, rtol=1e-5)


@pytest.mark.parametrize(('size', 'kept'), [(100.0, 3.0), (0.5, 0.5)])
def test_gradients_are_clipped_by_their_common_length(size, kept):
  gradient = jax.tree.map(jnp.ones_like, PARAMS)
  gradient = jax.tree.map(
    lambda g: g * size / optax.tree.norm(gradient), gradient
  )
  _, state = update(gradient, clip_norm=3.0, b1=0.9)
  moment = optax.tree_utils.tree_get(state, 'mu')
  np.testing.assert_allclose(optax.tree.norm(moment), 0.1 * kept, rtol=1e-5)
