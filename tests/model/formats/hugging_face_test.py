import dataclasses
import json

import pytest

from gemb.model.config import EncoderConfig
from gemb.model.formats import hugging_face

GEMMA_3 = EncoderConfig(
  vocabulary=64,
  width=12,
  layers=7,
  heads=3,
  kv_heads=1,
  head_dim=4,
  mlp_width=8,
  local_radius=5,
  global_every=3,
  global_rope_scale=8.0,
  query_scale=6.0,
)
GEMMA_2 = dataclasses.replace(
  GEMMA_3,
  qk_norm=False,
  global_rope_scale=1.0,
  global_rope_theta=1e4,
  attention_softcap=50.0,
  logit_softcap=30.0,
)
GEMMA_1 = dataclasses.replace(
  GEMMA_2,
  post_norms=False,
  global_every=1,
  query_scale=None,
  attention_softcap=None,
  logit_softcap=None,
)
FAMILY = {'gemma': GEMMA_1, 'gemma2': GEMMA_2, 'gemma3_text': GEMMA_3}


@pytest.mark.parametrize('kind', FAMILY)
def test_what_is_written_is_read_to_the_same_configuration(kind):
  config = FAMILY[kind]
  content = json.loads(json.dumps(hugging_face.config_json(config)))
  assert content['model_type'] == kind
  stated = hugging_face.facts(content)
  written = dataclasses.asdict(config)
  assert stated == {name: written[name] for name in stated}
  unstated = written.keys() - stated.keys()
  free = {'dtype', 'branch_gain', 'global_rope_scale'}
  if kind == 'gemma':  # it has no local layers
    free |= {'local_radius', 'local_rope_theta', 'query_scale'}
  assert unstated <= free | {'attention_softcap', 'logit_softcap'}


def test_older_spellings_say_the_same():
  new = hugging_face.config_json(GEMMA_3)
  old = {k: v for k, v in new.items() if k not in ('rope_parameters',)}
  del old['layer_types']
  assert hugging_face.facts(old) == hugging_face.facts(new)
  assert old['rope_scaling'] == {'rope_type': 'linear', 'factor': 8.0}


def test_the_text_model_of_a_multimodal_one_is_found():
  content = hugging_face.config_json(GEMMA_3)
  whole = {'model_type': 'gemma3', 'text_config': content}
  assert hugging_face.facts(whole) == hugging_face.facts(content)


def test_a_config_that_leaves_defaults_out_states_less():
  stated = hugging_face.facts({'model_type': 'gemma3_text', 'hidden_size': 12})
  assert stated == {'width': 12, 'qk_norm': True, 'post_norms': True}


def test_the_window_of_a_causal_gemma_2_is_twice_the_radius():
  content = hugging_face.config_json(GEMMA_2)
  assert hugging_face.facts(content)['local_radius'] == 5
  del content['is_causal']
  content['sliding_window'] = 10
  assert hugging_face.facts(content)['local_radius'] == 5


def test_another_model_is_refused():
  with pytest.raises(ValueError, match="model_type 'gemma3n'"):
    hugging_face.facts({'model_type': 'gemma3n'})


def test_an_irregular_pattern_of_layers_is_refused():
  content = hugging_face.config_json(GEMMA_3)
  content['layer_types'][0] = 'full_attention'
  with pytest.raises(ValueError, match=r'global layers \[0, 2, 5\]'):
    hugging_face.facts(content)


@pytest.mark.parametrize(
  'config, problem',
  [
    (dataclasses.replace(GEMMA_3, attention_softcap=9.0), 'attention_softcap'),
    (dataclasses.replace(GEMMA_2, global_rope_theta=1e6), 'two rotary bases'),
    (dataclasses.replace(GEMMA_2, global_rope_scale=8.0), 'global_rope_scale'),
    (dataclasses.replace(GEMMA_1, global_every=2), 'local layers'),
    (dataclasses.replace(GEMMA_1, query_scale=9.0), 'query_scale'),
    (dataclasses.replace(GEMMA_3, post_norms=False), 'without post_norms'),
    (dataclasses.replace(GEMMA_3, width=13), 'a width that heads'),
  ],
)
def test_what_transformers_cannot_compute_is_not_written(config, problem):
  with pytest.raises(ValueError, match=problem):
    hugging_face.config_json(config)
