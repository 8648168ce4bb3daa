import dataclasses
import json

import pytest

from gemb.data.specs import FORMAT, CacheSpec, make_spec, make_specs

SPEC = CacheSpec(
  task='task',
  query_template='q: {text}',
  passage_template='{text}',
  tokenizer_sha256='ab',
  held_out=('x',),
)


def test_the_folder_of_a_spec_stays_what_it_was(data_folder):
  # Another one would make every cache anew.
  assert SPEC.folder.parent == data_folder / 'cache' / 'task'
  assert SPEC.folder.name == 'a43c6db7a3e0'


@pytest.mark.parametrize(
  ('field', 'value'),
  [
    ('task', 'other'),
    ('query_template', 'query: {text}'),
    ('passage_template', 'p: {text}'),
    ('tokenizer_sha256', 'cd'),
    ('held_out', ()),
    ('mined', 'ef'),
    ('contaminated', '01'),
    ('filtered', '23'),
    ('format', FORMAT + 1),
  ],
)
def test_each_field_of_a_spec_has_a_part_in_its_fingerprint(field, value):
  other = dataclasses.replace(SPEC, **{field: value})
  assert other.folder.name != SPEC.folder.name


def test_each_field_of_a_spec_is_tested_above():
  fields = {field.name for field in dataclasses.fields(CacheSpec)}
  assert fields == {
    'task',
    'query_template',
    'passage_template',
    'tokenizer_sha256',
    'held_out',
    'mined',
    'contaminated',
    'filtered',
    'format',
  }


def test_a_spec_is_made_from_prompt_and_tokenizer(make_config, tokenizer):
  config = make_config(held_out=('b', 'a'))
  assert make_spec(config, 'golden_pairs', tokenizer) == CacheSpec(
    task='golden_pairs',
    query_template='task: search result | query: {text}',
    passage_template='title: none | text: {text}',
    tokenizer_sha256=tokenizer.sha256,
    held_out=('a', 'b'),
  )


def test_a_spec_gives_its_templates_back_as_a_prompt(make_config, tokenizer):
  config = make_config()
  spec = make_spec(config, 'golden_pairs', tokenizer)
  assert spec.prompt == config.prompt('golden_pairs')


def test_a_task_is_read_twice_where_its_task_string_may_be_dropped(
  make_config, tokenizer
):
  def specs(**changes):
    return make_specs(make_config(**changes), 'golden_pairs', tokenizer)

  (usual,) = specs()
  first, bare = specs(drop_task_string=0.1)
  assert first == usual
  assert bare == dataclasses.replace(
    usual,
    query_template='{text}',
    passage_template='title: none | text: {text}',
  )


def test_changed_mined_negatives_make_another_spec(
  make_config, tokenizer, tmp_path
):
  path = tmp_path / 'mined.jsonl'
  config = make_config(mined_negatives={'golden_pairs': str(path)})
  path.write_text(json.dumps({'id': '1', 'negatives': ['no']}) + '\n')
  first = make_spec(config, 'golden_pairs', tokenizer)
  assert first.mined and first == make_spec(config, 'golden_pairs', tokenizer)
  path.write_text(json.dumps({'id': '1', 'negatives': ['not']}) + '\n')
  assert make_spec(config, 'golden_pairs', tokenizer) != first


def test_mined_negatives_that_are_not_there_are_named(make_config, tokenizer):
  config = make_config(mined_negatives={'golden_pairs': 'nowhere.jsonl'})
  with pytest.raises(
    OSError, match=r"task 'golden_pairs' cannot be read at nowhere\.jsonl"
  ):
    make_spec(config, 'golden_pairs', tokenizer)
