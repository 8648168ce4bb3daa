import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec

from gemb.model.embedder import make_embedder
from gemb.train import optimizer, state

CONFIG = optimizer.OptimizerConfig(learning_rate=0.1, warmup_steps=0)
OPTIMIZER = optimizer.make_optimizer(CONFIG, optax.constant_schedule(0.1))


@pytest.fixture(scope='module')
def abstract(embedder, layout):
  return state.abstract_state(embedder, OPTIMIZER, layout('all'))


@pytest.fixture(scope='module')
def initial(embedder, layout):
  params = state.init_params(embedder, layout('all'), 0)
  return state.init_state(embedder, OPTIMIZER, layout('all'), params)


def shardings(tree):
  return jax.tree.map(lambda x: x.sharding, tree)


def test_parameters_lie_by_their_logical_axes(abstract):
  encoder = abstract.params['encoder']
  assert encoder['table'].sharding.spec == PartitionSpec('tensor', 'fsdp')
  assert encoder['blocks']['mlp']['gate'][
    'kernel'
  ].sharding.spec == PartitionSpec(None, 'fsdp', 'tensor')
  scale = encoder['final_norm']['scale']
  assert scale.sharding.is_fully_replicated


@pytest.mark.parametrize('moment', ['mu', 'nu'])
def test_moments_lie_where_their_parameters_lie(abstract, moment):
  moments = optax.tree_utils.tree_get(abstract.opt_state, moment)
  assert shardings(moments) == shardings(abstract.params)
  assert not moments['encoder']['table'].sharding.is_fully_replicated


def test_counters_are_on_every_device(abstract):
  counters = [
    leaf
    for leaf in jax.tree.leaves((abstract.step, abstract.opt_state))
    if leaf.shape == ()
  ]
  assert len(counters) >= 2
  assert all(leaf.sharding.is_fully_replicated for leaf in counters)


def test_the_initial_state_is_what_the_abstract_state_says(abstract, initial):
  def check(promised, made):
    assert (promised.shape, promised.dtype) == (made.shape, made.dtype)
    assert made.sharding.is_equivalent_to(promised.sharding, made.ndim)

  jax.tree.map(check, abstract, initial)
  assert initial.step == 0
  moments = optax.tree_utils.tree_get(initial.opt_state, 'mu')
  assert not any(leaf.any() for leaf in jax.tree.leaves(moments))


def test_no_device_holds_all_of_a_split_parameter(initial):
  table = initial.params['encoder']['table']
  assert table.shape == (32, 16)
  assert {shard.data.shape for shard in table.addressable_shards} == {(16, 8)}


def test_the_mesh_does_not_change_the_initial_parameters(embedder, initial):
  alone = jax.jit(embedder.init)(jax.random.key(0))
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6),
    alone,
    initial.params,
  )


def test_parameters_can_be_initialised_without_an_optimizer(
  embedder, initial, layout
):
  alone = state.init_params(embedder, layout('all'), 0)
  assert shardings(alone) == shardings(initial.params)
  jax.tree.map(np.testing.assert_array_equal, alone, initial.params)
  other = state.init_params(embedder, layout('all'), 1)['projection']['kernel']
  assert not np.allclose(other, alone['projection']['kernel'])


def test_a_parameter_that_the_mesh_does_not_divide_is_refused(embedder, layout):
  encoder = dataclasses.replace(embedder.config.encoder, width=12)
  odd = make_embedder(dataclasses.replace(embedder.config, encoder=encoder))
  with pytest.raises(
    ValueError,
    match=r"Axis 'embed' of parameter \['encoder'\].* is 12, which the 8 dev",
  ):
    state.abstract_state(odd, OPTIMIZER, layout('fsdp'))


def test_a_state_is_a_tree_of_any_leaves():
  tree = state.TrainState(step=jnp.int32(3), params={}, opt_state=())
  assert jax.tree.map(str, tree).step == '3'
