"""The seqio registry, and seqio's tokens against our records'."""

import collections
import re

import numpy as np
import pytest
import seqio
import tensorflow as tf

from gemb.data import cache, tasks
from gemb.data.config import TokenizerConfig
from gemb.data.corpora import CORPORA, HELD_OUT
from gemb.data.examples import Example
from gemb.data.records import Records, make_spec
from gemb.data.tokenizer import load_tokenizer

AWKWARD = [
  'two  spaces  ',
  '  and in front',
  'tab\tand\n\n  lines\r\n',
  '😀👩‍👩‍👧 e\u0301 ﬁ½Ⅳ \u200b\ufeff',
  'a <bos> b <eos> <pad> <unk> <0x41>',
  '▁ looks like a space',
  'कंप्यूटर ภาษาไทย العربية עברית 한국어',
  '1234567890 3.14 --x != ++y',
  '{text} {query}',
  '',
]


def add(name, columns, splits=('train',)):
  """Registers a Task of these columns."""

  def dataset(split, shuffle_files, seed=None):
    return tf.data.Dataset.from_tensor_slices(columns)

  return tasks.add(name, seqio.FunctionDataSource(dataset, splits=splits))


@pytest.fixture(scope='module', autouse=True)
def registered():
  """Leaves the registry as it was."""
  before = set(seqio.TaskRegistry.names()), set(seqio.MixtureRegistry.names())
  add('awkward', {'query': AWKWARD, 'positive': AWKWARD[::-1]})
  add('both_splits', {'query': ['a'], 'positive': ['b']}, ('train', 'test'))
  add('no_split', {'query': ['a'], 'positive': ['b']}, ('validation',))
  yield
  for registry, names in zip(
    (seqio.TaskRegistry, seqio.MixtureRegistry), before, strict=True
  ):
    for name in set(registry.names()) - names:
      # A module is imported once in a process: its Tasks stay.
      if name not in ('golden_pairs', 'golden_held_out'):
        registry.remove(name)


@pytest.fixture
def config(make_config, golden_tasks, data_folder):
  def make(rates, **changes):
    config = make_config(modules=(golden_tasks,), rates=rates, **changes)
    tasks.import_modules(config)
    return config

  return make


def test_every_corpus_is_a_task():
  for name in CORPORA:
    split = 'test' if name in HELD_OUT else 'train'
    assert list(tasks.get(name).splits) == [split]


def test_a_task_of_ones_own_is_read_in_order(config):
  config({'golden_pairs': 1.0})
  read = list(tasks.read('golden_pairs'))
  assert len(read) == 300
  assert read == list(tasks.read('golden_pairs'))
  assert {len(example.negatives) for example in read} == {0, 1, 2}


def test_a_task_may_lack_all_but_query_and_positive():
  first, *_, last = tasks.read('awkward')
  assert first == Example(
    id='0', language='und', query='two  spaces  ', positive=''
  )
  assert last.id == '9'


def test_more_examples_than_are_read_at_once_keep_their_order(monkeypatch):
  monkeypatch.setattr(tasks, '_READ_AT_ONCE', 3)
  assert [example.query for example in tasks.read('awkward')] == AWKWARD


def test_hard_negatives_of_one_number_are_read_too():
  negatives = [['c', 'd'], ['e', 'f']]
  add(
    'two_each',
    {'query': ['a', 'g'], 'positive': ['b', 'h'], 'negatives': negatives},
  )
  read = [example.negatives for example in tasks.read('two_each')]
  assert read == [('c', 'd'), ('e', 'f')]


@pytest.mark.parametrize(
  ('task', 'splits'),
  [('both_splits', "['test', 'train']"), ('no_split', "['validation']")],
)
def test_a_task_needs_exactly_one_of_train_and_test(task, splits):
  message = f"Task '{task}' has the splits {splits}; gemb wants either 'train'"
  with pytest.raises(ValueError, match=re.escape(message)):
    next(tasks.read(task))


def test_a_name_that_is_taken_is_refused():
  with pytest.raises(ValueError, match='awkward'):
    add('awkward', {'query': ['a'], 'positive': ['b']})


def test_the_source_of_ones_own_task_is_its_name():
  assert tasks.source_name('awkward') == 'seqio task awkward'


def test_the_source_of_a_corpus_is_its_version(data_folder):
  assert re.fullmatch(
    r'networkx_docstrings/\d+\.\d+\.\d+',
    tasks.source_name('networkx_docstrings'),
  )


def test_an_unknown_task_is_an_error_with_the_nearest():
  with pytest.raises(
    ValueError, match=r"There is no task 'awkwerd'; the nearest are \['awkward'"
  ):
    tasks.get('awkwerd')


def test_a_task_of_tokens_is_no_task_of_text(config, tokenizer):
  tasks.add_mixture(config({'awkward': 1.0}, name='tokens'), tokenizer)
  with pytest.raises(ValueError, match=r"There is no task 'tokens\.awkward'"):
    tasks.get('tokens.awkward')


@pytest.mark.parametrize('module', ['nowhere', 'nowhere.tasks', 'json.nowhere'])
def test_a_module_that_is_not_there_is_an_error(make_config, module):
  message = f"names '{module}', which cannot be imported; run from the folder"
  with pytest.raises(ValueError, match=re.escape(message)):
    tasks.import_modules(make_config(modules=(module,)))


def test_a_module_that_lacks_a_package_says_which(
  make_config, tmp_path, monkeypatch
):
  (tmp_path / 'my_tasks.py').write_text('import a_missing_package\n')
  monkeypatch.syspath_prepend(str(tmp_path))
  with pytest.raises(ModuleNotFoundError, match='a_missing_package'):
    tasks.import_modules(make_config(modules=('my_tasks',)))


def assert_same_tokens(config, split, tokenizer):
  """Compares all examples of a one-task mixture; returns their number."""
  dataset = tasks.add_mixture(config, tokenizer).get_dataset(
    None, split=split, shuffle=False, num_epochs=1
  )
  from_seqio = [
    (row['query'].tolist(), row['positive'].tolist())
    for row in dataset.as_numpy_iterator()
  ]
  cache.build(config)
  records = Records(make_spec(config, *config.rates, tokenizer))
  ours = [
    (record.query.tolist(), record.positive.tolist())
    for record in records.read(np.arange(len(records)))
  ]
  assert from_seqio == ours
  return len(ours)


@pytest.mark.parametrize(
  ('task', 'count'),
  [('golden_pairs', 300), ('golden_held_out', 60), ('awkward', len(AWKWARD))],
)
def test_seqio_gives_the_tokens_of_our_records(config, tokenizer, task, count):
  mixed = config({task: 1.0}, name=f'same_{task}')
  split = 'test' if task == 'golden_held_out' else 'train'
  assert assert_same_tokens(mixed, split, tokenizer) == count


def test_seqio_gives_the_tokens_of_a_trained_tokenizer_too(config):
  trained = TokenizerConfig(name='trained', vocabulary=600)
  mixed = config({'awkward': 1.0}, name='trained', tokenizer=trained)
  cache.build(config({'golden_pairs': 1.0}, tokenizer=trained))
  assert_same_tokens(mixed, 'train', load_tokenizer(trained))


def test_a_mixture_gives_examples_by_their_rates(config, tokenizer):
  rates = {'golden_pairs': 3.0, 'awkward': 1.0}
  prompts = {'golden_pairs': ('p{text}', '{text}'), 'awkward': 'clustering'}
  mixture = tasks.add_mixture(
    config(rates, name='rated', prompts=prompts), tokenizer
  )
  dataset = mixture.get_dataset(
    None, split='train', shuffle=False, num_epochs=None, seed=0
  )
  counts = collections.Counter(
    tokenizer.decode(row['query'])[0]
    for row in dataset.take(800).as_numpy_iterator()
  )
  # 600 and 200 are expected, with a standard deviation of 12.
  assert counts.keys() == {'p', 't'}
  assert 540 < counts['p'] < 660
