import warnings

import numpy as np
import orbax.checkpoint as ocp
import pytest

from gemb.model.config import EncoderConfig

KINDS = {
  'gemma_1_with_shared_keys': {'kv_heads': 1},
  'gemma_1_with_all_keys': {'kv_heads': 2},
  'gemma_2': {'kv_heads': 1, 'post_norms': True, 'global_every': 2},
}


def make_config(**kwargs):
  return EncoderConfig(
    **{
      'vocabulary': 10,
      'width': 6,
      'layers': 2,
      'heads': 2,
      'head_dim': 4,
      'mlp_width': 8,
      'global_every': 1,
      'qk_norm': False,
      'post_norms': False,
      'dtype': 'float32',
    }
    | kwargs
  )


def make_tree(c, *, mlp_transposed):
  """A tree as the gemma library has it, with distinct numbers."""
  count = iter(range(1, 100))

  def tensor(*shape):
    start = next(count) * 1000
    return np.arange(start, start + np.prod(shape)).reshape(shape) * 1.0

  tree = {
    'embedder': {'input_embedding': tensor(c.vocabulary, c.width)},
    'final_norm': {'scale': tensor(c.width)},
  }
  for layer in range(c.layers):
    attention = {'attn_vec_einsum': {'w': tensor(c.heads, c.head_dim, c.width)}}
    heads = (c.width, c.head_dim)
    if c.heads == c.kv_heads:
      attention['qkv_einsum'] = {'w': tensor(3, c.heads, *heads)}
    else:
      attention['q_einsum'] = {'w': tensor(c.heads, *heads)}
      attention['kv_einsum'] = {'w': tensor(2, c.kv_heads, *heads)}
    gating = (
      (c.mlp_width, c.width) if mlp_transposed else (c.width, c.mlp_width)
    )
    norms = ['pre_attention_norm', 'pre_ffw_norm']
    if c.post_norms:
      norms += ['post_attention_norm', 'post_ffw_norm']
    tree[f'layer_{layer}'] = {
      'attn': attention,
      'mlp': {
        'gating_einsum': tensor(2, *gating),
        'linear': tensor(c.mlp_width, c.width),
      },
      **{norm: {'scale': tensor(c.width)} for norm in norms},
    }
  return tree


def save(path, tree):
  with warnings.catch_warnings():
    # NumPy arrays have no sharding to write down.
    warnings.simplefilter('ignore')
    with ocp.StandardCheckpointer() as checkpointer:
      checkpointer.save(path, tree)
  return path


@pytest.mark.parametrize('mlp_transposed', [True, False])
@pytest.mark.parametrize('kind', KINDS)
def test_gemma_1_and_2_are_read(
  kind, mlp_transposed, load, one_device, tmp_path
):
  config = make_config(**KINDS[kind])
  tree = make_tree(config, mlp_transposed=mlp_transposed)
  _, params = load(save(tmp_path / 'orbax', tree), config, one_device)
  encoder = params['encoder']
  np.testing.assert_array_equal(
    encoder['table'], tree['embedder']['input_embedding']
  )
  for layer in range(2):
    theirs, blocks = tree[f'layer_{layer}'], encoder['blocks']
    attention = theirs['attn']
    if 'qkv_einsum' in attention:
      q, k, v = attention['qkv_einsum']['w']
    else:
      q, (k, v) = attention['q_einsum']['w'], attention['kv_einsum']['w']
    for name, wanted in {'q': q, 'k': k, 'v': v}.items():
      np.testing.assert_array_equal(
        blocks['attention'][name]['kernel'][layer],
        np.einsum('NDH->DNH', wanted),
      )
    gate, up = theirs['mlp']['gating_einsum']
    for name, wanted in {'gate': gate, 'up': up}.items():
      np.testing.assert_array_equal(
        blocks['mlp'][name]['kernel'][layer],
        wanted.T if mlp_transposed else wanted,
      )
    np.testing.assert_array_equal(
      blocks['pre_mlp']['scale'][layer], theirs['pre_ffw_norm']['scale']
    )


def test_an_eye_is_passed_over_and_a_stranger_is_not(
  load, one_device, tmp_path
):
  config = make_config(kv_heads=1)
  tree = make_tree(config, mlp_transposed=True)
  tree['SigLiPFromPatches_0'] = {'w': np.zeros(3)}
  load(save(tmp_path / 'eye', tree), config, one_device)
  tree['layer_2'] = {'mlp': {'linear': np.zeros((8, 6))}}
  with pytest.raises(ValueError, match='left over are layer_2/mlp/linear'):
    load(save(tmp_path / 'stranger', tree), config, one_device)
