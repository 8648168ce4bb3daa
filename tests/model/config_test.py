import pytest

from gemb.model.config import ComputeConfig, EmbedderConfig, EncoderConfig

SIZES = {
  'vocabulary': 8,
  'width': 8,
  'layers': 6,
  'heads': 4,
  'kv_heads': 2,
  'head_dim': 2,
  'mlp_width': 4,
}


@pytest.mark.parametrize(
  'name', [*SIZES, 'local_radius', 'global_every', 'norm_epsilon']
)
def test_a_size_of_zero_is_refused(name):
  zero = 0.0 if name == 'norm_epsilon' else 0
  with pytest.raises(
    ValueError, match=rf'EncoderConfig\.{name} is 0.*greater than 0'
  ):
    EncoderConfig(**SIZES | {name: zero})


def test_key_heads_must_divide_query_heads():
  with pytest.raises(
    ValueError, match=r'heads=4 must be a multiple of kv_heads=3'
  ):
    EncoderConfig(**SIZES | {'kv_heads': 3})


def test_an_odd_head_is_refused():
  with pytest.raises(ValueError, match=r'head_dim is 3; .* must be even'):
    EncoderConfig(**SIZES | {'head_dim': 3})


def test_every_so_manyth_layer_is_global():
  config = EncoderConfig(**SIZES, global_every=3)
  kinds = [config.is_global(layer) for layer in range(6)]
  assert kinds == [False, False, True, False, False, True]


def test_an_embedding_has_a_dimension():
  with pytest.raises(ValueError, match='embedding_width is 0; it must be at'):
    EmbedderConfig(encoder=EncoderConfig(**SIZES), embedding_width=0)


def test_rows_that_the_pallas_kernel_cannot_serve_are_refused():
  ComputeConfig(attention='pallas').check_lengths([128, 384])
  ComputeConfig().check_lengths([16])
  with pytest.raises(ValueError, match=r'DataConfig has rows of \[16, 100\]'):
    ComputeConfig(attention='pallas').check_lengths([100, 16, 128])


@pytest.mark.parametrize(
  ('attention', 'at_any_length'),
  [('auto', 'auto'), ('xla', 'xla'), ('pallas', 'auto'), ('cudnn', 'auto')],
)
def test_texts_of_any_length_leave_a_kernel_the_choice(
  attention, at_any_length
):
  compute = ComputeConfig(attention=attention, remat='dots').for_any_length()
  assert compute == ComputeConfig(attention=at_any_length, remat='dots')
