import collections
import json
import subprocess
import sys
import threading
from dataclasses import replace

import jax
import numpy as np
import pytest

from gemb.data.config import PackingConfig
from gemb.data.loader import Loader, prefetch
from gemb.data.records import Record
from gemb.data.specs import make_specs
from gemb.types import PAD

EOS = 1
BARE = 2  # tokens that a query has less without its task string


def made_record(number, negatives=0):
  """A record of number's own ids, 3 to 22 tokens long."""

  def text(length, side):
    return [2, *(4 + (number + i * side) % 4092 for i in range(length)), EOS]

  return Record(
    name=str(number),
    query=text(1 + number * 7 % 20, 1),
    positive=text(1 + number * 11 % 20, 2),
    negatives=[text(1 + r + number * 3 % 19, 3) for r in range(negatives)],
    query_id=number,
    positive_id=number // 2 + 2**40,
  )


@pytest.fixture
def make_loader(make_config, write_cache, tokenizer):
  """Makes a Loader of {task: records}; other arguments are DataConfig's."""
  written = {}

  def make(tasks, *, seed=0, shards=1, rows_at_once=4, **changes):
    config = make_config(**{'rates': dict.fromkeys(tasks, 1.0), **changes})
    opened = {}
    for task, records in tasks.items():
      specs = make_specs(config, task, tokenizer)
      for spec, cut in zip(specs, (0, BARE), strict=False):
        if spec not in written:
          shorter = [replace(r, query=r.query[cut:]) for r in records]
          written[spec] = write_cache(spec, shorter)
      opened[task] = [written[spec] for spec in specs]
    return Loader(
      config,
      opened,
      tokenizer,
      seed=seed,
      shards=shards,
      rows_at_once=rows_at_once,
    )

  return make


@pytest.fixture
def loader(make_loader):
  return make_loader(
    {
      'a': [made_record(n, n % 3) for n in range(50)],
      'b': [made_record(n) for n in range(100, 137)],
    },
    hard_negatives=2,
  )


def assert_equal(batch, other):
  jax.tree.map(np.testing.assert_array_equal, batch, other)


def drawn(loader, steps):
  return [i for step in steps for i in loader.plan(step).indices.tolist()]


@pytest.mark.parametrize('hosts', [1, 2, 4, 8])
def test_the_rows_of_all_hosts_are_the_global_batch(loader, hosts):
  for step in 0, 1, 2, 999_999:
    plan, whole = loader.batch(step)
    rows = 8 // hosts
    slices = [slice(h * rows, (h + 1) * rows) for h in range(hosts)]
    parts = [loader.batch(step, part)[1] for part in slices]
    assert_equal(jax.tree.map(lambda *x: np.concatenate(x), *parts), whole)
    assert whole.texts.query.shape == (8, plan.shape[0])


def test_a_batch_depends_on_the_step_alone(loader, make_loader):
  backwards = {step: loader.batch(step)[1] for step in range(40, -1, -3)}
  tasks = {'a': [], 'b': []}  # written already
  for step in 10, 40, 1:
    plan, batch = make_loader(tasks, hard_negatives=2).batch(step)
    assert plan.step == step
    assert_equal(batch, backwards[step])


def test_another_seed_gives_other_batches(loader, make_loader):
  other = make_loader({'a': [], 'b': []}, hard_negatives=2, seed=1)
  assert drawn(loader, range(4)) != drawn(other, range(4))


def test_all_examples_of_a_batch_are_of_the_plans_task(loader):
  for step in range(20):
    plan, batch = loader.batch(step)
    names = [int(record.name) for record in loader.examples(step)]
    assert [int(name) for name in batch.query_id[:, 0]] == names
    assert all((name < 50) == (plan.task == 'a') for name in names)


def test_tasks_come_by_their_rates(make_loader):
  tasks = {'a': [made_record(0)], 'b': [made_record(1)]}
  loader = make_loader(tasks, rates={'a': 3.0, 'b': 1.0}, batch_size=1)
  counts = collections.Counter(loader.plan(step).task for step in range(1_000))
  assert counts == {'a': 750, 'b': 250}


@pytest.mark.parametrize(
  ('n', 'batch_size', 'window'),
  [(48, 8, 3), (48, 8, 1), (50, 8, 3), (7, 3, 4), (5, 8, 2), (1, 4, 2)],
)
def test_each_epoch_has_each_example_once(make_loader, n, batch_size, window):
  loader = make_loader(
    {'a': [made_record(k) for k in range(n)]},
    batch_size=batch_size,
    window=window,
  )
  # Examples come by whole windows: after each, none is an epoch ahead.
  counts = collections.Counter()
  for first in range(0, 12 * window, window):
    counts.update(drawn(loader, range(first, first + window)))
    assert max(counts.values()) - min(counts[k] for k in range(n)) <= 1
  assert sum(counts.values()) == 12 * window * batch_size


def test_an_example_is_in_a_batch_once_though_its_window_is_long(make_loader):
  # Sorted across epochs, the copies of an example would be neighbours.
  loader = make_loader({'a': [made_record(k) for k in range(48)]}, window=60)
  for step in range(60):
    assert len(set(loader.plan(step).indices.tolist())) == 8


def test_a_batch_takes_the_first_shape_that_it_fits(loader, make_config):
  shapes = make_config().shapes
  seen = set()
  for step in range(60):
    plan, batch = loader.batch(step)
    examples = loader.examples(step)
    query = max(len(record.query) for record in examples)
    passage = max(
      len(ids) for r in examples for ids in (r.positive, *r.negatives)
    )
    assert plan.shape == next(
      shape for shape in shapes if query <= shape[0] and passage <= shape[1]
    )
    assert batch.texts.query.shape == (8, plan.shape[0])
    assert batch.texts.positive.shape == (8, plan.shape[1])
    assert batch.texts.negatives.shape == (8, 2, plan.shape[1])
    seen.add(plan.shape)
  assert len(seen) > 1


def test_shapes_are_tried_in_their_order(make_loader):
  short, long = made_record(0), made_record(17)
  assert [len(ids) for ids in (short.query, short.positive)] == [3, 3]
  assert [len(ids) for ids in (long.query, long.positive)] == [22, 10]
  shapes = (8, 32), (32, 8), (32, 16), (16, 16), (32, 32)
  tasks = {'a': [short], 'b': [long]}
  for step in range(10):
    plan = make_loader(tasks, shapes=shapes).plan(step)
    assert plan.shape == {'a': (8, 32), 'b': (32, 16)}[plan.task]


def test_texts_are_padded_on_the_right(loader):
  for step in range(5):
    _, batch = loader.batch(step)
    for row, record in enumerate(loader.examples(step)):
      for padded, ids in (
        (batch.texts.query[row], record.query),
        (batch.texts.positive[row], record.positive),
      ):
        assert padded[: len(ids)].tolist() == ids.tolist()
        assert (padded[len(ids) :] == PAD).all()


def padding(loader):
  batches = [loader.batch(step)[1] for step in range(48)]
  texts = [text for b in batches for text in (b.texts.query, b.texts.positive)]
  tokens = sum(np.count_nonzero(text) for text in texts)
  return 1 - tokens / sum(text.size for text in texts)


def test_sorting_by_length_leaves_less_padding(make_loader):
  # Queries and positives alike in length, as in most corpora.
  records = [
    replace(made_record(n), positive=made_record(n).query) for n in range(384)
  ]
  unsorted = padding(make_loader({'a': records}, window=1))
  by_window = padding(make_loader({'a': records}, window=16))
  assert by_window < 0.4 < 0.5 < unsorted


def test_batches_of_a_window_do_not_go_from_short_to_long(make_loader):
  records = [made_record(n) for n in range(384)]
  loader = make_loader({'a': records}, window=16)
  tokens = [sum(loader.plan(step).shape) for step in range(48)]
  for first in 0, 16, 32:
    window = tokens[first : first + 16]
    assert window not in (sorted(window), sorted(window)[::-1])


def test_texts_too_long_are_cut_and_keep_their_end(make_loader):
  records = [made_record(n, 1) for n in range(16)]
  loader = make_loader(
    {'a': records}, shapes=((4, 4), (6, 5)), hard_negatives=1
  )
  cut = 0
  for step in range(2):
    plan, batch = loader.batch(step)
    assert plan.shape == (6, 5)
    for row, record in enumerate(loader.examples(step)):
      if len(record.query) > 6:
        assert batch.texts.query[row].tolist() == [*record.query[:5], EOS]
        cut += 1
      if len(record.negatives[0]) > 5:
        assert batch.texts.negatives[row, 0].tolist() == [
          *record.negatives[0][:4],
          EOS,
        ]
  assert cut > 5


@pytest.mark.parametrize('R', [0, 1, 2])
def test_hard_negatives_that_an_example_lacks_are_padding(make_loader, R):
  records = [made_record(n, n % 3) for n in range(24)]
  loader = make_loader({'a': records}, hard_negatives=R)
  for step in range(3):
    plan, batch = loader.batch(step)
    assert batch.texts.negatives.shape == (8, R, plan.shape[1])
    assert batch.texts.negatives.dtype == np.int32
    for row, record in enumerate(loader.examples(step)):
      for r in range(R):
        tokens = batch.texts.negatives[row, r]
        ids = record.negatives[r] if r < len(record.negatives) else []
        assert tokens[: len(ids)].tolist() == list(ids)
        assert (tokens[len(ids) :] == PAD).all()


def test_hard_negatives_that_are_not_taken_do_not_lengthen_a_batch(make_loader):
  short = replace(made_record(0), negatives=[[2] * 30])
  tasks = {'a': [short]}
  assert make_loader(tasks, hard_negatives=0).plan(0).shape == (8, 8)
  assert make_loader(tasks, hard_negatives=1).plan(0).shape == (32, 32)


def test_ids_are_equal_where_the_hashes_are(make_loader):
  hashes = [1, 2**32, 2**32 + 1, 2**64 - 1, 1, 2, 3, 0]
  records = [
    replace(made_record(n), query_id=h, positive_id=hashes[-1 - n])
    for n, h in enumerate(hashes)
  ]
  loader = make_loader({'a': records})
  _, batch = loader.batch(0)
  assert batch.query_id.dtype == batch.positive_id.dtype == np.uint32
  for words, hashed in (
    (batch.query_id, [r.query_id for r in loader.examples(0)]),
    (batch.positive_id, [r.positive_id for r in loader.examples(0)]),
  ):
    low_high = [[h & 0xFFFFFFFF, h >> 32] for h in hashed]
    assert words.tolist() == low_high


def test_a_task_without_examples_is_refused(make_loader):
  with pytest.raises(ValueError, match="Task 'b' has no examples left after"):
    make_loader({'a': [made_record(0)], 'b': []})


def test_the_identity_names_what_batches_depend_on(loader, make_loader):
  identity = loader.identity()
  assert json.loads(json.dumps(identity)) == identity
  tasks = {'a': [], 'b': []}  # written already
  assert make_loader(tasks, hard_negatives=2).identity() == identity
  for changes in (
    {'hard_negatives': 1},
    {'seed': 1},
    {'window': 4},
    {'batch_size': 16},
    {'batch_sizes': {'a': 16}},
    {'shapes': ((32, 32),)},
    {'rates': {'a': 2.0, 'b': 1.0}},
  ):
    other = make_loader(tasks, **{'hard_negatives': 2, **changes}).identity()
    assert other != identity


def test_batch_sizes_are_in_the_identity_only_where_tasks_have_some(
  loader, make_loader
):
  tasks = {'a': [], 'b': []}  # written already
  assert 'batch_sizes' not in loader.identity()
  prompts = dict.fromkeys('abc', 'search result')
  sizes = {'b': 4, 'c': 2}  # c is not trained on
  other = make_loader(
    tasks, hard_negatives=2, prompts=prompts, batch_sizes=sizes
  )
  assert other.identity() == loader.identity() | {'batch_sizes': {'b': 4}}
  plan, batch = other.batch(0)
  assert (plan.task, len(batch.texts.query)) == ('b', 4)


def test_the_identity_names_the_records(make_loader):
  tasks = {'a': [made_record(0)], 'b': [made_record(1)]}
  named = make_loader(tasks).identity()['tasks']
  assert named['a']['records'] != named['b']['records']
  assert named['a']['query_template'] == 'task: search result | query: {text}'


def test_the_plan_stays_what_it_was(loader):
  # Another one would change what a resumed run reads. On purpose only.
  assert [
    (loader.plan(step).task, *loader.plan(step).indices.tolist())
    for step in (0, 1, 2, 100_000)
  ] == [
    ('b', 4, 33, 13, 1, 21, 30, 10, 19),
    ('a', 23, 35, 12, 32, 24, 33, 13, 41),
    ('a', 46, 23, 3, 12, 35, 32, 24, 33),
    ('a', 42, 2, 9, 29, 49, 22, 38, 48),
  ]


def test_prefetched_items_come_in_order():
  assert list(prefetch(lambda n: n * n, 3, 9)) == [9, 16, 25, 36, 49, 64]
  assert list(prefetch(lambda n: n, 0, 1, ahead=5)) == [0]
  assert list(prefetch(lambda n: n, 4, 4)) == []


def test_items_are_made_ahead_and_no_more_of_them_after_closing():
  made, asked_to_end = [], threading.Event()

  def make(step):
    if step == 1:
      asked_to_end.wait(5)
    made.append(step)

  items = prefetch(make, 0, 100, ahead=3)
  next(items)
  timer = threading.Timer(0.05, asked_to_end.set)
  timer.start()
  items.close()
  timer.join()
  assert made in ([0], [0, 1])  # 2 and 3 were asked for, and are not made


def test_an_exception_comes_at_its_step():
  items = prefetch(lambda n: 6 // (n - 2), 0, 9)
  assert [next(items), next(items)] == [-3, -6]
  with pytest.raises(ZeroDivisionError):
    next(items)
  assert list(items) == []


@pytest.mark.parametrize('ending', ['closed early', 'exhausted', 'raised'])
def test_the_thread_ends_with_the_iterator(ending):
  def make(step):
    if ending == 'raised' and step == 2:
      raise OSError
    return threading.current_thread()

  items = prefetch(make, 0, 5)
  thread = next(items)
  assert thread is not threading.current_thread()
  assert thread.is_alive()
  if ending == 'closed early':
    items.close()
  elif ending == 'exhausted':
    list(items)
  else:
    with pytest.raises(OSError):
      list(items)
  assert not thread.is_alive()


def test_a_trainer_reads_without_tensorflow():
  code = (
    'import sys, gemb.data.loader, gemb.data.examples; '
    "assert not {'tensorflow', 'seqio'} & set(sys.modules)"
  )
  subprocess.run([sys.executable, '-c', code], check=True)


PACKING = PackingConfig(row_length=32, rungs=4)


def texts_of(batch, shards):
  """The texts of a packed batch, taken out of their rows, by example."""
  packed = batch.texts
  examples = []
  size, rows = len(packed.place) // shards, len(packed.tokens) // shards
  for example, places in enumerate(packed.place):
    first = example // size * rows
    texts = []
    for place in places:
      row, slot = divmod(int(place), packed.slots)
      mine = packed.segments[first + row] == slot + 1
      text = packed.tokens[first + row][mine].tolist()
      texts.append(text if place >= 0 else None)
    examples.append(texts)
  return examples


@pytest.mark.parametrize('shards', [1, 2, 4])
def test_packed_texts_are_those_of_their_examples(make_loader, shards):
  loader = make_loader(
    {'a': [made_record(n, n % 3) for n in range(50)]},
    hard_negatives=2,
    packing=PACKING,
    shards=shards,
  )
  for step in range(5):
    plan, batch = loader.batch(step)
    assert batch.texts.tokens.shape == (plan.shape[0] * shards, 32)
    assert (batch.texts.tokens > 0).tolist() == (
      batch.texts.segments > 0
    ).tolist()
    for record, texts in zip(
      loader.examples(step), texts_of(batch, shards), strict=True
    ):
      wanted = [record.query, record.positive, *record.negatives]
      assert texts == [ids.tolist() for ids in wanted] + [None] * (
        4 - len(wanted)
      )
    names = [int(record.name) for record in loader.examples(step)]
    assert batch.query_id[:, 0].tolist() == names
    assert batch.has_negative.sum(axis=1).tolist() == [n % 3 for n in names]


def test_the_packed_rows_of_all_hosts_are_the_global_batch(make_loader):
  loader = make_loader(
    {'a': [made_record(n, 1) for n in range(50)]},
    hard_negatives=1,
    packing=PACKING,
    shards=4,
  )
  for step in 0, 7:
    _, whole = loader.batch(step)
    for hosts in 1, 2, 4:
      rows = 8 // hosts
      parts = [
        loader.batch(step, slice(h * rows, (h + 1) * rows))[1]
        for h in range(hosts)
      ]
      assert_equal(jax.tree.map(lambda *x: np.concatenate(x), *parts), whole)


def test_parts_of_shards_cannot_be_read(make_loader):
  loader = make_loader({'a': [made_record(0)]}, packing=PACKING, shards=2)
  with pytest.raises(ValueError, match='Rows 0 to 3 of a packed batch'):
    loader.batch(0, slice(0, 3))


def test_packed_texts_too_long_are_cut_and_keep_their_end(make_loader):
  loader = make_loader(
    {'a': [made_record(n) for n in range(16)]},
    shapes=((6, 5),),
    packing=PackingConfig(row_length=8),
  )
  _, batch = loader.batch(0)
  for record, (query, positive) in zip(
    loader.examples(0), texts_of(batch, 1), strict=True
  ):
    for text, ids, most in (
      (query, record.query, 6),
      (positive, record.positive, 5),
    ):
      assert len(text) == min(len(ids), most)
      assert text[:-1] == ids.tolist()[: len(text) - 1]
      assert text[-1] == EOS


def test_a_text_without_its_task_string_is_read_where_it_is_dropped(
  make_loader,
):
  records = [made_record(n + 10) for n in range(16)]
  loader = make_loader({'a': records}, drop_task_string=0.5)
  lengths = {record.name: len(record.query) for record in records}
  bare = 0
  for step in range(20):
    plan, batch = loader.batch(step)
    for row, record in enumerate(loader.examples(step)):
      tokens = np.count_nonzero(batch.texts.query[row])
      dropped = plan.view[row] == 1
      assert tokens == lengths[record.name] - BARE * dropped
      bare += dropped
  assert 50 < bare < 110


def test_a_mixed_batch_has_examples_of_all_tasks(make_loader):
  loader = make_loader(
    {
      'a': [made_record(n) for n in range(50)],
      'b': [made_record(n) for n in range(100, 137)],
    },
    mixed=True,
    window=1,
  )
  for step in range(10):
    names = [int(record.name) for record in loader.examples(step)]
    _, batch = loader.batch(step)
    assert batch.query_id[:, 0].tolist() == names
    assert min(names) < 50 < max(names)


def test_duplicates_within_a_batch_have_equal_ids(make_loader):
  # Eight rows of three examples: copies are inevitable. By their ids the loss
  # knows them, and never contrasts them.
  loader = make_loader({'a': [made_record(2 * n) for n in range(3)]})
  _, batch = loader.batch(0)
  names = [record.name for record in loader.examples(0)]
  same = [[a == b for b in names] for a in names]
  for ids in batch.query_id, batch.positive_id:
    equal = (ids[:, None] == ids[None]).all(axis=-1)
    assert equal.tolist() == same
