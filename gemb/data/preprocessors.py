"""Steps between a corpus's text and a seqio user's tokens, in TensorFlow.

gemb's own caches take the shorter way round (`gemb.data.cache`: the same
prompts and tokenizer in plain Python, fifteen times as fast); that both give
the same ids is pinned by data/tasks_test.py.
"""

import seqio
import tensorflow as tf

from gemb.prompts import Prompt


@seqio.map_over_dataset
def dress(example: dict, prompt: Prompt) -> dict:
  """Puts the templates round query and positive.

  {'query': 'sort a list', 'positive': 'def sort(): ...'}
    -> {'query': 'task: code retrieval | query: sort a list',
        'positive': 'title: none | text: def sort(): ...'}
  """
  dressed = dict(example)
  for feature, template in (
    ('query', prompt.query),
    ('positive', prompt.passage),
  ):
    before, after = template.split('{text}')
    dressed[feature] = tf.strings.join([before, example[feature], after])
  return dressed


@seqio.map_over_dataset
def tokenize(example: dict, output_features: dict) -> dict:
  """Turns query and positive into <bos> text <eos>.

  {'query': 'sort', 'positive': 'def'} -> {'query': [2, 81, 1], ...}
  """
  tokens = {}
  for name, feature in output_features.items():
    vocabulary = feature.vocabulary
    ids = vocabulary.encode_tf(example[name])
    ends = [vocabulary.bos_id], [vocabulary.eos_id]
    tokens[name] = tf.concat([ends[0], ids, ends[1]], axis=0)
  return tokens
