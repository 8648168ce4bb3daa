"""GGUF files, quantised or not, as llama.cpp has them."""

import pathlib
from typing import Any

import gguf
import numpy as np
from gguf import quants

from gemb.model.config import EncoderConfig
from gemb.model.formats.places import TABLE, Checkpoint, Place

_OUTSIDE = {TABLE: 'token_embd', 'final_norm/scale': 'output_norm'}
_BLOCK = {
  'attention/q/kernel': 'attn_q',
  'attention/k/kernel': 'attn_k',
  'attention/v/kernel': 'attn_v',
  'attention/out/kernel': 'attn_output',
  'attention/q_norm/scale': 'attn_q_norm',
  'attention/k_norm/scale': 'attn_k_norm',
  'mlp/gate/kernel': 'ffn_gate',
  'mlp/up/kernel': 'ffn_up',
  'mlp/down/kernel': 'ffn_down',
  'pre_attention/scale': 'attn_norm',
  'post_attention/scale': 'post_attention_norm',
  'pre_mlp/scale': 'ffn_norm',
  'post_mlp/scale': 'post_ffw_norm',
}
_ARCHITECTURES = ('gemma', 'gemma2', 'gemma3', 'gemma-embedding')
# The fields that a file states, without its architecture before them.
_FACTS = {
  'width': 'embedding_length',
  'layers': 'block_count',
  'heads': 'attention.head_count',
  'kv_heads': 'attention.head_count_kv',
  'head_dim': 'attention.key_length',
  'mlp_width': 'feed_forward_length',
  'norm_epsilon': 'attention.layer_norm_rms_epsilon',
  'global_rope_theta': 'rope.freq_base',
  'global_rope_scale': 'rope.scaling.factor',
  'attention_softcap': 'attn_logit_softcapping',
  'logit_softcap': 'final_logit_softcapping',
}
_ROWS_AT_ONCE = 4096


class Gguf(Checkpoint):
  """One file. Its norms hold 1 + scale: that rounds the scale once."""

  def __init__(self, path: pathlib.Path, config: EncoderConfig):
    """Opens it; tensors stay on disk.

    Raises:
      ValueError: if it is no Gemma.
    """
    self.path = path
    self._config = config
    reader = gguf.GGUFReader(path)
    self._tensors = {tensor.name: tensor for tensor in reader.tensors}
    # GGUF counts axes from the fastest.
    self.shapes = {
      name: tuple(int(size) for size in reversed(tensor.shape))
      for name, tensor in self._tensors.items()
    }
    self.facts = _facts(reader)

  def name(self, place: Place) -> str | None:
    """As `places.Checkpoint`."""
    if place.layer is None:
      name = _OUTSIDE.get(place.name)
      return name and f'{name}.weight'
    return f'blk.{place.layer}.{_BLOCK[place.name]}.weight'

  def convert(self, place: Place, tensor: Any) -> Any:
    """As `places.Checkpoint`."""
    if place.name.endswith('/scale'):
      return tensor - 1
    return place.from_matrix(tensor)

  def read(self, name: str) -> np.ndarray:
    """As `places.Checkpoint`; float32, whatever it is stored as."""
    tensor = self._tensors[name]
    values = np.empty(self.shapes[name], np.float32)
    # Row by row, since the library makes several copies on its way.
    for start in range(0, len(values), _ROWS_AT_ONCE):
      rows = slice(start, start + _ROWS_AT_ONCE)
      values[rows] = quants.dequantize(tensor.data[rows], tensor.tensor_type)
    return values


def _facts(reader: gguf.GGUFReader) -> dict[str, Any]:
  def field(key: str) -> Any:
    found = reader.get_field(key)
    return None if found is None else found.contents()

  kind = field('general.architecture')
  if kind not in _ARCHITECTURES:
    raise ValueError(
      f'The GGUF file has architecture {kind!r}; gemb reads '
      f'{", ".join(_ARCHITECTURES)}.'
    )
  found = {name: field(f'{kind}.{key}') for name, key in _FACTS.items()}
  window = field(f'{kind}.attention.sliding_window')
  found['local_radius'] = window and window // 2
  # Stored as float32: 1e-6 comes back as 9.99999997e-07.
  return {
    name: float(f'{value:.6g}') if isinstance(value, float) else value
    for name, value in found.items()
    if value is not None
  }
