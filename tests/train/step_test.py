import dataclasses
import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gemb import axes
from gemb.data.packing import pack, slots
from gemb.losses.config import LossConfig
from gemb.train import optimizer, state, step
from gemb.types import Batch, Packed, Padded

B = 16
LOSS = LossConfig(prefixes=(2, 8), temperature=0.1)
OPTIMIZER = optimizer.OptimizerConfig(
  learning_rate=0.02, warmup_steps=2, clip_norm=1.0
)


def ragged(rng, *shape):
  """Texts of 1 to L tokens, right-padded."""
  tokens = rng.integers(1, 32, shape)
  lengths = rng.integers(1, shape[-1] + 1, (*shape[:-1], 1))
  real = np.arange(shape[-1]).reshape((1,) * len(lengths.shape[:-1]) + (-1,))
  return np.where(real < lengths, tokens, 0).astype(np.int32)


def make_batch():
  """Ragged texts, duplicates on both sides, a missing hard negative."""
  rng = np.random.default_rng(0)
  ids = np.stack([np.arange(B), np.zeros(B)], axis=1).astype(np.uint32)
  query, positive = ragged(rng, B, 4), ragged(rng, B, 6)
  query_id, positive_id = ids.copy(), ids.copy()
  query[9], query_id[9] = query[1], query_id[1]
  positive[[3, 12]], positive_id[[3, 12]] = positive[5], positive_id[5]
  negatives = ragged(rng, B, 1, 5)
  negatives[[2, 10]] = 0
  return Batch(
    texts=Padded(query=query, positive=positive, negatives=negatives),
    has_negative=negatives.any(axis=-1),
    query_id=query_id,
    positive_id=positive_id,
  )


def make_packed(shards):
  """The same batch, with the texts of each shard in rows of 8 tokens."""
  batch, size = make_batch(), B // shards
  sides = batch.texts.query, batch.texts.positive, batch.texts.negatives[:, 0]
  texts = [
    [row[row > 0] for row in example] for example in zip(*sides, strict=True)
  ]
  packings = [
    pack(np.array([len(t) for e in some for t in e]), 8)
    for some in (texts[z * size :][:size] for z in range(shards))
  ]
  rows = max(packing.rows for packing in packings)
  rows += rows % 2  # as the loader does: equal parts of two on each shard
  tokens = np.zeros((shards, rows, 8), np.int32)
  segments = np.zeros_like(tokens)
  place = np.full((shards, size, 3), -1, np.int32)
  for z, packing in enumerate(packings):
    found = iter(zip(packing.row, packing.offset, packing.slot, strict=True))
    for i in range(size):
      for side in range(3):
        row, offset, slot = next(found)
        if row >= 0:
          text = texts[z * size + i][side]
          tokens[z, row, offset : offset + len(text)] = text
          segments[z, row, offset : offset + len(text)] = slot + 1
          place[z, i, side] = row * slots(8) + slot
  packed = Packed(
    tokens=tokens.reshape(-1, 8),
    segments=segments.reshape(-1, 8),
    place=place.reshape(B, 3),
    slots=slots(8),
    shards=shards,
  )
  return dataclasses.replace(batch, texts=packed)


def place(batch, layout):
  return jax.device_put(batch, layout.sharding('batch'))


@pytest.fixture(scope='module')
def params(embedder):
  return jax.jit(embedder.init)(jax.random.key(0))


@pytest.fixture(scope='module')
def differentiate(embedder, layout, params):
  """Returns (loss, metrics, gradient) on a mesh, computed once."""
  adam = optimizer.make_optimizer(OPTIMIZER, optax.constant_schedule(0.1))
  results = {}

  def compute(mesh, microbatch, packed):
    with axes.use(layout(mesh)) as where:
      abstract = state.abstract_state(embedder, adam, where)
      placed = jax.device_put(
        params, jax.tree.map(lambda x: x.sharding, abstract.params)
      )
      loss = step.make_loss(embedder, LOSS, microbatch)
      function = jax.jit(jax.value_and_grad(loss, has_aux=True))
      shards = where.shards('batch')
      batch = make_packed(shards) if packed else make_batch()
      (value, metrics), gradient = function(placed, place(batch, where))
    return jax.device_get((value, metrics, gradient))

  def get(mesh, microbatch, *, packed=False):
    key = mesh, microbatch, packed
    if key not in results:
      results[key] = compute(*key)
    return results[key]

  return get


def assert_equal_computations(got, wanted):
  def check(path, a, b):
    where = jax.tree_util.keystr(path)
    # Of the largest entry: the others are sums of terms as large as that.
    largest = max(1, np.abs(b).max())
    np.testing.assert_allclose(
      a / largest, b / largest, atol=1e-5, err_msg=where
    )

  jax.tree.map_with_path(check, got, wanted)


@pytest.mark.parametrize(
  ('mesh', 'microbatch'), [('data', B), ('fsdp', B), ('all', 8)]
)
def test_eight_devices_compute_what_one_computes(
  differentiate, mesh, microbatch
):
  one = differentiate('one device', B)
  assert np.abs(one[2]['projection']['kernel']).max() > 0.1
  assert_equal_computations(differentiate(mesh, microbatch), one)


def test_microbatches_compute_what_the_whole_batch_computes(differentiate):
  whole = differentiate('one device', B)
  assert_equal_computations(differentiate('one device', 4), whole)


@pytest.mark.parametrize(
  ('mesh', 'microbatch'), [('one device', 100), ('data', 100), ('all', 8)]
)
def test_packed_texts_compute_what_padded_ones_compute(
  differentiate, mesh, microbatch
):
  packed = differentiate(mesh, microbatch, packed=True)
  assert_equal_computations(packed, differentiate('one device', B))


def test_packed_texts_are_taken_from_rows_without_moving_them(
  embedder, layout, params
):
  with axes.use(layout('data')) as where:
    batch = place(make_packed(8), where)

    def embed(params, texts):
      return step.embed_texts(embedder, params, texts, 100)

    program = jax.jit(embed).lower(params, batch.texts).compile().as_text()
  moves = 'all-gather|all-to-all|all-reduce|collective-permute'
  assert not re.findall(moves, program)


def test_the_loss_is_equation_1_of_the_embeddings(
  differentiate, embedder, params
):
  batch = make_batch()
  apply = jax.jit(embedder.apply)

  def embed(tokens):
    return np.asarray(apply(params, jnp.asarray(tokens)), np.float64)

  q, p, n = (
    embed(batch.texts.query),
    embed(batch.texts.positive),
    embed(batch.texts.negatives[:, 0]),
  )
  rows = np.arange(B)
  for M in LOSS.prefixes:

    def unit(x, M=M):
      length = np.linalg.norm(x[:, :M], axis=1, keepdims=True)
      return x[:, :M] / np.where(length == 0, 1, length)

    logits = unit(q) @ unit(p).T / 0.1
    same = batch.query_id[:, 0] == batch.query_id[:, :1]
    same |= batch.positive_id[:, 0] == batch.positive_id[:, :1]
    kept = np.where(same & ~np.eye(B, dtype=bool), 0, np.exp(logits))
    hard = np.exp(np.sum(unit(q) * unit(n), axis=1) / 0.1)
    hard = np.where(batch.has_negative[:, 0], hard, 0)
    losses = np.log(kept.sum(axis=1) + hard) - logits[rows, rows]
    got = differentiate('one device', B)[1][f'loss/{M}']
    np.testing.assert_allclose(got, losses.mean(), rtol=1e-5)


def first_tokens(params, tokens):
  return params * tokens[:, :2].astype(jnp.float32)


@pytest.mark.parametrize('microbatch', [1, 4, 12, 100])
def test_microbatches_keep_the_order_of_texts(microbatch):
  tokens = jnp.arange(36, dtype=jnp.int32).reshape(12, 3)
  embeddings = step.encode_in_microbatches(
    first_tokens, jnp.float32(2), tokens, microbatch=microbatch
  )
  np.testing.assert_array_equal(embeddings, 2 * tokens[:, :2])


def test_rows_that_make_no_equal_parts_are_refused():
  tokens = jnp.zeros((7, 3), jnp.int32)
  with pytest.raises(ValueError, match='7 rows make no 2 equal parts of at'):
    step.encode_in_microbatches(
      first_tokens, jnp.float32(2), tokens, microbatch=4
    )


def test_microbatches_move_no_text_between_devices(layout):
  with axes.use(layout('data')) as where:
    tokens = jax.ShapeDtypeStruct(
      (64, 3), jnp.int32, sharding=where.sharding('batch')
    )
    encode = functools.partial(
      step.encode_in_microbatches, first_tokens, microbatch=8
    )
    lowered = jax.jit(encode).lower(jnp.float32(2), tokens)
    program = lowered.compile().as_text()
  moves = 'all-gather|all-to-all|all-reduce|collective-permute'
  assert not re.findall(moves, program)


def test_microbatches_bound_the_memory_of_activations(embedder, params):
  tokens = jax.ShapeDtypeStruct((256, 16), jnp.int32)

  def peak(microbatch):
    def loss(params, tokens):
      embeddings = step.encode_in_microbatches(
        embedder.apply, params, tokens, microbatch=microbatch
      )
      return jnp.sum(embeddings**2)

    compiled = jax.jit(jax.grad(loss)).lower(params, tokens).compile()
    return compiled.memory_analysis().temp_size_in_bytes

  assert peak(8) < peak(256) / 8


@pytest.fixture(scope='module')
def run(embedder, layout):
  """Thirty steps on one batch: the states' first, last, and all metrics."""
  schedule = optimizer.make_schedule(OPTIMIZER, 30)
  adam = optimizer.make_optimizer(OPTIMIZER, schedule)
  batch = make_batch()
  history = []
  with axes.use(layout('all')) as where:
    params = state.init_params(embedder, where, 0)
    first = current = state.init_state(embedder, adam, where, params)
    placed = place(batch, where)
    train_step = step.make_train_step(
      step.make_loss(embedder, LOSS, 8), adam, schedule
    )
    for _ in range(30):
      current, metrics = train_step(current, placed)
      history.append(jax.device_get(metrics))
  return first, current, history, batch


def test_the_loss_falls(run):
  losses = [metrics['loss'] for metrics in run[2]]
  assert losses[-1] < losses[0] / 4
  assert run[2][-1]['accuracy'] > run[2][0]['accuracy']


def test_every_step_is_counted(run):
  assert run[1].step == 30
  rates = [float(metrics['learning_rate']) for metrics in run[2]]
  schedule = optimizer.make_schedule(OPTIMIZER, 30)
  np.testing.assert_allclose(
    rates, [float(schedule(i)) for i in range(30)], rtol=1e-6
  )


def test_metrics_count_tokens_without_padding(run):
  batch, metrics = run[3], run[2][0]
  texts = batch.texts
  texts = (texts.query, texts.positive, texts.negatives)
  tokens = sum(np.count_nonzero(x) for x in texts)
  assert metrics['tokens'] == tokens
  share = 1 - tokens / sum(x.size for x in texts)
  np.testing.assert_allclose(metrics['padding'], share, rtol=1e-6)


def test_the_gradients_norm_is_taken_before_clipping(run, differentiate):
  gradient = differentiate('one device', B)[2]
  norm = optax.tree.norm(gradient)
  assert norm > OPTIMIZER.clip_norm
  np.testing.assert_allclose(run[2][0]['gradient_norm'], norm, rtol=1e-4)


def test_the_state_is_donated(run):
  assert run[0].params['encoder']['table'].is_deleted()


def test_the_state_stays_where_it_lay(run, embedder, layout):
  schedule = optimizer.make_schedule(OPTIMIZER, 30)
  adam = optimizer.make_optimizer(OPTIMIZER, schedule)
  abstract = state.abstract_state(embedder, adam, layout('all'))

  def check(promised, made):
    assert made.sharding.is_equivalent_to(promised.sharding, made.ndim)

  jax.tree.map(check, abstract, run[1])


@pytest.fixture
def lookup(embedder):
  """An embedder that returns its first token's row, and counts its calls."""
  calls = []

  def apply(params, tokens):
    calls.append(tokens.shape)
    return jnp.where(tokens[:, :1] == 0, 0, params[tokens[:, 0]])

  table = jax.random.normal(jax.random.key(0), (32, 8))
  return dataclasses.replace(embedder, apply=apply), table, calls


def test_a_hard_negative_of_padding_alone_is_absent(lookup):
  fake, table, calls = lookup
  loss = step.make_loss(fake, LossConfig(prefixes=(8,), temperature=1.0), B)
  batch = jax.tree.map(jnp.asarray, make_batch())
  texts, has = batch.texts, batch.has_negative
  absent = dataclasses.replace(
    batch,
    texts=dataclasses.replace(texts, negatives=0 * texts.negatives),
    has_negative=has & False,
  )
  none = dataclasses.replace(
    batch,
    texts=dataclasses.replace(texts, negatives=texts.negatives[:, :0]),
    has_negative=has[:, :0],
  )
  example_loss = [
    loss(table, x)[1]['example_loss'] for x in (batch, absent, none)
  ]
  np.testing.assert_array_equal(example_loss[1], example_loss[2])
  harder = np.asarray(example_loss[0] > example_loss[1])
  assert np.flatnonzero(~harder).tolist() == [2, 10]  # those without
  assert len(calls) == 3 + 3 + 2
