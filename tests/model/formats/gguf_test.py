import gguf
import numpy as np
import pytest
import safetensors.numpy
from gguf import quants

from gemb.model import from_decoder
from gemb.model.config import EncoderConfig

NAMES = {
  'embed_tokens': 'token_embd',
  'norm': 'output_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
  'input_layernorm': 'attn_norm',
  'post_attention_layernorm': 'post_attention_norm',
  'pre_feedforward_layernorm': 'ffn_norm',
  'post_feedforward_layernorm': 'post_ffw_norm',
}


def write(path, tensors, *, theta=1e6, kind='gemma3', quantised=()):
  """Writes tensors as llama.cpp's converter does."""
  writer = gguf.GGUFWriter(path, kind)
  writer.add_embedding_length(48)
  writer.add_block_count(6)
  writer.add_feed_forward_length(96)
  writer.add_head_count(4)
  writer.add_head_count_kv(2)
  writer.add_key_length(16)
  writer.add_layer_norm_rms_eps(1e-6)
  writer.add_rope_freq_base(theta)
  writer.add_sliding_window(8)
  for name, tensor in tensors.items():
    stem = name.removesuffix('.weight')
    layer, block = '', stem
    if stem.startswith('layers.'):
      _, number, block = stem.split('.', 2)
      layer = f'blk.{number}.'
    if tensor.ndim == 1:
      tensor = tensor + np.float32(1)
    options = {}
    if block in quantised:
      options['raw_dtype'] = gguf.GGMLQuantizationType.Q8_0
      tensor = quants.quantize(tensor, options['raw_dtype'])
    writer.add_tensor(f'{layer}{NAMES[block]}.weight', tensor, **options)
  writer.write_header_to_file()
  writer.write_kv_data_to_file()
  writer.write_tensors_to_file()
  writer.close()
  return path


@pytest.fixture
def golden(golden_gemmas, read_config):
  folder = golden_gemmas / 'gemma3_bidir'
  tensors = safetensors.numpy.load_file(folder / 'model.safetensors')
  return folder, read_config(folder), tensors


def test_a_file_holds_the_same_parameters(golden, load, one_device, tmp_path):
  folder, config, tensors = golden
  _, wanted = load(folder, config, one_device)
  path = write(tmp_path / 'model.gguf', tensors)
  _, params = load(path, config, one_device)
  got, wanted = params['encoder'], wanted['encoder']
  for part, name in (('attention', 'q'), ('attention', 'out'), ('mlp', 'up')):
    np.testing.assert_array_equal(
      got['blocks'][part][name]['kernel'],
      wanted['blocks'][part][name]['kernel'],
    )
  # The file holds 1 + scale: adding and subtracting 1 rounds once each.
  for scale, like in (
    (got['final_norm'], wanted['final_norm']),
    (got['blocks']['post_mlp'], wanted['blocks']['post_mlp']),
    (
      got['blocks']['attention']['k_norm'],
      wanted['blocks']['attention']['k_norm'],
    ),
  ):
    np.testing.assert_allclose(
      scale['scale'], like['scale'], atol=1.2e-7, rtol=0
    )


def test_quantised_tensors_are_read_as_float32(
  golden, load, one_device, tmp_path
):
  folder, config, tensors = golden
  # Blocks of 32: rows of 96 can be quantised, rows of 48 cannot.
  path = write(tmp_path / 'model.gguf', tensors, quantised=['mlp.down_proj'])
  _, params = load(path, config, one_device)
  _, wanted = load(folder, config, one_device)
  got = params['encoder']['blocks']['mlp']['down']['kernel']
  wanted = wanted['encoder']['blocks']['mlp']['down']['kernel']
  assert got.dtype == np.float32
  assert not np.array_equal(got, wanted)
  assert np.abs(got - wanted).max() < np.abs(wanted).max() / 127


def test_numbers_of_the_file_are_compared(golden, load, one_device, tmp_path):
  _, config, tensors = golden
  path = write(tmp_path / 'model.gguf', tensors, theta=5e5)
  with pytest.raises(ValueError, match=r'global_rope_theta is 1000000\.0'):
    load(path, config, one_device)


def test_another_architecture_is_refused(golden, tmp_path):
  _, config, tensors = golden
  path = write(tmp_path / 'model.gguf', tensors, kind='llama')
  assert isinstance(config, EncoderConfig)
  with pytest.raises(ValueError, match="architecture 'llama'"):
    from_decoder.open_checkpoint(path, config)
