"""The model's own FLOPs, against what JAX is asked to compute."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import pytest
from jax.extend.core import jaxprs_in_params

from gemb.data.config import DataConfig, TokenizerConfig
from gemb.losses.config import LossConfig
from gemb.model.config import EmbedderConfig, EncoderConfig
from gemb.model.embedder import make_embedder
from gemb.plan import flops

MODEL = EmbedderConfig(
  encoder=EncoderConfig(
    vocabulary=32,
    width=16,
    layers=4,
    heads=4,
    kv_heads=2,
    head_dim=6,
    mlp_width=24,
    local_radius=2,
    global_every=2,
    dtype='float32',
  ),
  embedding_width=12,
)
LOSS = LossConfig(prefixes=(4, 12), temperature=0.05)


def asked(jaxpr, times=1):
  """Returns the FLOPs of all matrix products that a function asks for."""
  total = 0
  for equation in jaxpr.eqns:
    if equation.primitive.name == 'dot_general':
      (contracted, _), _ = equation.params['dimension_numbers']
      left = equation.invars[0].aval.shape
      inner = math.prod(left[axis] for axis in contracted)
      total += times * 2 * equation.outvars[0].aval.size * inner
    turns = equation.params.get('length', 1)
    for inner in jaxprs_in_params(equation.params):
      total += asked(inner, times * turns)
  return total


def test_a_text_takes_the_products_that_the_embedder_asks_for():
  # All layers global: of what local ones do not see, XLA computes all.
  encoder = dataclasses.replace(MODEL.encoder, global_every=1)
  model = dataclasses.replace(MODEL, encoder=encoder)
  embedder = make_embedder(model)
  params = jax.eval_shape(embedder.init, jax.random.key(0))
  tokens = jax.ShapeDtypeStruct((3, 8), jnp.int32)
  jaxpr = jax.make_jaxpr(embedder.apply)(params, tokens)
  assert asked(jaxpr.jaxpr) == 3 * flops.text_flops(model, 8)


@pytest.mark.parametrize('length', [1, 2, 3, 4, 9])
def test_pairs_on_a_local_layer_are_those_within_the_radius(length):
  near = sum(abs(i - j) <= 2 for i in range(length) for j in range(length))
  assert flops.visible_pairs(MODEL.encoder, 0, length) == near
  assert flops.visible_pairs(MODEL.encoder, 1, length) == length**2


@pytest.mark.parametrize(
  ('switches', 'compared'),
  [
    ({}, 8 + 2),
    ({'hard_negatives': 'all'}, 8 + 16),
    ({'same_tower': 'queries'}, 8 + 2 + 8),
    ({'same_tower': 'both'}, 8 + 2 + 16),
    ({'spread_out': 1.0}, 8 + 2 + 16),
    ({'symmetric': True}, 8 + 2),
  ],
)
def test_the_loss_takes_a_product_for_each_text_compared(switches, compared):
  loss = dataclasses.replace(LOSS, **switches)
  assert flops.loss_flops(loss, 8, 2) == 2 * 12 * 8 * compared


def test_a_step_is_three_forward_passes_of_all_its_texts():
  data = DataConfig(
    name='a',
    rates={'a': 1.0},
    prompts={'a': 'search result'},
    tokenizer=TokenizerConfig(),
    batch_size=8,
    shapes=((4, 4), (4, 8)),
    hard_negatives=2,
  )
  encoding, loss = flops.step_flops(MODEL, LOSS, data, None)
  query, passage = (flops.text_flops(MODEL, length) for length in (4, 8))
  assert encoding == 3 * 8 * (query + 3 * passage)
  assert loss == 3 * flops.loss_flops(LOSS, 8, 2)
  shorter, _ = flops.step_flops(MODEL, LOSS, data, 4)
  assert shorter == 3 * 8 * 4 * query
