import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb.model.config import ComputeConfig, EncoderConfig
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


@pytest.fixture(scope='module')
def steps():
  """Returns the compiled gradient of six layers for each kind of remat."""
  config = EncoderConfig(**TINY, layers=6)
  tokens = jax.random.randint(jax.random.key(1), (4, 32), 1, 16)
  one = jnp.ones(tokens.shape, jnp.int32)
  params = nn.unbox(Encoder(config).init(jax.random.key(0), tokens, one))

  def compile_step(remat):
    encoder = Encoder(config, ComputeConfig(remat=remat))
    shapes = jax.eval_shape(encoder.init, jax.random.key(0), tokens, one)
    same = jax.tree.structure(nn.unbox(shapes))
    assert same == jax.tree.structure(params)

    def loss(params):
      return jnp.mean(encoder.apply(params, tokens, one) ** 3)

    return jax.jit(jax.value_and_grad(loss)).lower(params).compile()

  remats = ('none', 'dots', 'layers')
  return params, {remat: compile_step(remat) for remat in remats}


def test_what_is_computed_anew_is_the_same(steps):
  params, compiled = steps
  wanted = compiled['none'](params)
  for remat in ('dots', 'layers'):
    jax.tree.map(
      lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5),
      compiled[remat](params),
      wanted,
    )


def test_what_is_computed_anew_takes_no_memory(steps):
  none, dots, layers = (
    step.memory_analysis().temp_size_in_bytes for step in steps[1].values()
  )
  assert 1.5 * layers < dots < none / 3


def test_what_is_computed_anew_costs_a_forward_pass_at_most(steps):
  none, dots, layers = (
    step.cost_analysis()['flops'] for step in steps[1].values()
  )
  assert none < dots < layers < 1.4 * none
