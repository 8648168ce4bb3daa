import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gemb.model.config import EncoderConfig
from gemb.model.encoder import Encoder

TINY = {
  'vocabulary': 16,
  'width': 8,
  'heads': 2,
  'kv_heads': 1,
  'head_dim': 4,
  'mlp_width': 8,
  'local_radius': 2,
  'dtype': 'float32',
}
TOKENS = jnp.array([[3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]])


def changed_by(position, **kwargs):
  """Returns the positions whose vectors change with the token at one."""
  module = Encoder(EncoderConfig(**TINY | kwargs))
  one = jnp.ones((2, TOKENS.shape[1]), jnp.int32)
  tokens = jnp.concatenate([TOKENS, TOKENS.at[0, position].set(15)])
  encode = jax.jit(module.init_with_output)
  vectors, _ = encode(jax.random.key(0), tokens, one)
  return np.flatnonzero(np.any(vectors[0] != vectors[1], axis=-1)).tolist()


def test_a_local_layer_sees_exactly_its_radius_on_either_side():
  assert changed_by(5, layers=1, global_every=2) == [3, 4, 5, 6, 7]


def test_two_local_layers_see_two_radii():
  assert changed_by(5, layers=2, global_every=3) == list(range(1, 10))


def test_a_global_layer_sees_everything_in_both_directions():
  assert changed_by(10, layers=1, global_every=1) == list(range(11))
  assert changed_by(0, layers=1, global_every=1) == list(range(11))


def test_the_layer_pattern_decides_where_the_global_layer_is():
  # Local, then global: the first layer's neighbours reach everybody.
  assert changed_by(10, layers=2, global_every=2) == list(range(11))


def test_a_local_and_a_global_layer_turn_by_their_own_bases():
  def encode(**kwargs):
    config = EncoderConfig(**TINY | {'layers': 2, 'global_every': 2} | kwargs)
    one = jnp.ones(TOKENS.shape, jnp.int32)
    run = jax.jit(Encoder(config).init_with_output)
    return run(jax.random.key(0), TOKENS, one)[0]

  vectors = encode()
  assert not np.allclose(vectors, encode(local_rope_theta=10.0), atol=1e-3)
  assert not np.allclose(vectors, encode(global_rope_theta=10.0), atol=1e-3)


def test_layers_are_stacked_and_start_different():
  config = EncoderConfig(**TINY, layers=3)
  one = jnp.ones(TOKENS.shape, jnp.int32)
  boxed = Encoder(config).init(jax.random.key(0), TOKENS, one)['params']
  gate = boxed['blocks']['mlp']['gate']['kernel']
  assert gate.names == ('layers', 'embed', 'mlp')
  kernel = nn.unbox(gate)
  assert kernel.shape == (3, 8, 8)
  assert not np.allclose(kernel[0], kernel[1])
