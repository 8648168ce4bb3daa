import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gemb.model.attention.layer import Attention
from gemb.model.attention.sight import Sight
from gemb.model.config import EncoderConfig

CONFIG = EncoderConfig(
  vocabulary=8,
  width=8,
  layers=1,
  heads=4,
  kv_heads=2,
  head_dim=4,
  mlp_width=4,
  dtype='float32',
)
KEYS = jax.random.split(jax.random.key(0), 3)


def positions(length):
  return jnp.arange(length, dtype=jnp.int32)[None]


def layer(config, x, places, params=None, theta=1e4):
  module = Attention(config)
  sight = Sight(
    segments=jnp.ones_like(places),
    positions=places,
    is_global=jnp.array(True),
    local_radius=1,
  )
  inputs = (x, sight, jnp.float32(theta), jnp.float32(1))
  params = params or nn.unbox(module.init(jax.random.key(1), *inputs))
  return module.apply(params, *inputs), params


def test_tokens_are_told_apart_in_time_by_their_positions_alone():
  x = jax.random.normal(KEYS[0], (2, 5, 8))
  places = jnp.repeat(positions(5), 2, axis=0)
  forward, params = layer(CONFIG, x, places)
  # Tokens and positions reversed: the same result, reversed. No causal term.
  both, _ = layer(CONFIG, x[:, ::-1], places[:, ::-1], params)
  np.testing.assert_allclose(both, forward[:, ::-1], atol=1e-5)
  # Tokens alone: another result, so order matters.
  tokens, _ = layer(CONFIG, x[:, ::-1], places, params)
  assert not np.allclose(tokens, forward[:, ::-1], atol=1e-2)
  # Without positions, none.
  nowhere, _ = layer(CONFIG, x, jnp.zeros_like(places), params)
  turned, _ = layer(CONFIG, x[:, ::-1], jnp.zeros_like(places), params)
  np.testing.assert_allclose(turned, nowhere[:, ::-1], atol=1e-5)


def test_query_scale_defaults_to_the_width_of_a_head():
  x = jax.random.normal(KEYS[0], (2, 5, 8))
  places = jnp.repeat(positions(5), 2, axis=0)
  default, params = layer(CONFIG, x, places)

  def scaled(query_scale):
    kwargs = {'query_scale': query_scale}
    return layer(EncoderConfig(**vars(CONFIG) | kwargs), x, places, params)[0]

  np.testing.assert_allclose(scaled(4.0), default, atol=1e-6)
  assert not np.allclose(scaled(0.25), default, atol=1e-3)
