import dataclasses
import re

import pytest

from gemb import prompts
from gemb.data.config import PackingConfig


def test_a_prompt_is_found_by_its_task(make_config):
  config = make_config(
    rates={'a': 1.0, 'b': 2.0},
    prompts={'a': 'clustering', 'b': ('{text}', 'doc: {text}')},
  )
  assert config.prompt('a') == prompts.make_prompt('clustering')
  assert config.prompt('b') == prompts.Prompt('{text}', 'doc: {text}')


def test_a_config_cannot_be_changed(make_config):
  with pytest.raises(dataclasses.FrozenInstanceError):
    make_config().batch_size = 9


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'batch_size': 0}, 'batch_size is 0; it must be at least 1'),
    (
      {'batch_sizes': {'golden_pairs': 0}},
      "batch_sizes['golden_pairs'] is 0; it must be at least 1",
    ),
    (
      {'batch_sizes': {'golden_pair': 4}},
      "no prompt for task 'golden_pair'; it has some for ['golden_pairs']",
    ),
    (
      {'batch_sizes': {'golden_pairs': 4}, 'mixed': True},
      "batch_sizes is {'golden_pairs': 4}, but with DataConfig.mixed a batch "
      'is of all tasks',
    ),
    ({'window': 0}, 'window is 0; it must be at least 1'),
    ({'hard_negatives': -1}, 'hard_negatives is -1; it must not be negative'),
    ({'drop_task_string': 1.0}, 'drop_task_string is 1.0; it is the share'),
    ({'drop_task_string': -0.1}, 'at least 0, less than 1'),
    (
      {'packing': PackingConfig(row_length=16)},
      'row_length is 16, shorter than the longest text of DataConfig.shapes',
    ),
    ({'shapes': ()}, 'shapes is (); its last (query, passage) must be the'),
    ({'shapes': ((16, 8), (8, 16))}, 'must be the longest on both sides'),
    ({'shapes': ((16, 8), (8, 8))}, 'shapes is ((16, 8), (8, 8)); its last'),
    ({'shapes': ((8, 2), (8, 8))}, 'shapes has a length of 2; a text takes'),
    ({'rates': {}}, 'rates is {}; give at least one task'),
    ({'rates': {'a': 1.0, 'b': 0.0}}, 'each with a rate greater than 0'),
    ({'rates': {'a': 1.0, 'b': -1.0}}, 'each with a rate greater than 0'),
    (
      {'rates': {'a': 1.0, 'b': 1.0}, 'held_out': ('b', 'c')},
      "Tasks ['b'] are both trained on (DataConfig.rates) and held out",
    ),
    (
      {'rates': {'code': 1.0}, 'prompts': {'cod': 'clustering', 'x': 'any'}},
      "no prompt for task 'code'; it has some for ['cod', 'x']",
    ),
    (
      {'held_out': ('c',), 'prompts': {'golden_pairs': 'clustering'}},
      "no prompt for task 'c'",
    ),
    (
      {'prompts': {'golden_pairs': 'clusterin'}},
      "Unknown task string 'clusterin'; the nearest are ['clustering'",
    ),
    (
      {'prompts': {'golden_pairs': ('{text}', 'no place')}},
      "The passage template 'no place' must hold {text} once",
    ),
  ],
)
def test_what_cannot_be_trained_on_is_refused(make_config, changes, message):
  with pytest.raises(ValueError, match=re.escape(message)):
    make_config(**changes)


@pytest.mark.parametrize('field', ['row_length', 'rungs'])
def test_packing_needs_room(field):
  with pytest.raises(ValueError, match=f'PackingConfig.{field} is 0; it must'):
    PackingConfig(**{'row_length': 8, field: 0})


def test_the_smallest_config_is_accepted(make_config):
  config = make_config(batch_size=1, window=1, shapes=((3, 3),))
  assert config.held_out == ()


def test_the_lengths_of_all_shapes_are_ascending(make_config):
  config = make_config(shapes=((16, 64), (16, 16), (64, 64), (64, 128)))
  assert config.lengths == (16, 64, 128)


def test_a_batch_has_the_size_of_its_task(make_config):
  prompts = dict.fromkeys('abc', 'clustering')
  config = make_config(
    rates={'a': 1.0, 'b': 1.0},
    prompts=prompts,
    batch_sizes={'b': 12, 'c': 99},  # c is not trained on
  )
  assert [config.batch_size_of(task) for task in 'ab'] == [8, 12]
  assert config.sizes == {
    'DataConfig.batch_size': 8,
    "DataConfig.batch_sizes['b']": 12,
  }
  largest = config.of_largest_batch()
  assert largest.sizes == {'DataConfig.batch_size': 12}
  alone = make_config(rates={'b': 1.0}, prompts=prompts, batch_sizes={'b': 4})
  assert alone.sizes == {"DataConfig.batch_sizes['b']": 4}
  assert alone.of_largest_batch().batch_size == 4
