"""The losses once more, written from the papers and not from gemb.

And a batch, its variants, and their results, for all tests of this folder.
"""

import functools
import math
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb.losses.config import LossConfig
from gemb.types import Batch, Embeddings, Padded

GOLDEN = pathlib.Path(__file__).parents[1] / 'golden'
B, E = 16, 8

# Each switch alone, and all that go together.
VARIANTS = {
  'equation 1': {},
  'to the letter': {'positive_in_denominator': False},
  'all hard negatives': {'hard_negatives': 'all'},
  'Gecko': {'same_tower': 'queries'},
  'Qwen3': {'same_tower': 'both', 'false_negative_margin': 0.1},
  'EmbeddingGemma': {'hardness': 5.0, 'spread_out': 0.7, 'distillation': 0.3},
  'KaLM': {'focal': 0.5},
  'unmasked': {'mask_same_texts': False},
  'symmetric': {'symmetric': True, 'false_negative_margin': 0.0},
  'everything': {
    'prefixes': (2, 8),
    'weights': (0.5, 1.0),
    'hard_negatives': 'all',
    'same_tower': 'both',
    'false_negative_margin': 0.2,
    'hardness': 5.0,
    'focal': 0.5,
    'symmetric': True,
    'spread_out': 0.7,
    'distillation': 0.3,
  },
}


def make_config(name):
  """Returns the variant, in tiles that are smaller than the batch."""
  return LossConfig(
    **{'prefixes': (8,), 'temperature': 0.1, 'tile': 4} | VARIANTS[name]
  )


@pytest.fixture(params=VARIANTS)
def variant(request):
  return make_config(request.param)


@pytest.fixture(scope='session')
def everything():
  return make_config('everything')


@pytest.fixture(scope='session')
def case():
  """A batch with everything that a loss must mind, and its embeddings.

  A repeated query, a repeated positive, missing hard negatives, one that is
  another example's positive. Texts are a token each.
  """
  rng = np.random.default_rng(0)
  q, p, n0, n1 = rng.normal(size=(4, B, E)) + 0.3
  query, positive = np.arange(1, B + 1), np.arange(101, B + 101)
  negatives = np.stack([positive + 100, positive + 200], axis=1)
  query[9] = query[1]
  positive[[3, 12]] = positive[5]
  negatives[2, 1] = positive[7]
  has_negative = rng.random((B, 2)) < 0.7
  negatives[~has_negative] = 0

  def ids(texts):
    return jnp.stack([texts, 7 * texts], axis=1).astype(jnp.uint32)

  batch = Batch(
    texts=Padded(
      query=jnp.asarray(query[:, None], jnp.int32),
      positive=jnp.asarray(positive[:, None], jnp.int32),
      negatives=jnp.asarray(negatives[..., None], jnp.int32),
    ),
    has_negative=jnp.asarray(has_negative),
    query_id=ids(query),
    positive_id=ids(positive),
    teacher=jnp.asarray(rng.normal(size=(B, 4, E + 2)), jnp.float32),
  )
  embeddings = Embeddings(
    query=jnp.asarray(q, jnp.float32),
    positive=jnp.asarray(p + 0.5 * q, jnp.float32),
    negatives=jnp.asarray([n0 + 0.3 * q, n1], jnp.float32),
  )
  return embeddings, batch


@pytest.fixture(scope='session')
def differentiate(case):
  """Returns ((value, metrics), gradients) of a loss, compiled once."""

  @functools.partial(jax.jit, static_argnums=(0, 1))
  def compiled(loss, config, embeddings, batch):
    function = functools.partial(loss, config)
    return jax.value_and_grad(function, has_aux=True)(embeddings, batch)

  def compute(loss, config, embeddings=case[0], batch=case[1]):
    return jax.device_get(compiled(loss, config, embeddings, batch))

  return compute


@pytest.fixture(scope='session')
def golden():
  """Returns what sentence-transformers computed, by name."""
  with np.load(GOLDEN / 'losses.npz') as arrays:
    return dict(arrays)


@pytest.fixture(scope='session')
def golden_case(golden):
  """Returns the golden embeddings with R hard negatives, and their batch."""

  def make(R):
    number = jnp.arange(1, 7, dtype=jnp.int32)
    ids = jnp.stack([number, number], axis=1).astype(jnp.uint32)
    negatives = jnp.stack([number + 10 * r for r in (2, 3)], axis=1)
    batch = Batch(
      texts=Padded(
        query=number[:, None],
        positive=number[:, None] + 10,
        negatives=negatives[:, :R, None],
      ),
      has_negative=jnp.ones((6, R), bool),
      query_id=ids,
      positive_id=ids,
    )
    q, p, n = (
      jnp.asarray(golden[name], jnp.float32)
      for name in ('query', 'positive', 'negatives')
    )
    return Embeddings(query=q, positive=p, negatives=n[:R]), batch

  return make


@pytest.fixture(scope='session')
def assert_golden(golden, golden_case, differentiate):
  """Holds a loss and its gradients to sentence-transformers', by name."""
  three = {'prefixes': (4, 8, 16)}
  cases = {
    'pair': (0, {}),
    'hard_negatives': (2, {}),
    'symmetric': (0, {'symmetric': True}),
    'hardness': (2, {'hardness': 5.0}),
    'matryoshka': (0, three),
    'weights': (1, three | {'weights': (0.25, 0.5, 1.0)}),
  }

  def check(loss, name):
    R, switches = cases[name]
    # Theirs contrasts with the hard negatives of all queries.
    usual = {'prefixes': (16,), 'temperature': 1 / 20, 'hard_negatives': 'all'}
    config = LossConfig(**usual | switches)
    (value, _), gradient = differentiate(loss, config, *golden_case(R))
    np.testing.assert_allclose(value, golden[f'{name}/loss'], rtol=1e-5)
    for side in ('query', 'positive', 'negatives')[: 3 if R else 2]:
      np.testing.assert_allclose(
        getattr(gradient, side),
        golden[f'{name}/grad_{side}'],
        rtol=1e-4,
        atol=1e-6,
      )

  return check


@pytest.fixture(scope='session')
def equation_1():
  """Returns each query's summand at width M, in float64, term after term."""

  def losses(config, embeddings, batch, M):
    q, p, n = (
      np.asarray(x, np.float64)[..., :M]
      for x in (embeddings.query, embeddings.positive, embeddings.negatives)
    )
    texts = jax.tree.map(np.asarray, batch.texts)
    has_negative = np.asarray(batch.has_negative)
    result = []
    for i in range(len(q)):
      forth, back = [], []  # pairs of a cosine and its term's weight
      for j in range(len(q)):
        for r in range(len(n)):
          hard = cosine(q[i], n[r, j])
          false = (texts.negatives[j, r] == texts.positive[i]).all()
          if j == i and has_negative[j, r]:
            # EmbeddingGemma, equation 2.
            forth.append((hard, math.exp(config.hardness * hard)))
          elif config.hard_negatives == 'all' and has_negative[j, r]:
            forth += [] if false else [(hard, 1)]
        if i == j or (config.mask_same_texts and same(batch, i, j)):
          continue
        forth.append((cosine(q[i], p[j]), 1))
        if config.same_tower in ('queries', 'both'):  # Gecko, equation 2
          forth.append((cosine(q[i], q[j]), 1))
        if config.same_tower == 'both':  # Qwen3 Embedding, equation 1
          forth.append((cosine(p[i], p[j]), 1))
        back.append((cosine(p[i], q[j]), 1))
      directions = [forth, back] if config.symmetric else [forth]
      positive = cosine(q[i], p[i])
      result.append(
        sum(summand(config, positive, terms) for terms in directions)
        / len(directions)
      )
    return np.array(result)

  def same(batch, i, j):
    # Gemini Embedding, equation 3.
    ids = np.asarray(batch.query_id), np.asarray(batch.positive_id)
    return any(tuple(of_all[i]) == tuple(of_all[j]) for of_all in ids)

  def cosine(a, b):
    return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))

  def summand(config, positive, terms):
    t, margin = config.temperature, config.false_negative_margin
    Z = math.exp(positive / t) if config.positive_in_denominator else 0
    for similarity, weight in terms:
      # Qwen3 Embedding, equation 2.
      if margin is None or similarity <= positive + margin:
        Z += weight * math.exp(similarity / t)
    probability = math.exp(positive / t) / Z
    loss = -math.log(probability)
    if config.focal:  # KaLM-Embedding-V2
      loss *= (1 - probability) ** config.focal
    return loss

  return losses
