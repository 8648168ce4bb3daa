import concurrent.futures
import json
import re
import subprocess
import sys
from dataclasses import replace

import jax
import numpy as np
import pytest

from gemb.data import teacher
from gemb.data.config import PackingConfig
from gemb.data.loader import open_loader
from gemb.data.records import Record
from gemb.data.specs import make_specs

WIDTH = 6
PACKING = PackingConfig(row_length=32, rungs=2)


def made_record(number, task, negatives):
  def text(length, token):
    return [2, *[token + number % 40] * length, 1]

  return Record(
    name=f'{task} {number}',
    query=text(1 + number % 5, 10),
    positive=text(1 + number % 7, 60),
    negatives=[text(1 + r, 110) for r in range(negatives)],
    query_id=number,
    positive_id=number,
  )


def vector(task, number, side):
  """A unit vector that tells which text it is of."""
  values = np.array([ord(task), 1 + number, 1 + side, 1, 0, 0], np.float32)
  return values / np.linalg.norm(values)


def write(folder, loader, negatives, dtype='float16', **model):
  """Writes the vectors of a loader's records."""
  tasks = {}
  for task, (records, *_) in loader.records.items():
    tasks[task] = teacher.describe(records, negatives)
    vectors = np.zeros((*tasks[task]['shape'], WIDTH), dtype)
    for number, lengths in enumerate(records.lengths):
      for side in range(vectors.shape[1]):
        if lengths[side]:
          vectors[number, side] = vector(task, number, side)
    np.save(folder / f'{task}.npy', vectors)
  about = {'model': {'name': 'test', **model}, 'tasks': tasks}
  (folder / 'teacher.json').write_text(json.dumps(about))


@pytest.fixture
def folder(tmp_path):
  path = tmp_path / 'teacher'
  path.mkdir()
  return path


@pytest.fixture
def open_taught(make_config, write_cache, tokenizer, folder):
  """Opens a loader of two tasks, which is taught; changes are DataConfig's."""

  def open_it(*, stored=2, shards=1, make=True, **changes):
    given = {'rates': {'a': 1.0, 'b': 1.0}, 'hard_negatives': 2, **changes}
    config = make_config(**given)
    tasks = {
      'a': [made_record(n, 'a', n % 3) for n in range(20)],
      'b': [made_record(n, 'b', 0) for n in range(9)],
    }
    for task in config.rates:
      for spec in make_specs(config, task, tokenizer):
        prompt = [2, len(spec.query_template)]
        dressed = [
          replace(r, query=[*prompt, *r.query[1:]]) for r in tasks[task]
        ]
        if not spec.folder.is_dir():
          write_cache(spec, dressed)
    if make:
      write(folder, open_loader(config, seed=0), stored)
    config = replace(config, teacher=str(folder))
    return open_loader(config, seed=0, shards=shards)

  return open_it


@pytest.mark.parametrize(
  'changes',
  [
    {},
    {'mixed': True},
    {'mixed': True, 'drop_task_string': 0.5},
    {'packing': PACKING, 'shards': 2, 'drop_task_string': 0.5},
    {'mixed': True, 'packing': PACKING, 'shards': 4},
    {'hard_negatives': 0},
    {'hard_negatives': 3},
  ],
)
def test_each_text_of_a_batch_has_its_own_vector(open_taught, changes):
  loader = open_taught(**changes)
  seen = set()
  for step in range(8):
    plan, batch = loader.batch(step)
    texts = 2 + changes.get('hard_negatives', 2)
    assert batch.teacher.shape == (8, texts, WIDTH)
    assert batch.teacher.dtype == np.float32
    for row, record in enumerate(loader.examples(step)):
      task, number = record.name.split()
      for side in range(texts):
        wanted = np.zeros(WIDTH)
        if side < 2 + len(record.negatives):
          wanted = vector(task, int(number), side)
        found = batch.teacher[row, side]
        np.testing.assert_allclose(found, wanted, atol=1e-3)
      seen.add((task, plan.view[row]))
  assert len(seen) == 2 + 2 * ('drop_task_string' in changes)


def test_vectors_that_are_stored_beyond_those_read_are_left(open_taught):
  loader = open_taught(stored=2, hard_negatives=1)
  _, batch = loader.batch(0)
  assert batch.teacher.shape == (8, 3, WIDTH)


def test_the_rows_of_all_hosts_are_the_global_batch(open_taught):
  loader = open_taught(mixed=True)
  _, whole = loader.batch(3)
  parts = [loader.batch(3, slice(h * 2, h * 2 + 2))[1] for h in range(4)]
  assert parts[0].teacher.shape == (2, 4, WIDTH)
  joined = jax.tree.map(lambda *x: np.concatenate(x), *parts)
  jax.tree.map(np.testing.assert_array_equal, joined, whole)


def test_several_threads_may_read(open_taught):
  loader = open_taught(mixed=True)
  wanted = [loader.batch(step)[1] for step in range(12)]
  with concurrent.futures.ThreadPoolExecutor(4) as threads:
    found = list(threads.map(lambda step: loader.batch(step)[1], range(12)))
  jax.tree.map(np.testing.assert_array_equal, found, wanted)


def test_without_a_teacher_a_batch_and_its_identity_have_none(open_taught):
  taught = open_taught()
  config = replace(taught._config, teacher=None)
  loader = open_loader(config, seed=0)
  assert loader.batch(0)[1].teacher is None
  identity = taught.identity()
  assert identity.pop('teacher').keys() == {'a', 'b'}
  assert loader.identity() == identity


def test_the_identity_is_that_of_the_vectors(open_taught, folder):
  before = open_taught().identity()
  assert json.loads(json.dumps(before)) == before
  assert open_taught(make=False).identity() == before
  vectors = np.load(folder / 'a.npy')
  vectors[7, 0] = vector('a', 8, 0)
  np.save(folder / 'a.npy', vectors)
  after = open_taught(make=False).identity()
  assert after['teacher']['a'] != before['teacher']['a']
  assert after['teacher']['b'] == before['teacher']['b']


def test_a_prefix_that_the_teacher_does_not_have_is_refused(open_taught):
  loader = open_taught()
  loader.teacher.check_prefixes((2, WIDTH))
  with pytest.raises(ValueError, match=r'Prefix 8 is wider than the vectors'):
    loader.teacher.check_prefixes((2, 8))


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    (
      {'prompts': {'a': 'clustering', 'b': 'search result'}},
      r"task 'a' in .* other records: query_template was 'task: search result "
      r"\| query: {text}', is 'task: clustering \| query: {text}'",
    ),
    ({'hard_negatives': 2}, 'of 1 hard negatives of an example, and 2 are rea'),
  ],
)
def test_vectors_of_other_texts_are_refused(open_taught, changes, message):
  open_taught(stored=1, hard_negatives=1)
  with pytest.raises(ValueError, match=message):
    open_taught(make=False, **{'hard_negatives': 1, **changes})


def spoil(name, change):
  """Returns a function that changes an array in a folder."""

  def apply(folder):
    np.save(folder / name, change(np.load(folder / name)))

  return apply


def cut(folder):
  content = (folder / 'a.npy').read_bytes()
  (folder / 'a.npy').write_bytes(content[:-9])


def change_texts(folder):
  about = json.loads((folder / 'teacher.json').read_text())
  about['tasks']['a']['records'] = 'others'
  (folder / 'teacher.json').write_text(json.dumps(about))


@pytest.mark.parametrize(
  ('damage', 'message'),
  [
    (lambda f: (f / 'teacher.json').unlink(), "holds no teacher's vectors"),
    (lambda f: (f / 'teacher.json').write_text('{}'), "KeyError('model')"),
    (lambda f: (f / 'b.npy').unlink(), "no teacher's vectors of task 'b' at"),
    (cut, 'a.npy is damaged'),
    (change_texts, 'its texts have changed'),
    (spoil('a.npy', lambda x: x[1:]), 'must be float16 or float32 of shape (2'),
    (spoil('a.npy', lambda x: x[..., 0]), 'of shape (20, 4, width)'),
    (spoil('a.npy', lambda x: x.astype(float)), 'a.npy is float64 of shape'),
    (spoil('a.npy', lambda x: x * 2), 'Vector (0, 0) of'),
    (spoil('a.npy', lambda x: x * np.nan), 'a.npy has length nan; each must'),
    (spoil('b.npy', lambda x: x * 0), 'has length 0; each must be of length 1'),
    (
      spoil('b.npy', lambda x: np.pad(x, ((0, 0), (0, 0), (0, 1)))),
      "of several widths, {'a': 6, 'b': 7}",
    ),
  ],
)
def test_what_is_of_no_use_is_refused(open_taught, folder, damage, message):
  open_taught()
  damage(folder)
  with pytest.raises(ValueError, match=re.escape(message)):
    open_taught(make=False)


def test_a_trainer_reads_vectors_without_tensorflow():
  code = (
    'import sys, gemb.data.teacher, gemb.data.teaching; '
    "assert not {'tensorflow', 'seqio', 'jax'} & set(sys.modules)"
  )
  subprocess.run([sys.executable, '-c', code], check=True)
