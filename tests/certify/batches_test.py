import dataclasses

import numpy as np
import pytest

from gemb.certify import batches, small
from gemb.types import Packed


@pytest.fixture(scope='module')
def run(load):
  return small.shrink(load('02_finetune'))


@pytest.fixture(scope='module')
def examples(run):
  return batches.make_examples(run)


def test_texts_have_all_lengths(run, examples):
  query, passage = run.data.shapes[-1]
  for side, limit in enumerate((query, passage, passage, passage)):
    found = examples.length[:, side]
    assert found.max() == limit and len(set(found.tolist())) > limit / 2
  real = (examples.tokens > 0).sum(axis=-1)
  np.testing.assert_array_equal(real, examples.length)


@pytest.mark.parametrize(
  ('side', 'pairs'),
  [(0, [(0, 1), (16, 17), (4, 20)]), (1, [(2, 3), (18, 19), (5, 21)])],
)
def test_texts_occur_twice_and_have_one_id(examples, side, pairs):
  ids = (examples.query_id, examples.positive_id)[side]
  for one, other in pairs:
    np.testing.assert_array_equal(
      examples.tokens[one, side], examples.tokens[other, side]
    )
  same = {tuple(pair) for pair in pairs}
  for i in range(32):
    for j in range(i):
      assert (ids[i] == ids[j]).all() == ((j, i) in same)


def test_hard_negatives_are_missing(examples):
  has = examples.length[:, 2:] > 0
  assert has[2].all() and not has[1].any()
  assert has[3].tolist() == [True, False]


def test_a_hard_negative_is_the_positive_of_another_query(examples):
  np.testing.assert_array_equal(examples.tokens[15, 2], examples.tokens[7, 1])


@pytest.mark.parametrize('shards', [1, 2, 8])
def test_packed_rows_hold_the_same_texts(run, examples, shards):
  texts = batches.lay_out(examples, run, shards).texts
  assert isinstance(texts, Packed) and texts.shards == shards
  assert len(texts.tokens) % run.microbatch == 0
  rows = len(texts.tokens) // shards
  for i, places in enumerate(texts.place):
    for side, place in enumerate(places):
      row, slot = divmod(int(place), texts.slots)
      row += i * shards // 32 * rows
      found = texts.tokens[row][texts.segments[row] == slot + 1]
      length = examples.length[i, side]
      assert (place < 0) == (length == 0)
      if length:
        wanted = examples.tokens[i, side, :length]
        np.testing.assert_array_equal(found, wanted)


def test_a_run_without_packing_has_a_text_a_row(run, examples):
  data = dataclasses.replace(run.data, packing=None)
  plain = dataclasses.replace(run, data=data)
  texts = batches.lay_out(examples, plain, 8).texts
  assert (texts.query.shape, texts.positive.shape) == ((32, 8), (32, 12))
  assert texts.negatives.shape == (32, 2, 12)


def test_a_teacher_comes_with_distillation(load):
  bindings = 'LossConfig.distillation=1.0', "DataConfig.teacher='folder'"
  run = small.shrink(load('02_finetune', *bindings))
  assert batches.make_examples(run).teacher.shape == (32, 4, 16)


def test_the_batch_is_told_in_words(run, examples):
  said = batches.describe(examples, run)
  assert '3 queries and 3 positives that come again, 41 of 64 hard' in said
  assert 'packed into rows of 24 tokens' in said
  assert 'columns are gathered' in said
  loss = dataclasses.replace(run.loss, gather_up_to=31)
  ring = dataclasses.replace(run, loss=loss)
  assert 'travel round a ring' in batches.describe(examples, ring)
