import json

import pytest

from gemb import prompts
from gemb.export import contents
from gemb.model.config import EmbedderConfig, EncoderConfig

GEMMA_2 = EncoderConfig(
  vocabulary=64,
  width=16,
  layers=2,
  heads=2,
  kv_heads=1,
  head_dim=8,
  mlp_width=32,
  global_every=2,
  global_rope_theta=1e4,
  qk_norm=False,
  attention_softcap=50.0,
)


def read(files):
  return {name: json.loads(content) for name, content in files.items()}


def modules(**changes):
  config = EmbedderConfig(encoder=GEMMA_2, embedding_width=24)
  options = {'texts_before': {'query': 'q: '}, 'truncate_dim': None} | changes
  return read(contents.module_files(config, **options))


def test_the_modules_have_the_names_that_every_release_knows():
  found = modules()['modules.json']
  assert [module['type'] for module in found] == [
    'sentence_transformers.models.Transformer',
    'sentence_transformers.models.Pooling',
    'sentence_transformers.models.Dense',
    'sentence_transformers.models.Normalize',
  ]
  assert [module['path'] for module in found] == [
    '',
    '1_Pooling',
    '2_Dense',
    '3_Normalize',
  ]


def test_the_mean_of_all_tokens_is_projected_without_bias():
  found = modules()
  pooling, dense = found['1_Pooling/config.json'], found['2_Dense/config.json']
  assert [mode for mode, on in pooling.items() if on is True] == [
    'pooling_mode_mean_tokens',
    'include_prompt',
  ]
  assert (dense['in_features'], dense['out_features']) == (16, 24)
  assert dense['bias'] is False


def test_a_prefix_is_named_only_if_one_is_wanted():
  name = 'config_sentence_transformers.json'
  assert 'truncate_dim' not in modules()[name]
  assert modules(truncate_dim=8)[name]['truncate_dim'] == 8
  assert modules()[name]['prompts'] == {'query': 'q: '}


def test_the_transformer_has_a_dtype_and_a_longest_text():
  found = read(
    contents.transformer_files(GEMMA_2, dtype='bfloat16', max_length=77)
  )
  config = found['config.json']
  assert config['model_type'] == 'gemma2'
  assert config['dtype'] == config['torch_dtype'] == 'bfloat16'
  assert config['max_position_embeddings'] == 77
  assert found['sentence_bert_config.json']['max_seq_length'] == 77


def test_attention_with_a_cap_is_not_fused():
  files = contents.transformer_files(GEMMA_2, dtype='float32', max_length=77)
  loading = read(files)['sentence_bert_config.json']
  assert loading['model_args'] == {'attn_implementation': 'eager'}
  uncapped = EncoderConfig(
    vocabulary=64,
    width=16,
    layers=2,
    heads=2,
    kv_heads=1,
    head_dim=8,
    mlp_width=32,
  )
  files = contents.transformer_files(uncapped, dtype='float32', max_length=77)
  assert 'model_args' not in read(files)['sentence_bert_config.json']


def test_each_type_of_task_has_its_prompts_and_documents_are_no_queries():
  found = contents.text_prompts({})
  assert found['query'] == 'task: search result | query: '
  assert found['document'] == 'title: none | text: '
  assert found['STS'] == 'task: sentence similarity | query: '
  assert found['Reranking-query'] == 'task: search result | query: '
  assert found['Reranking-document'] == 'title: none | text: '
  assert not {'Reranking', 'Retrieval', 'InstructionRetrieval'} & found.keys()
  of_types = {name.partition('-')[0] for name in found}
  assert of_types == {*prompts.BY_MTEB_TYPE, 'query', 'document'}


def test_a_run_may_have_prompts_of_its_own():
  found = contents.text_prompts(
    {'STS': ('{text}', '{text}'), 'CosQA': 'code retrieval'}
  )
  assert found['STS'] == ''
  assert found['CosQA-query'] == 'task: code retrieval | query: '
  assert found['CosQA-document'] == 'title: none | text: '


def test_a_template_that_goes_on_after_the_text_is_refused():
  with pytest.raises(
    ValueError, match=r'The template of STS, .* goes on after'
  ):
    contents.text_prompts({'STS': ('{text} .', '{text} .')})
