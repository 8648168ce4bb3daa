"""What the JSON files of a sentence-transformers folder say.

The layout is the older one, which releases before and after 6 load alike.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

from gemb import prompts
from gemb.model.config import EmbedderConfig, EncoderConfig
from gemb.model.formats import hugging_face
from gemb.types import PAD

Dtype = Literal['float32', 'bfloat16']

POOLING, DENSE, NORMALIZE = '1_Pooling', '2_Dense', '3_Normalize'
# The names of modules before release 6, which later ones know too.
_MODULES = {
  '': 'Transformer',
  POOLING: 'Pooling',
  DENSE: 'Dense',
  NORMALIZE: 'Normalize',
}
_OTHER_MODES = (
  'cls_token',
  'max_tokens',
  'mean_sqrt_len_tokens',
  'weightedmean_tokens',
  'lasttoken',
)


def transformer_files(
  config: EncoderConfig, *, dtype: Dtype, max_length: int
) -> dict[str, str]:
  """Returns the files about the transformer, by name.

  Raises:
    ValueError: if transformers has no such architecture.
  """
  model = hugging_face.config_json(config) | {
    'max_position_embeddings': max_length,
    'pad_token_id': PAD,
    'dtype': dtype,
    'torch_dtype': dtype,
  }
  loading: dict[str, Any] = {
    'max_seq_length': max_length,
    'do_lower_case': False,
  }
  if config.attention_softcap is not None:
    # PyTorch's fused attention has no cap, and some releases of transformers
    # that use it leave the cap out in silence.
    loading['model_args'] = {'attn_implementation': 'eager'}
  return {
    'config.json': _json(model),
    'sentence_bert_config.json': _json(loading),
  }


def module_files(
  config: EmbedderConfig,
  *,
  texts_before: Mapping[str, str],
  truncate_dim: int | None,
) -> dict[str, str]:
  """Returns the files about what follows the transformer, by name.

  Args:
    config: of the model.
    texts_before: of `text_prompts`.
    truncate_dim: dimensions that are kept; None: all.
  """
  width = config.encoder.width
  modules = [
    {
      'idx': number,
      'name': str(number),
      'path': path,
      'type': f'sentence_transformers.models.{kind}',
    }
    for number, (path, kind) in enumerate(_MODULES.items())
  ]
  pooling = {
    'word_embedding_dimension': width,
    'pooling_mode_mean_tokens': True,
    **{f'pooling_mode_{mode}': False for mode in _OTHER_MODES},
    'include_prompt': True,
  }
  dense = {
    'in_features': width,
    'out_features': config.embedding_width,
    'bias': False,
    'activation_function': 'torch.nn.modules.linear.Identity',
  }
  model: dict[str, Any] = {
    'model_type': 'SentenceTransformer',
    'prompts': dict(texts_before),
    'default_prompt_name': None,
    'similarity_fn_name': 'cosine',
  }
  if truncate_dim is not None:
    model['truncate_dim'] = truncate_dim
  return {
    'modules.json': _json(modules),
    'config_sentence_transformers.json': _json(model),
    f'{POOLING}/config.json': _json(pooling),
    f'{DENSE}/config.json': _json(dense),
    f'{NORMALIZE}/config.json': _json({}),
  }


def text_prompts(
  overrides: Mapping[str, str | tuple[str, str]],
) -> dict[str, str]:
  """Returns what is put before a text, by the name that MTEB asks for.

  Types of task whose two sides differ have '-query' or '-document' after their
  name: under the bare one, MTEB would dress documents as queries.

  Args:
    overrides: task strings or templates by task or type of task, which go
      before `prompts.BY_MTEB_TYPE`.

  Raises:
    ValueError: if a template goes on after the text.
  """
  search = prompts.make_prompt('search result')
  templates = {'query': search.query, 'document': search.passage}
  for name, task in (prompts.BY_MTEB_TYPE | dict(overrides)).items():
    prompt = prompts.make_prompt(task)
    if prompt.query == prompt.passage:
      templates[name] = prompt.query
    else:
      templates[f'{name}-query'] = prompt.query
      templates[f'{name}-document'] = prompt.passage
  for name, template in templates.items():
    if not template.endswith('{text}'):
      raise ValueError(
        f'The template of {name}, {template!r}, goes on after {{text}}, and '
        'sentence-transformers has prompts before a text alone; change '
        'EvalConfig.mteb_prompts.'
      )
  return {
    name: template.removesuffix('{text}')
    for name, template in templates.items()
  }


def _json(content: Any) -> str:
  return json.dumps(content, indent=2, ensure_ascii=False) + '\n'
