"""Making caches end to end; imports TensorFlow."""

import dataclasses
import json

import numpy as np
import pytest

from gemb.data import cache, examples, tasks
from gemb.data.config import TokenizerConfig
from gemb.data.records import Records, make_spec, text_id
from gemb.data.tokenizer import load_tokenizer, tokenizer_path

TINY = TokenizerConfig(name='tiny', vocabulary=600, texts=400)


@pytest.fixture
def config(make_config, golden_tasks, data_folder):
  return make_config(modules=(golden_tasks,), held_out=('golden_held_out',))


@pytest.fixture
def lines(golden):
  with (golden / 'pairs.jsonl').open(encoding='utf-8') as file:
    return {line['id']: line for line in map(json.loads, file)}


def opened(config):
  tokenizer = load_tokenizer(config.tokenizer)
  return Records(make_spec(config, 'golden_pairs', tokenizer))


def read_all(records):
  return records.read(np.arange(len(records)))


def times(folder):
  return {path: path.stat().st_mtime_ns for path in folder.rglob('*')}


def names(folder):
  return sorted(path.name for path in folder.iterdir())


def test_everything_that_a_run_reads_is_made(config, data_folder, lines):
  config = dataclasses.replace(config, tokenizer=TINY)
  cache.build(config)
  assert names(data_folder / 'texts') == [
    'golden_held_out.jsonl',
    'golden_pairs.jsonl',
  ]
  read = [dataclasses.asdict(e) for e in examples.read_texts('golden_pairs')]
  assert [{**e, 'negatives': [*e['negatives']]} for e in read] == [
    *lines.values()
  ]
  assert load_tokenizer(TINY).vocabulary == 600
  recipe = json.loads(tokenizer_path(TINY).with_name('recipe.json').read_text())
  assert recipe['tasks'] == ['golden_pairs']
  records = opened(config)
  assert len(records) == records.manifest['examples'] == 298
  assert names(records.spec.folder) == [
    'lengths.npy',
    'manifest.json',
    'records.array_record',
  ]


def test_records_hold_the_dressed_texts(config, tokenizer, lines):
  cache.build(config)
  records = opened(config)
  for record, lengths in zip(
    read_all(records), records.lengths.tolist(), strict=True
  ):
    line = lines[record.name]
    query, positive, *negatives = (
      f'task: search result | query: {line["query"]}',
      f'title: none | text: {line["positive"]}',
      *(f'title: none | text: {text}' for text in line['negatives']),
    )
    ids = [ids.tolist() for ids in record.negatives]
    assert tokenizer.encode(negatives) == ids
    assert tokenizer.encode([query, positive]) == [
      record.query.tolist(),
      record.positive.tolist(),
    ]
    assert record.query_id == text_id(line['query'])
    assert record.positive_id == text_id(line['positive'])
    longest = max(map(len, ids), default=0)
    assert lengths == [len(record.query), len(record.positive), longest]


def test_examples_that_share_a_text_with_a_held_out_set_are_dropped(
  config, lines, capsys
):
  cache.build(config)
  records = opened(config)
  kept = {record.name for record in read_all(records)}
  # One positive is the same but for case and punctuation, one query is.
  assert set(lines) - kept == {'fr/16', 'python/0'}
  assert records.manifest['dropped_held_out'] == 2
  assert 'golden_pairs: 298 examples, 2 dropped' in capsys.readouterr().out
  without = dataclasses.replace(config, held_out=())
  cache.build(without)
  assert len(opened(without)) == 300
  assert len(opened(config)) == 298


def test_a_second_build_makes_nothing(config, data_folder, capsys):
  config = dataclasses.replace(config, tokenizer=TINY)
  cache.build(config)
  made = times(data_folder)
  capsys.readouterr()
  cache.build(config)
  assert times(data_folder) == made
  folder = opened(config).spec.folder
  assert capsys.readouterr().out == f'golden_pairs: cached at {folder}\n'


def test_another_prompt_has_another_cache_beside_the_first(config):
  cache.build(config)
  first = opened(config)
  prompts = {**config.prompts, 'golden_pairs': ('{text}', '{text}')}
  bare = dataclasses.replace(config, prompts=prompts)
  cache.build(bare)
  assert opened(bare).lengths.sum() < first.lengths.sum()
  assert opened(config).manifest == first.manifest


@pytest.mark.parametrize('changed', ['golden_pairs', 'golden_held_out'])
def test_a_changed_source_is_made_anew(config, monkeypatch, capsys, changed):
  cache.build(config)
  path = opened(config).spec.folder / 'records.array_record'
  made = path.stat().st_ino, path.stat().st_mtime_ns
  new = {changed: f'{changed}/2.0.0'}
  old = tasks.source_name
  monkeypatch.setattr(tasks, 'source_name', lambda n: new.get(n) or old(n))
  cache.build(config)
  assert 'is outdated and made anew' in capsys.readouterr().out
  assert examples.texts_source(changed) == f'{changed}/2.0.0'
  assert (path.stat().st_ino, path.stat().st_mtime_ns) != made
  assert opened(config).manifest['sources'][changed] == f'{changed}/2.0.0'
  cache.build(config)
  assert capsys.readouterr().out.startswith('golden_pairs: cached at')


def test_an_interrupted_build_leaves_nothing_and_can_be_repeated(
  config, data_folder, monkeypatch
):
  count = 0

  def interrupted(text):
    nonlocal count
    count += 1
    if count == 200:
      raise KeyboardInterrupt
    return text_id(text)

  with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
    patch.setattr(cache, 'text_id', interrupted)
    cache.build(config)
  assert names(data_folder / 'cache' / 'golden_pairs') == []
  with pytest.raises(FileNotFoundError, match='run `gemb cache`'):
    opened(config)
  cache.build(config)
  assert len(opened(config)) == 298


def test_a_tokenizer_is_trained_on_texts_from_the_whole_task(
  config, monkeypatch
):
  drawn = []

  def train(config, texts, *, tasks, prompts):
    drawn.extend(texts)
    assert prompts == [
      'task: search result | query: ',
      'title: none | text: ',
    ]
    raise KeyboardInterrupt

  monkeypatch.setattr(cache, 'train_tokenizer', train)
  config = dataclasses.replace(config, tokenizer=TINY)
  with pytest.raises(KeyboardInterrupt):
    cache.build(config)
  assert len(drawn) == len(set(drawn[::2])) * 2 == TINY.texts
  read = list(examples.read_texts('golden_pairs'))
  pairs = {(example.query, example.positive) for example in read}
  assert pairs.issuperset(zip(drawn[::2], drawn[1::2], strict=True))
  # 200 of 300 are drawn: about 67 of the last 100.
  assert 50 < sum(example.query in drawn for example in read[-100:]) < 85


def test_each_task_gives_texts_to_the_tokenizer_by_its_rate(
  make_config, golden_tasks, data_folder, monkeypatch
):
  drawn = []

  def train(config, texts, *, tasks, prompts):
    assert tasks == ['golden_pairs', 'golden_held_out']
    drawn.extend(texts)
    raise KeyboardInterrupt

  monkeypatch.setattr(cache, 'train_tokenizer', train)
  config = make_config(
    rates={'golden_pairs': 3.0, 'golden_held_out': 1.0},
    modules=(golden_tasks,),
    tokenizer=dataclasses.replace(TINY, texts=80),
  )
  with pytest.raises(KeyboardInterrupt):
    cache.build(config)
  pairs = {example.query for example in examples.read_texts('golden_pairs')}
  assert [query in pairs for query in drawn[::2]] == [True] * 30 + [False] * 10


def test_a_task_whose_examples_are_all_held_out_is_kept_empty(
  config, golden_tasks
):
  rates = {'golden_held_out': 1.0}
  every = dataclasses.replace(config, rates=rates, held_out=())
  cache.build(every)
  tokenizer = load_tokenizer(every.tokenizer)
  spec = make_spec(every, 'golden_held_out', tokenizer)
  held_out = {
    examples.normalise(example.query)
    for example in examples.read_texts('golden_held_out')
  }
  empty = dataclasses.replace(spec, held_out=('all',))
  cache._write_records(
    empty, every.prompt('golden_held_out'), tokenizer, held_out
  )
  records = Records(empty)
  assert len(records) == 0
  assert records.manifest['dropped_held_out'] == 60


def test_an_unknown_task_is_named_before_anything_is_made(
  config, make_config, data_folder
):
  wrong = make_config(modules=config.modules, rates={'golden_pair': 1.0})
  with pytest.raises(
    ValueError, match=r"no task 'golden_pair'; the nearest are \['golden_pairs"
  ):
    cache.build(wrong)
  wrong = make_config(modules=config.modules, held_out=('golden_heldout',))
  with pytest.raises(
    ValueError, match=r"'golden_heldout'; the nearest are \['golden_held_out"
  ):
    cache.build(wrong)
  assert not data_folder.exists()


def test_an_unknown_module_is_an_error_that_says_what_to_do(
  make_config, data_folder
):
  wrong = make_config(modules=('golden_taks',))
  with pytest.raises(
    ValueError, match="'golden_taks', which cannot be imported; run from"
  ):
    cache.build(wrong)
  assert not data_folder.exists()
