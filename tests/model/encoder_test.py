import functools
import pathlib

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb.model.config import EncoderConfig
from gemb.model.embedder import mean_pool
from gemb.model.encoder import Encoder

GOLDEN = pathlib.Path(__file__).parents[1] / 'golden'
# |i - j| <= 4 is sliding_window 8 of a bidirectional Gemma3TextModel.
GEMMA = EncoderConfig(
  vocabulary=384,
  width=48,
  layers=6,
  heads=4,
  kv_heads=2,
  head_dim=16,
  mlp_width=96,
  local_radius=4,
  global_every=3,
  query_scale=24.0,
  dtype='float32',
)
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

# Where our parameters are in the reference: their name, and the shape that
# splits the transposed matrix into heads.
GEMMA_NAMES = {
  ('attention', 'q', 'kernel'): ('self_attn.q_proj', (48, 4, 16)),
  ('attention', 'k', 'kernel'): ('self_attn.k_proj', (48, 2, 16)),
  ('attention', 'v', 'kernel'): ('self_attn.v_proj', (48, 2, 16)),
  ('attention', 'out', 'kernel'): ('self_attn.o_proj', (4, 16, 48)),
  ('attention', 'q_norm', 'scale'): ('self_attn.q_norm', (16,)),
  ('attention', 'k_norm', 'scale'): ('self_attn.k_norm', (16,)),
  ('mlp', 'gate', 'kernel'): ('mlp.gate_proj', (48, 96)),
  ('mlp', 'up', 'kernel'): ('mlp.up_proj', (48, 96)),
  ('mlp', 'down', 'kernel'): ('mlp.down_proj', (96, 48)),
  ('pre_attention', 'scale'): ('input_layernorm', (48,)),
  ('post_attention', 'scale'): ('post_attention_layernorm', (48,)),
  ('pre_mlp', 'scale'): ('pre_feedforward_layernorm', (48,)),
  ('post_mlp', 'scale'): ('post_feedforward_layernorm', (48,)),
}


@pytest.fixture(scope='module')
def golden():
  with np.load(GOLDEN / 'gemma3_bidirectional.npz') as arrays:
    return dict(arrays)


@pytest.fixture(scope='module')
def gemma(golden):
  """The reference's parameters in our tree."""
  blocks = {}
  for path, (name, shape) in GEMMA_NAMES.items():
    node = blocks
    for key in path[:-1]:
      node = node.setdefault(key, {})
    node[path[-1]] = jnp.stack(
      [
        golden[f'weight/layers.{i}.{name}.weight'].T.reshape(shape)
        for i in range(6)
      ]
    )
  return {
    'table': jnp.asarray(golden['weight/embed_tokens.weight']),
    'blocks': blocks,
    'final_norm': {'scale': jnp.asarray(golden['weight/norm.weight'])},
  }


@pytest.fixture(scope='module')
def outputs(golden, gemma):
  """Vectors, their means, and the gradient of the means' squared length."""
  tokens = jnp.asarray(golden['input_ids'])
  real = jnp.asarray(golden['attention_mask']) > 0

  def loss(params):
    vectors = Encoder(GEMMA).apply({'params': params}, tokens, real)
    means = mean_pool(vectors, real)
    return jnp.sum(means**2), (vectors, means)

  (_, (vectors, means)), gradient = jax.jit(
    jax.value_and_grad(loss, has_aux=True)
  )(gemma)
  return vectors, means, gradient


def test_padding_is_where_the_reference_masks(golden):
  np.testing.assert_array_equal(
    golden['input_ids'] != 0, golden['attention_mask'] > 0
  )


def test_vectors_equal_bidirectional_gemma_3(golden, outputs):
  real = golden['attention_mask'] > 0
  difference = np.abs(outputs[0] - golden['last_hidden_state'])[real]
  assert difference.max() <= 2e-5


def test_mean_pooled_vectors_equal_bidirectional_gemma_3(golden, outputs):
  assert np.abs(outputs[1] - golden['mean_pooled']).max() <= 2e-5


def test_the_tables_gradient_equals_bidirectional_gemma_3(golden, outputs):
  wanted = golden['grad/embed_tokens.weight']
  np.testing.assert_allclose(outputs[2]['table'], wanted, atol=1e-4)
  np.testing.assert_allclose(
    outputs[2]['final_norm']['scale'], golden['grad/norm.weight'], atol=1e-4
  )


@pytest.mark.parametrize('layer', [0, 2])  # a local one, a global one
@pytest.mark.parametrize('path', GEMMA_NAMES, ids='.'.join)
def test_a_gradient_equals_bidirectional_gemma_3(golden, outputs, path, layer):
  name, shape = GEMMA_NAMES[path]
  wanted = golden[f'grad/layers.{layer}.{name}.weight'].T.reshape(shape)
  got = functools.reduce(dict.__getitem__, path, outputs[2]['blocks'])[layer]
  np.testing.assert_allclose(got, wanted, atol=1e-4)
  assert np.abs(wanted).max() > 1e-2  # the comparison says something


def changed_by(position, **kwargs):
  """Returns the positions whose vectors change with the token at one."""
  module = Encoder(EncoderConfig(**TINY | kwargs))
  real = jnp.ones((2, TOKENS.shape[1]), bool)
  tokens = jnp.concatenate([TOKENS, TOKENS.at[0, position].set(15)])
  encode = jax.jit(module.init_with_output)
  vectors, _ = encode(jax.random.key(0), tokens, real)
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
    real = jnp.ones(TOKENS.shape, bool)
    run = jax.jit(Encoder(config).init_with_output)
    return run(jax.random.key(0), TOKENS, real)[0]

  vectors = encode()
  assert not np.allclose(vectors, encode(local_rope_theta=10.0), atol=1e-3)
  assert not np.allclose(vectors, encode(global_rope_theta=10.0), atol=1e-3)


def test_layers_are_stacked_and_start_different():
  config = EncoderConfig(**TINY, layers=3)
  real = jnp.ones(TOKENS.shape, bool)
  boxed = Encoder(config).init(jax.random.key(0), TOKENS, real)['params']
  gate = boxed['blocks']['mlp']['gate']['kernel']
  assert gate.names == ('layers', 'embed', 'mlp')
  kernel = nn.unbox(gate)
  assert kernel.shape == (3, 8, 8)
  assert not np.allclose(kernel[0], kernel[1])
