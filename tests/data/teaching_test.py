"""On the golden texts, with vectors that a hash makes of them."""

import contextlib
import hashlib
import json
import re
import textwrap
from dataclasses import replace

import numpy as np
import pytest

from gemb.data import examples, locks, teacher, teaching
from gemb.data.caching.jobs import prepare_job
from gemb.data.caching.merging import complete_job
from gemb.data.caching.shards import make_shard
from gemb.data.loader import open_loader
from gemb.data.records import Records
from gemb.data.specs import make_spec

WIDTH = 5
MODEL = {'name': 'hash', 'step': 3}


def embed(texts):
  """Returns a unit vector for each text that depends on all of it."""
  seeds = [hashlib.blake2b(t.encode(), digest_size=8).digest() for t in texts]
  rows = [
    np.random.default_rng(int.from_bytes(s, 'little')).normal(size=WIDTH)
    for s in seeds
  ]
  return np.stack([row / np.linalg.norm(row) for row in rows])


@pytest.fixture
def made(golden_texts, make_config, tokenizer):
  """Makes the cache of golden pairs; returns the config and the records."""

  def make(**changes):
    config = make_config(
      **{
        'held_out': ('golden_held_out',),
        'hard_negatives': 1,
        'prompts': dict.fromkeys(
          ('golden_pairs', 'golden_held_out'), 'sentence similarity'
        ),
        **changes,
      }
    )
    for task in config.rates:
      spec = make_spec(config, task, tokenizer)
      job = prepare_job(config, spec, tokenizer)
      if job:
        make_shard(job.folder, 0)
        complete_job(job)
    return config, Records(make_spec(config, 'golden_pairs', tokenizer))

  return make


@pytest.fixture
def write(tmp_path):
  """Writes the vectors of a config; returns their folder."""

  def write_folder(config, made_by=embed, model=MODEL, **options):
    folder = tmp_path / 'teacher'
    teaching.write_vectors(
      config, folder, made_by, width=WIDTH, model=model, **options
    )
    return folder

  return write_folder


def dressed(records, tokenizer):
  """Yields each record with the texts that its tokens were made of."""
  read = {e.id: e for e in examples.read_texts('golden_pairs')}
  prompt = records.spec.prompt
  for record in records.read(np.arange(len(records))):
    example = read[record.name]
    texts = [prompt.dress_query(example.query)]
    texts += map(prompt.dress_passage, (example.positive, *example.negatives))
    ids = [record.query, record.positive, *record.negatives]
    assert tokenizer.encode(texts) == [list(text) for text in ids]
    yield record, texts


@pytest.mark.parametrize(
  ('dtype', 'tolerance'), [('float16', 1e-3), ('float32', 1e-7)]
)
def test_each_text_of_a_record_has_its_vector(
  made, write, tokenizer, dtype, tolerance, monkeypatch
):
  monkeypatch.setattr(teaching, '_AT_ONCE', 7)
  config, records = made()
  folder = write(config, dtype=dtype)
  vectors = np.load(folder / 'golden_pairs.npy')
  # Two of 300 examples were dropped, with a text that is held out.
  assert vectors.shape == (298, 3, WIDTH) and vectors.dtype == dtype
  lacking = 0
  for n, (_, texts) in enumerate(dressed(records, tokenizer)):
    wanted = embed(texts)[:3]
    found = vectors[n, : len(wanted)]
    np.testing.assert_allclose(found, wanted, atol=tolerance)
    lacking += len(wanted) < 3
    assert not vectors[n, len(wanted) :].any()
  assert lacking


def test_mined_negatives_come_before_the_examples_own(made, write, tmp_path):
  mined = {'python/1': ['def f(): ...', 'a = 1'], 'fr/3': []}
  lines = [json.dumps({'id': k, 'negatives': v}) for k, v in mined.items()]
  path = tmp_path / 'mined.jsonl'
  path.write_text('\n'.join(lines) + '\n')
  changes = {'mined_negatives': {'golden_pairs': str(path)}}
  config, records = made(hard_negatives=2, **changes)
  vectors = np.load(write(config) / 'golden_pairs.npy')
  every = records.read(np.arange(len(records)))
  (row,) = [n for n, r in enumerate(every) if r.name == 'python/1']
  prompt = records.spec.prompt
  wanted = embed([prompt.dress_passage(text) for text in mined['python/1']])
  np.testing.assert_allclose(vectors[row, 2:], wanted, atol=1e-3)


def test_the_loader_reads_what_was_written(made, write, tokenizer):
  config, records = made()
  config = replace(config, teacher=str(write(config)))
  loader = open_loader(config, seed=0)
  texts = {r.name: texts for r, texts in dressed(records, tokenizer)}
  _, batch = loader.batch(5)
  for row, record in enumerate(loader.examples(5)):
    wanted = embed(texts[record.name])[:3]
    found = batch.teacher[row, : len(wanted)]
    np.testing.assert_allclose(found, wanted, atol=1e-3)


TWO_TASKS = {
  'rates': {'golden_pairs': 1.0, 'golden_held_out': 1.0},
  'held_out': (),
}


def test_what_is_finished_is_not_made_twice(made, write, tmp_path, capsys):
  config, _ = made(**TWO_TASKS)

  def until_the_second(texts):
    if (tmp_path / 'teacher' / 'golden_pairs.npy').is_file():
      raise KeyboardInterrupt
    return embed(texts)

  with pytest.raises(KeyboardInterrupt):
    write(config, until_the_second)
  left = tmp_path / 'teacher' / '.golden_held_out.npy.0a1b2c3d.tmp'
  left.write_text('by a process that was killed')

  def only_the_second(texts):
    assert not left.exists()
    made_now.append(len(texts))
    return embed(texts)

  made_now = []
  folder = write(config, only_the_second)
  assert 0 < sum(made_now) < 300
  assert 'golden_pairs.npy is there' in capsys.readouterr().out
  names = {'.lock', 'teacher.json', 'golden_pairs.npy', 'golden_held_out.npy'}
  assert {path.name for path in folder.iterdir()} == names
  about = json.loads((folder / 'teacher.json').read_text())
  assert about['model'] == MODEL | {'dtype': 'float16'}
  assert about['tasks'].keys() == config.rates.keys()


def test_vectors_of_several_teachers_are_not_mixed(made, write):
  config, _ = made()
  folder = write(config)
  before = (folder / 'teacher.json').read_bytes()
  for options in {'model': {'name': 'hash', 'step': 4}}, {'dtype': 'float32'}:
    with pytest.raises(ValueError, match='was asked for; choose another --out'):
      write(config, **options)
  with pytest.raises(ValueError, match='another program'):
    teaching.write_texts(config, folder)
  assert (folder / 'teacher.json').read_bytes() == before


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    (
      {'held_out': ()},
      r"other records: held_out was \['golden_held_out'\], is \[\]",
    ),
    ({'hard_negatives': 2}, 'are of 1 hard negatives of an example, and 2 are'),
  ],
)
def test_vectors_of_other_records_are_not_replaced(
  made, write, changes, message
):
  config, _ = made()
  folder = write(config)
  before = (folder / 'golden_pairs.npy').read_bytes()
  other, _ = made(**changes)
  with pytest.raises(ValueError, match=message):
    write(other)
  assert (folder / 'golden_pairs.npy').read_bytes() == before


@pytest.mark.parametrize('change', ['text', 'missing'])
def test_texts_that_changed_since_the_cache_was_made_are_refused(
  made, write, change
):
  config, _ = made()
  texts = list(examples.read_texts('golden_pairs'))
  if change == 'text':
    texts[40] = replace(texts[40], query='another')
  else:
    del texts[40]
  examples.write_texts('golden_pairs', 'golden', texts)
  with pytest.raises(ValueError, match='have changed since its cache was made'):
    write(config)


def test_one_process_at_a_time_writes(made, write, tmp_path):
  config, _ = made()
  (tmp_path / 'teacher').mkdir()
  with (
    locks.hold(tmp_path / 'teacher' / '.lock'),
    pytest.raises(ValueError, match='Another process writes into'),
  ):
    write(config)


def test_another_program_finds_the_texts_of_each_record(
  made, tokenizer, tmp_path
):
  config, records = made(hard_negatives=2)
  teaching.write_texts(config, tmp_path)
  lines = (tmp_path / 'golden_pairs.jsonl').read_text().splitlines()
  prompt = records.spec.prompt
  for line, (record, texts) in zip(
    map(json.loads, lines), dressed(records, tokenizer), strict=True
  ):
    assert line['id'] == record.name and len(line['negatives']) <= 2
    found = [line['query'], line['positive'], *line['negatives']]
    assert [prompt.dress_passage(t) for t in found] == texts[: len(found)]


def test_the_example_of_the_docstring_makes_a_teacher(
  made, tmp_path, monkeypatch
):
  config, _ = made(hard_negatives=2)
  folder = tmp_path / 'another'
  teaching.write_texts(config, folder)
  code = textwrap.dedent(
    re.search(r'\n\n(    import .*)', teacher.__doc__, re.DOTALL)[1]
  )
  for a, b in (('my_task', 'golden_pairs'), ('768', str(WIDTH))):
    code = code.replace(a, b)
  monkeypatch.chdir(folder)
  with contextlib.ExitStack() as files:
    # As it stands, it leaves closing its files to the interpreter.
    known = {
      'open': lambda path: files.enter_context(open(path)),
      'embed': lambda texts: 3 * embed(texts),
    }
    exec(code, known)
  config = replace(config, teacher=str(folder))
  loader = open_loader(config, seed=0)
  assert loader.teacher.width == WIDTH
  _, batch = loader.batch(0)
  read = {e.id: e for e in examples.read_texts('golden_pairs')}
  for row, record in enumerate(loader.examples(0)):
    wanted = embed([read[record.name].query])
    np.testing.assert_allclose(batch.teacher[row, :1], wanted, atol=1e-3)
