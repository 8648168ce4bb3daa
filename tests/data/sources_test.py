import re

import pytest

from gemb import prompts
from gemb.data.sources import SourceConfig


def source(**changes):
  return SourceConfig(**{'task': 'mine', 'path': 'pairs.jsonl', **changes})


def test_two_lines_are_enough():
  assert source().fields == {'query': 'query', 'positive': 'positive'}
  assert source().task_string == 'search result'


def test_the_fields_in_use_are_those_that_are_named():
  named = source(query='q', positive='a', negatives='n', id='key')
  assert named.fields == {
    'query': 'q',
    'positive': 'a',
    'negatives': 'n',
    'id': 'key',
  }


def test_texts_with_a_label_have_no_positive():
  labelled = source(query='text', label='intent')
  assert labelled.fields == {'query': 'text', 'label': 'intent'}
  assert labelled.task_string == 'classification'


@pytest.mark.parametrize('prompt', ['clustering', ('q: {text}', '{text}')])
def test_a_prompt_of_ones_own_is_kept(prompt):
  assert source(prompt=prompt).task_string == prompt
  assert source(prompt=prompt, label='intent').task_string == prompt


@pytest.mark.parametrize(
  ('path', 'kind', 'name'),
  [
    ('data/*.jsonl', 'files', 'data/*.jsonl'),
    ('tfds:glue/sst2:1.0.0', 'tfds', 'glue/sst2:1.0.0'),
    ('hf:owner/name:part', 'hf', 'owner/name:part'),
    ('odd:pairs.jsonl', 'files', 'odd:pairs.jsonl'),
  ],
)
def test_the_path_tells_the_kind(path, kind, name):
  assert (source(path=path).kind, source(path=path).name) == (kind, name)


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'task': 'my pairs'}, "task is 'my pairs'; a name has letters, digits"),
    ({'task': '../mine'}, "task is '../mine'; a name has letters"),
    ({'task': 'größe'}, "task is 'größe'; a name has letters"),
    ({'task': ''}, "task is ''; a name has letters"),
    ({'path': 'hf:'}, "path of 'mine' is 'hf:'; name a file, a pattern"),
    ({'path': ''}, "path of 'mine' is ''; name a file"),
    ({'label': 'l', 'positive': 'p'}, "label of 'mine' is 'l': texts with"),
    ({'label': 'l', 'negatives': 'n'}, 'Remove "positive" and "negatives"'),
    ({'max_characters': 0}, "max_characters of 'mine' is 0; it must be at"),
    ({'max_bad_share': 1.0}, "max_bad_share of 'mine' is 1.0; it must be at"),
    ({'max_bad_share': -0.1}, 'is -0.1; it must be at least 0 and less than 1'),
    ({'prompt': 'clusterin'}, "Unknown task string 'clusterin'"),
  ],
)
def test_what_cannot_be_read_is_refused(changes, message):
  with pytest.raises(ValueError, match=re.escape(message)):
    source(**changes)


def test_a_task_takes_the_prompt_of_its_source(make_config):
  mine = source(prompt='clustering')
  config = make_config(rates={'mine': 1.0}, prompts={}, sources=(mine,))
  assert config.prompt('mine') == prompts.make_prompt('clustering')


def test_the_prompts_of_the_run_go_before(make_config):
  config = make_config(
    rates={'mine': 1.0},
    prompts={'mine': 'code retrieval'},
    sources=(source(prompt='clustering'),),
  )
  assert config.prompt('mine') == prompts.make_prompt('code retrieval')


def test_two_sources_of_one_task_are_refused(make_config):
  with pytest.raises(ValueError, match=r"more than one source of \['mine'\]"):
    make_config(sources=(source(), source(path='other.jsonl')))
