"""Making caches end to end; imports TensorFlow."""

import dataclasses
import errno
import json
import os

import pytest

from gemb.data import cache, examples, tasks
from gemb.data.caching import jobs, shards
from gemb.data.config import TokenizerConfig
from gemb.data.records import Records
from gemb.data.specs import make_spec, make_specs
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


def times(folder):
  return {path: path.stat().st_mtime_ns for path in folder.rglob('*')}


def names(folder):
  return sorted(path.name for path in folder.iterdir())


def test_everything_that_a_run_reads_is_made(config, data_folder, lines):
  config = dataclasses.replace(config, tokenizer=TINY)
  cache.build(config)
  assert [n for n in names(data_folder / 'texts') if n[0] != '.'] == [
    'golden_held_out.jsonl',
    'golden_pairs.jsonl',
  ]
  read = [dataclasses.asdict(e) for e in examples.read_texts('golden_pairs')]
  assert [{**e, 'negatives': [*e['negatives']]} for e in read] == [
    {**line, 'label': ''} for line in lines.values()
  ]
  assert load_tokenizer(TINY).vocabulary == 600
  recipe = json.loads(tokenizer_path(TINY).with_name('recipe.json').read_text())
  assert recipe['tasks'] == ['golden_pairs']
  records = opened(config)
  assert len(records) == records.manifest['examples'] == 298
  assert names(records.spec.folder) == [
    'lengths.npy',
    'manifest.json',
    'shard-00000-of-00001.array_record',
  ]


def test_what_a_killed_process_left_of_texts_is_removed(config, data_folder):
  left = data_folder / 'texts' / '.golden_pairs.jsonl.ab12.tmp'
  left.parent.mkdir(parents=True)
  left.touch()
  cache.build(config)
  assert not left.exists()


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
  path = opened(config).spec.folder / 'manifest.json'
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


def test_an_interrupted_build_leaves_no_cache_and_can_be_repeated(
  config, monkeypatch
):
  monkeypatch.setattr(jobs, 'EXAMPLES', 100)

  def interrupted(job, number, maker, write=shards._write):
    if number == 2:
      raise KeyboardInterrupt
    write(job, number, maker)

  with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
    patch.setattr(shards, '_write', interrupted)
    cache.build(config, processes=1)
  with pytest.raises(FileNotFoundError, match='run `gemb cache`'):
    opened(config)
  (job,) = jobs.read_jobs()
  assert [job.is_made(number) for number in range(3)] == [True, True, False]
  cache.build(config, processes=1)
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


def test_rates_of_its_own_decide_the_tokenizer_whoever_comes_first(
  make_config, golden_tasks, data_folder
):
  names = ('golden_pairs', 'golden_held_out')
  wanted = dataclasses.replace(TINY, rates={'golden_pairs': 1.0})
  made = []
  for trained in names:
    config = make_config(
      rates={trained: 1.0},
      modules=(golden_tasks,),
      prompts=dict.fromkeys(names, 'clustering'),
      tokenizer=dataclasses.replace(wanted, name=f'before_{trained}'),
    )
    cache.build(config)
    made.append(load_tokenizer(config.tokenizer))
  assert made[0].sha256 == made[1].sha256
  recipe = json.loads(made[0].path.with_name('recipe.json').read_text())
  assert recipe['tasks'] == ['golden_pairs']
  assert recipe['prompts'] == ['task: clustering | query: ']
  assert recipe['rates'] == {'golden_pairs': 1.0}
  # The task of the tokenizer alone has texts, and no cache.
  assert names[0] in {path.stem for path in (data_folder / 'texts').iterdir()}
  other = dataclasses.replace(config.tokenizer, rates={'golden_held_out': 1.0})
  with pytest.raises(ValueError, match=r'TokenizerConfig\.rates is'):
    cache.build(dataclasses.replace(config, tokenizer=other))


def test_a_run_without_some_task_strings_has_both_caches(config, tokenizer):
  both = dataclasses.replace(config, drop_task_string=0.5)
  cache.build(both)
  with_task, without = (
    Records(spec) for spec in make_specs(both, 'golden_pairs', tokenizer)
  )
  assert len(with_task) == len(without) == 298
  assert without.lengths[:, 0].sum() < with_task.lengths[:, 0].sum()


def test_what_is_prepared_only_is_made_by_the_next_build(config, capsys):
  (job,) = cache.prepare(config)
  assert job.shards == 1 and not job.is_made(0)
  assert 'golden_pairs: 300 examples of seqio task' in capsys.readouterr().out
  cache.build(config)
  assert len(opened(config)) == 298


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EFBIG])
def test_a_full_disk_is_one_sentence(config, data_folder, monkeypatch, number):
  def full(*arguments):
    raise OSError(number, os.strerror(number))

  with monkeypatch.context() as patch, pytest.raises(OSError) as caught:
    patch.setattr(examples, 'write_texts', full)
    cache.build(config)
  assert str(caught.value) == (
    f'The data folder {data_folder} takes no more ({os.strerror(number)}). '
    'Free some space, or name another folder in GEMB_DATA, and run the same '
    'command again: what is finished is kept.'
  )
  cache.build(config)
  assert len(opened(config)) == 298


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
