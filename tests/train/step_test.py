import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gemb import axes
from gemb.losses.matryoshka import LossConfig
from gemb.train import optimizer, state, step
from gemb.types import Batch

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
    query=query,
    positive=positive,
    negatives=negatives,
    query_id=query_id,
    positive_id=positive_id,
  )


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

  def compute(mesh, microbatch):
    with axes.use(layout(mesh)) as where:
      abstract = state.abstract_state(embedder, adam, where)
      placed = jax.device_put(
        params, jax.tree.map(lambda x: x.sharding, abstract.params)
      )
      loss = step.make_loss(embedder, LOSS, microbatch)
      function = jax.jit(jax.value_and_grad(loss, has_aux=True))
      (value, metrics), gradient = function(placed, place(make_batch(), where))
    return jax.device_get((value, metrics, gradient))

  def get(mesh, microbatch):
    if (mesh, microbatch) not in results:
      results[mesh, microbatch] = compute(mesh, microbatch)
    return results[mesh, microbatch]

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


def test_the_loss_is_equation_1_of_the_embeddings(
  differentiate, embedder, params
):
  batch = make_batch()
  apply = jax.jit(embedder.apply)

  def embed(tokens):
    return np.asarray(apply(params, jnp.asarray(tokens)), np.float64)

  q, p, n = (
    embed(batch.query),
    embed(batch.positive),
    embed(batch.negatives[:, 0]),
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
    hard = np.where(batch.negatives[:, 0].any(axis=1), hard, 0)
    losses = np.log(kept.sum(axis=1) + hard) - logits[rows, rows]
    got = differentiate('one device', B)[1][f'loss/{M}']
    np.testing.assert_allclose(got, losses.mean(), rtol=1e-5)


def first_tokens(params, tokens):
  return params * tokens[:, :2].astype(jnp.float32)


@pytest.mark.parametrize('microbatch', [1, 4, 12, 100])
def test_microbatches_keep_the_order_of_texts(microbatch):
  tokens = jnp.arange(36, dtype=jnp.int32).reshape(12, 3)
  embeddings = step.encode_in_microbatches(
    first_tokens, jnp.float32(2), tokens, microbatch
  )
  np.testing.assert_array_equal(embeddings, 2 * tokens[:, :2])


def test_microbatches_move_no_text_between_devices(layout):
  with axes.use(layout('data')) as where:
    tokens = jax.ShapeDtypeStruct(
      (64, 3), jnp.int32, sharding=where.sharding('batch')
    )
    encode = jax.jit(step.encode_in_microbatches, static_argnums=(0, 3))
    lowered = encode.lower(first_tokens, jnp.float32(2), tokens, 8)
    program = lowered.compile().as_text()
  moves = 'all-gather|all-to-all|all-reduce|collective-permute'
  assert not re.findall(moves, program)


def test_microbatches_bound_the_memory_of_activations(embedder, params):
  tokens = jax.ShapeDtypeStruct((256, 16), jnp.int32)

  def peak(microbatch):
    def loss(params, tokens):
      embeddings = step.encode_in_microbatches(
        embedder.apply, params, tokens, microbatch
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
  texts = (batch.query, batch.positive, batch.negatives)
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
  absent = dataclasses.replace(batch, negatives=0 * batch.negatives)
  none = dataclasses.replace(batch, negatives=batch.negatives[:, :0])
  example_loss = [
    loss(table, x)[1]['example_loss'] for x in (batch, absent, none)
  ]
  np.testing.assert_array_equal(example_loss[1], example_loss[2])
  harder = np.asarray(example_loss[0] > example_loss[1])
  assert np.flatnonzero(~harder).tolist() == [2, 10]  # those without
  assert len(calls) == 3 + 3 + 2
