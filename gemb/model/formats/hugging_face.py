"""Gemma in Hugging Face transformers: names and config.json, in and out."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import safetensors

from gemb.model.config import EncoderConfig
from gemb.model.formats.places import TABLE, Checkpoint, Place

# What stands before the names of a language model that is part of another.
_PREFIXES = ('language_model.model.', 'model.language_model.', 'model.')
_NOT_LANGUAGE = (
  'vision_tower.',
  'multi_modal_projector.',
  'model.vision_tower.',
  'model.multi_modal_projector.',
)
_HEADS = ('lm_head.weight', 'language_model.lm_head.weight')
_OUTSIDE = {TABLE: 'embed_tokens', 'final_norm/scale': 'norm'}
_BLOCK = {
  'attention/q/kernel': 'self_attn.q_proj',
  'attention/k/kernel': 'self_attn.k_proj',
  'attention/v/kernel': 'self_attn.v_proj',
  'attention/out/kernel': 'self_attn.o_proj',
  'attention/q_norm/scale': 'self_attn.q_norm',
  'attention/k_norm/scale': 'self_attn.k_norm',
  'mlp/gate/kernel': 'mlp.gate_proj',
  'mlp/up/kernel': 'mlp.up_proj',
  'mlp/down/kernel': 'mlp.down_proj',
  'pre_attention/scale': 'input_layernorm',
  'post_attention/scale': 'post_attention_layernorm',
  'pre_mlp/scale': 'pre_feedforward_layernorm',
  'post_mlp/scale': 'post_feedforward_layernorm',
}
_GELU = 'gelu_pytorch_tanh'
_FLOATS = {
  field.name
  for field in dataclasses.fields(EncoderConfig)
  if field.type in (float, float | None)
}
_ARCHITECTURES = {
  'gemma': 'GemmaModel',
  'gemma2': 'Gemma2Model',
  'gemma3_text': 'Gemma3TextModel',
}


def tensor_name(place: Place, config: EncoderConfig) -> str | None:
  """Returns the name of a parameter in a Gemma model; None: it has no such."""
  if place.layer is None:
    name = _OUTSIDE.get(place.name)
    return name and f'{name}.weight'
  name = _BLOCK[place.name]
  if place.name == 'pre_mlp/scale' and not config.post_norms:
    name = 'post_attention_layernorm'  # Gemma 1: after attention, for the MLP
  return f'layers.{place.layer}.{name}.weight'


def config_json(config: EncoderConfig) -> dict[str, Any]:
  """Returns the config.json of a bidirectional Gemma, as far as M goes.

  Older releases of transformers read other spellings of the same numbers: both
  are written. Gemma 1 and 2 are bidirectional from transformers 5 on.

  Raises:
    ValueError: if transformers has no architecture with this configuration.
  """
  kind = _model_type(config)
  content: dict[str, Any] = {
    'architectures': [_ARCHITECTURES[kind]],
    'model_type': kind,
    'vocab_size': config.vocabulary,
    'hidden_size': config.width,
    'intermediate_size': config.mlp_width,
    'num_hidden_layers': config.layers,
    'num_attention_heads': config.heads,
    'num_key_value_heads': config.kv_heads,
    'head_dim': config.head_dim,
    'rms_norm_eps': config.norm_epsilon,
    'attention_bias': False,
    'attention_dropout': 0.0,
    'tie_word_embeddings': True,
    'rope_theta': config.global_rope_theta,
  }
  plain = {'rope_type': 'default', 'rope_theta': config.global_rope_theta}
  if kind == 'gemma3_text':
    return content | _layers_json(config) | _gemma_3_json(config, plain)
  content |= {'is_causal': False, 'rope_parameters': plain}
  if kind == 'gemma':
    return content | {'hidden_act': _GELU}
  # Of a Gemma 2 that is not causal, the window is one side.
  return (
    content | _layers_json(config) | {'sliding_window': config.local_radius}
  )


def facts(content: Mapping[str, Any]) -> dict[str, Any]:
  """Returns the fields of EncoderConfig that a config.json states.

  Files on the hub leave out what is the default in transformers: so does this.

  Raises:
    ValueError: if it is no Gemma of a kind that gemb knows.
  """
  content = content.get('text_config', content)
  kind = content.get('model_type')
  if kind not in _ARCHITECTURES:
    raise ValueError(
      f'config.json has model_type {kind!r}; gemb reads Gemma 1, 2 and 3, '
      f'which are called {", ".join(_ARCHITECTURES)}.'
    )
  found = {
    'vocabulary': content.get('vocab_size'),
    'width': content.get('hidden_size'),
    'layers': content.get('num_hidden_layers'),
    'heads': content.get('num_attention_heads'),
    'kv_heads': content.get('num_key_value_heads'),
    'head_dim': content.get('head_dim'),
    'mlp_width': content.get('intermediate_size'),
    'norm_epsilon': content.get('rms_norm_eps'),
    'query_scale': content.get('query_pre_attn_scalar'),
    'qk_norm': kind == 'gemma3_text',
    'post_norms': kind != 'gemma',
  }
  found |= _window(kind, content) | _rope(kind, content)
  if kind == 'gemma2':
    found['attention_softcap'] = content.get('attn_logit_softcapping')
    found['logit_softcap'] = content.get('final_logit_softcapping')
  return {
    # JSON writes 1e4 as 10000, or not.
    name: float(value) if name in _FLOATS else value
    for name, value in found.items()
    if value is not None
  }


class HuggingFace(Checkpoint):
  """A folder with config.json and safetensors, whole or in shards."""

  def __init__(self, path: pathlib.Path, config: EncoderConfig):
    """Opens it; reads names and shapes only."""
    self.path = path
    self._config = config
    self._places: dict[str, tuple[pathlib.Path, str]] = {}
    self.shapes: dict[str, tuple[int, ...]] = {}
    for file in sorted(path.glob('*.safetensors')):
      with safetensors.safe_open(file, 'numpy') as tensors:
        for whole in tensors.keys():  # noqa: SIM118 -- it is no dict
          name = _plain_name(whole)
          if name is not None:
            self._places[name] = file, whole
            self.shapes[name] = tuple(tensors.get_slice(whole).get_shape())
    content = path / 'config.json'
    self.facts = (
      facts(json.loads(content.read_text(encoding='utf-8')))
      if content.is_file()
      else {}
    )

  def name(self, place: Place) -> str | None:
    """As `places.Checkpoint`."""
    return tensor_name(place, self._config)

  def convert(self, place: Place, tensor: Any) -> Any:
    """As `places.Checkpoint`."""
    return place.from_matrix(tensor)

  def read(self, name: str) -> np.ndarray:
    """As `places.Checkpoint`."""
    file, whole = self._places[name]
    with safetensors.safe_open(file, 'numpy') as tensors:
      return tensors.get_tensor(whole)


def _layers_json(config: EncoderConfig) -> dict[str, Any]:
  scale = config.query_scale or config.head_dim
  return {
    'hidden_activation': _GELU,
    'query_pre_attn_scalar': int(scale) if scale == int(scale) else scale,
    'attn_logit_softcapping': config.attention_softcap,
    'final_logit_softcapping': config.logit_softcap,
    'layer_types': [
      'full_attention' if config.is_global(i) else 'sliding_attention'
      for i in range(config.layers)
    ],
  }


def _gemma_3_json(
  config: EncoderConfig, plain: dict[str, Any]
) -> dict[str, Any]:
  stretched = {'rope_type': 'linear', 'factor': config.global_rope_scale}
  scaling = stretched if config.global_rope_scale != 1 else None
  return {
    # Of a bidirectional Gemma 3, the window is both sides together.
    'sliding_window': 2 * config.local_radius,
    'use_bidirectional_attention': True,
    'sliding_window_pattern': config.global_every,
    '_sliding_window_pattern': config.global_every,
    'rope_local_base_freq': config.local_rope_theta,
    'rope_scaling': scaling,
    'rope_parameters': {
      'full_attention': plain | (scaling or {}),
      'sliding_attention': plain | {'rope_theta': config.local_rope_theta},
    },
  }


def _model_type(config: EncoderConfig) -> str:
  """Returns which Gemma it is."""
  kinds = {
    (False, False): 'gemma',
    (False, True): 'gemma2',
    (True, True): 'gemma3_text',
  }
  kind = kinds.get((config.qk_norm, config.post_norms))
  problems = []
  if kind is None:
    problems.append('qk_norm=True without post_norms')
  if kind == 'gemma3_text' and config.attention_softcap is not None:
    problems.append('attention_softcap beside qk_norm')
  if kind == 'gemma':
    if config.global_every != 1:
      problems.append('local layers without post_norms')
    if config.attention_softcap is not None:
      problems.append('attention_softcap without post_norms')
    if config.query_scale not in (None, config.head_dim):
      problems.append('query_scale other than head_dim without post_norms')
  if kind in ('gemma', 'gemma2') and config.global_rope_scale != 1:
    problems.append('global_rope_scale without qk_norm')
  if kind == 'gemma2' and config.local_rope_theta != config.global_rope_theta:
    problems.append('two rotary bases without qk_norm')
  if config.width % config.heads:
    problems.append('a width that heads do not divide')
  if kind is None or problems:
    raise ValueError(
      f'transformers has no Gemma with {"; ".join(problems)}: this '
      'EncoderConfig cannot be exported. Keep to the Gemma 1, 2 or 3 of '
      'configs/model.'
    )
  return kind


def _window(kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
  if kind == 'gemma':
    return {'global_every': 1}
  # Of a Gemma 2 that is not causal, the window is one side; else it is both.
  one_side = kind == 'gemma2' and not content.get('is_causal', True)
  window = content.get('sliding_window')
  return {
    'global_every': _global_every(content),
    'local_radius': window and (window if one_side else window // 2),
  }


def _rope(kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
  """Reads the new spelling, `rope_parameters`, or the old ones."""
  rope = content.get('rope_parameters') or {}
  old = content.get('rope_theta')
  if kind != 'gemma3_text':
    theta = rope.get('rope_theta', old)
    both = {'global_rope_theta': theta, 'local_rope_theta': theta}
    return both if kind == 'gemma2' else {'global_rope_theta': theta}
  full = rope.get('full_attention', {})
  local = rope.get('sliding_attention', {})
  scaling = full if rope else content.get('rope_scaling') or {}
  stated = rope or 'rope_scaling' in content
  return {
    'global_rope_theta': full.get('rope_theta', old),
    'local_rope_theta': local.get(
      'rope_theta', content.get('rope_local_base_freq')
    ),
    'global_rope_scale': scaling.get('factor', 1.0) if stated else None,
  }


def _global_every(content: Mapping[str, Any]) -> int | None:
  types: Sequence[str] | None = content.get('layer_types')
  if not types:
    return content.get(
      'sliding_window_pattern', content.get('_sliding_window_pattern')
    )
  whole = [i for i, kind in enumerate(types) if kind == 'full_attention']
  every = whole[0] + 1 if whole else len(types) + 1
  if whole != list(range(every - 1, len(types), every)):
    raise ValueError(
      f'config.json has layer_types with global layers {whole}; gemb wants '
      'every so-many-th layer global.'
    )
  return every if whole else None


def _plain_name(name: str) -> str | None:
  """Returns a tensor's name without prefix; None: no part of M."""
  if name.startswith(_NOT_LANGUAGE) or name in _HEADS:
    return None
  prefix = next((p for p in _PREFIXES if name.startswith(p)), '')
  return name.removeprefix(prefix)
