"""The suite on texts whose right answers are known, without a model."""

import json

import numpy as np
import pytest

from gemb.data import examples
from gemb.data.config import DataConfig, TokenizerConfig
from gemb.data.examples import Example
from gemb.evals import suite
from gemb.evals.suite import EvalConfig

LANGUAGES = ('de', 'fr')
PREFIXES = (4, 16)


@pytest.fixture
def write_task(tmp_path, monkeypatch):
  """Writes a task's texts as `gemb cache` does."""
  monkeypatch.setenv('GEMB_DATA', str(tmp_path))

  def write(name, languages=LANGUAGES, count=12):
    found = [
      Example(
        id=f'{language}/{n}',
        language=language,
        query=f'{name} {language} satz {n}',
        positive=f'{name} sentence {n}',
      )
      for language in languages
      for n in range(count)
    ]
    examples.write_texts(name, 'test', found)
    return name

  return write


def data_config(*tasks):
  return DataConfig(
    name='test',
    rates={'train': 1.0},
    prompts={
      'train': 'clustering',
      **dict.fromkeys(tasks, 'sentence similarity'),
      **{task: 'code retrieval' for task in tasks if task == 'code'},
    },
    tokenizer=TokenizerConfig(),
    batch_size=8,
    shapes=((8, 8),),
    held_out=tasks,
  )


def eval_config(**changes):
  return EvalConfig(
    **{'every_steps': 1, 'min_candidates': 2, 'max_candidates': 100, **changes}
  )


@pytest.fixture
def tasks(write_task):
  """One bitext task of two languages, one retrieval task."""
  names = write_task('sites'), write_task('code', ('python',))
  config = eval_config(bitext=('sites',), retrieval=('code',))
  return suite.load_tasks(config, data_config(*names), in_training=False)


def test_texts_find_the_name_of_their_class_among_all(tmp_path, monkeypatch):
  monkeypatch.setenv('GEMB_DATA', str(tmp_path))
  rows = [
    ('a1', 'sum 0', 'number 0'),
    ('a2', 'sum 0', 'another 0'),  # the same text once more
    ('b1', 'prime 1', 'number 1'),
  ]
  labels = {'sum 0': 'label 0', 'prime 1': 'label 1'}
  found = [
    Example(id=i, language='en', query=q, positive=p, label=labels[q])
    for i, q, p in rows
  ]
  examples.write_texts('classes', 'test', found)
  config = eval_config(classification=('classes',))
  assert config.tasks == ('classes',)
  (task,) = suite.load_tasks(config, data_config('classes'), in_training=True)
  (found,) = task.sets.values()
  assert found.queries == ('sum 0', 'prime 1')
  assert found.passages == ('label 0', 'label 1')
  scores = suite.scores([task], perfect, (16,))
  assert scores == {'classes/accuracy@16': 1.0}
  assert suite.score_names(config, (16,)) == list(scores)
  row = suite.make_row('gemb', task, 16, {'classes': np.array([1, 2])})
  assert row['metrics'] == {'accuracy': 0.5, 'mrr@10': 0.75}


def test_a_task_without_labels_is_no_classification(write_task):
  name = write_task('sites')
  config = eval_config(classification=(name,))
  with pytest.raises(ValueError, match='has no label; name it in Eval'):
    suite.load_tasks(config, data_config(name), in_training=True)


def perfect(texts):
  """Gives each text the direction of its number, whatever the language."""
  numbers = [int(text.split()[-1]) for text in texts]
  directions = np.random.default_rng(0).normal(size=(100, 16))
  return directions[numbers].astype(np.float32)


def shifted(texts):
  """As `perfect`, but a query looks where the next one's positive is."""
  wrong = [
    text
    if 'sentence' in text.split('|')[-1].split('text:')[-1]
    else next_(text)
    for text in texts
  ]
  return perfect(wrong)


def next_(text):
  head, number = text.rsplit(' ', 1)
  return f'{head} {(int(number) + 1) % 12}'


def test_a_perfect_encoder_has_the_full_score(tasks):
  found = suite.scores(tasks, perfect, PREFIXES)
  assert found == {
    'bitext/accuracy@4': 1.0,
    'bitext/accuracy@16': 1.0,
    'code/ndcg@10@4': 1.0,
    'code/ndcg@10@16': 1.0,
  }


def test_an_encoder_that_confuses_all_has_a_low_score(tasks):
  found = suite.scores(tasks, shifted, PREFIXES)
  assert found['bitext/accuracy@4'] == found['bitext/accuracy@16'] == 0
  assert 0 < found['code/ndcg@10@16'] < 0.8


def test_an_encoder_that_gives_all_the_same_has_the_lowest_score(tasks):
  found = suite.scores(tasks, lambda texts: np.ones((len(texts), 16)), (16,))
  assert found == {'bitext/accuracy@16': 0.0, 'code/ndcg@10@16': 0.0}


def test_a_prefix_is_judged_by_its_own_columns(tasks):
  def wrong_in_front(texts):
    return np.concatenate([shifted(texts)[:, :4], 9 * perfect(texts)], axis=1)

  found = suite.scores(tasks, wrong_in_front, (4, 20))
  assert found['bitext/accuracy@4'] == 0
  assert found['bitext/accuracy@20'] == 1


@pytest.mark.parametrize(
  'parts',
  [
    {'bitext': ('sites',)},
    {'retrieval': ('code',)},
    {'bitext': ('sites',), 'retrieval': ('code', 'sites')},
    {},
  ],
)
def test_the_names_of_scores_are_known_beforehand(write_task, parts):
  names = write_task('sites'), write_task('code')
  config = eval_config(**parts)
  tasks = suite.load_tasks(config, data_config(*names), in_training=True)
  names = suite.score_names(config, PREFIXES)
  assert names == list(suite.scores(tasks, perfect, PREFIXES))


def test_texts_are_dressed_with_the_prompt_of_their_task(tasks):
  asked = []

  def encode(texts):
    asked.extend(texts)
    return perfect(texts)

  suite.scores(tasks, encode, (16,))
  assert 'task: sentence similarity | query: sites de satz 3' in asked
  assert 'task: sentence similarity | query: sites sentence 3' in asked
  assert 'task: code retrieval | query: code python satz 3' in asked
  assert 'title: none | text: code sentence 3' in asked


def test_bitext_of_two_tasks_is_one_pool(write_task):
  names = write_task('sites'), write_task('shops', ('de', 'pl'))
  config = eval_config(bitext=names)
  (pooled,) = suite.load_tasks(config, data_config(*names), in_training=False)
  assert list(pooled.sets) == ['de', 'fr', 'pl']
  of_german = pooled.sets['de']
  assert len(of_german.queries) == 24
  assert {text.split()[0] for text in of_german.queries} == {'sites', 'shops'}
  row = _row('gemb', pooled, perfect)
  # German searches both programs' texts at once, and finds two alike.
  assert row['by_language'] == {'de': 0.0, 'fr': 1.0, 'pl': 1.0}
  assert row['metrics'] == {'accuracy': pytest.approx(2 / 3)}
  assert row['queries'] == 48 and row['candidates'] == 24


def _row(system, task, encode, prefix=16):
  vectors = suite.embed([task], encode)
  ((_, _, ranks),) = suite.rank([task], vectors, (prefix,))
  return suite.make_row(system, task, prefix, ranks)


def test_a_row_holds_what_the_table_shows(tasks):
  row = _row('gemb', tasks[1], perfect)
  assert row == {
    'system': 'gemb',
    'prefix': 16,
    'task': 'code',
    'kind': 'retrieval',
    'candidates': 12,
    'queries': 12,
    'metrics': {
      'mrr@10': 1.0,
      'recall@1': 1.0,
      'recall@5': 1.0,
      'recall@10': 1.0,
      'ndcg@10': 1.0,
    },
  }


def test_bm25_is_judged_on_the_texts_as_written(tasks):
  rows = [
    suite.make_row('bm25', task, prefix, ranks)
    for task, prefix, ranks in suite.rank_by_bm25(tasks)
  ]
  assert [(row['task'], row['prefix']) for row in rows] == [
    ('bitext', None),
    ('code', None),
  ]
  # The number is the only rare word on both sides.
  assert rows[0]['by_language'] == {'de': 1.0, 'fr': 1.0}
  assert rows[1]['metrics']['ndcg@10'] == 1.0
  json.dumps(rows)


def test_evaluations_in_training_search_fewer_texts(write_task):
  names = (write_task('sites', count=30),)
  config = eval_config(
    bitext=names, max_candidates=20, max_candidates_in_training=7
  )
  data = data_config(*names)
  for in_training, count in ((False, 20), (True, 7)):
    (task,) = suite.load_tasks(config, data, in_training=in_training)
    assert {len(found.passages) for found in task.sets.values()} == {count}


def test_training_lowers_the_fewest_candidates_too(write_task):
  names = (write_task('sites', count=30),)
  config = eval_config(
    bitext=names, min_candidates=25, max_candidates_in_training=7
  )
  (task,) = suite.load_tasks(config, data_config(*names), in_training=True)
  assert len(task.sets) == 2


def test_similarities_count_every_pair_once(tasks):
  found = suite.similarities(tasks, suite.embed(tasks, perfect))
  assert list(found) == ['bitext', 'code']
  for name, sets in (('bitext', 2), ('code', 1)):
    histogram = found[name]
    assert sum(histogram['positive']) == 12 * sets
    assert histogram['positive'][-1] == 12 * sets  # all cosines are 1
    assert sum(histogram['negative']) == 12 * 11 * sets
    assert len(histogram['edges']) == len(histogram['positive']) + 1
  json.dumps(found)


def test_held_out_texts_that_are_not_there_are_named(tmp_path, monkeypatch):
  monkeypatch.setenv('GEMB_DATA', str(tmp_path))
  config = eval_config(retrieval=('code',))
  with pytest.raises(FileNotFoundError, match="texts of task 'code' are not"):
    suite.load_tasks(config, data_config('code'), in_training=False)


def test_evaluations_every_no_steps_are_refused():
  with pytest.raises(ValueError, match='every_steps is 0; it must be at least'):
    EvalConfig(every_steps=0)
