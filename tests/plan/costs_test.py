"""What a compiled program costs: known products, loops, exchanges, bytes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from gemb.plan import costs
from gemb.profile import hlo

# A product as a TPU has it, with a window for its batch of 4: of the positions
# of that window one in four meets an element. In a loop of three turns.
TPU = """
%cond (p: (s32[], f32[4,8,16])) -> pred[] {
  %p = (s32[], f32[4,8,16]) parameter(0)
  %i = s32[]{:T(128)} get-tuple-element(%p), index=0
  %c = s32[]{:T(128)} constant(7)
  ROOT %lt = pred[] compare(%i, %c), direction=LT
}

%body (p.1: (s32[], f32[4,8,16])) -> (s32[], f32[4,8,16]) {
  %p.1 = (s32[], f32[4,8,16]) parameter(0)
  %i.1 = s32[]{:T(128)} get-tuple-element(%p.1), index=0
  %two = s32[]{:T(128)} constant(2)
  %add = s32[]{:T(128)} add(%i.1, %two)
  %x = f32[4,8,16]{2,1,0:T(8,128)} get-tuple-element(%p.1), index=1
  %w = f32[4,16,16]{2,1,0:T(8,128)S(1)} constant({...})
  %y = f32[4,8,16]{2,1,0:T(8,128)} convolution(%x, %w), \
window={size=4 stride=3 pad=0_0 lhs_dilate=4}, dim_labels=0bf_0io->0bf
  ROOT %t = (s32[], f32[4,8,16]) tuple(%add, %y)
}

ENTRY %main (a: f32[4,8,16]) -> f32[4,8,16] {
  %a = f32[4,8,16]{2,1,0:T(8,128)} parameter(0)
  %one = s32[]{:T(128)} constant(1)
  %init = (s32[], f32[4,8,16]) tuple(%one, %a)
  %w.1 = (s32[], f32[4,8,16]) while(%init), condition=%cond, body=%body
  ROOT %out = f32[4,8,16]{2,1,0:T(8,128)} get-tuple-element(%w.1), index=1
}
"""


def count(function, *shapes, shardings=None):
  shapes = [jnp.zeros(shape) for shape in shapes]
  if shardings:
    shapes = list(map(jax.device_put, shapes, shardings))
  compiled = jax.jit(function).lower(*shapes).compile()
  return costs.count(hlo.parse(compiled.as_text()))


def test_a_product_takes_two_flops_for_each_product_and_sum():
  assert count(jnp.dot, (8, 32), (32, 16)).flops == 2 * 8 * 32 * 16


def test_batched_products_are_counted_for_each_of_the_batch():
  found = count(
    lambda a, b: jnp.einsum('bij,bjk->bik', a, b), (3, 8, 32), (3, 32, 16)
  )
  assert found.flops == 3 * 2 * 8 * 32 * 16


def test_every_turn_of_a_loop_within_a_loop_counts():
  def inner(x, w):
    return jnp.tanh(x @ w), None

  def outer(x, w):
    return jax.lax.scan(inner, x, w)

  def loops(x, w):
    return jax.lax.scan(outer, x, w)[0]

  found = count(loops, (8, 32), (3, 5, 32, 32))
  assert found.flops == 3 * 5 * 2 * 8 * 32 * 32
  assert not found.unknown


def test_what_is_recomputed_counts_again():
  def layer(x, w):
    return jnp.tanh(x @ w), None

  def loss(w, x, layer):
    return jnp.sum(jax.lax.scan(layer, x, w)[0] ** 2)

  def gradient(layer):
    return lambda w, x: jax.grad(loss)(w, x, layer)

  once = 4 * 2 * 8 * 32 * 32
  plain = count(gradient(layer), (4, 32, 32), (8, 32))
  # By the input of the first layer nobody asks.
  assert plain.flops == pytest.approx(3 * once, rel=0.1)
  again = count(gradient(jax.checkpoint(layer)), (4, 32, 32), (8, 32))
  assert again.flops == plain.flops + once


def test_a_choice_costs_what_its_costlier_branch_does():
  def choose(x, w):
    return jax.lax.cond(x[0, 0] > 0, lambda: (x @ w) @ w, lambda: x @ w)

  assert count(choose, (8, 32), (32, 32)).flops == 2 * 2 * 8 * 32 * 32


def test_a_loop_of_unknown_turns_is_named():
  def loop(x, w):
    return jax.lax.while_loop(lambda x: x[0, 0] < 9, lambda x: x @ w, x)

  found = count(loop, (8, 32), (32, 32))
  assert found.flops == 2 * 8 * 32 * 32
  assert len(found.unknown) == 1


def test_products_and_loops_of_a_tpu_are_read_as_well():
  found = costs.count(hlo.parse(TPU))
  assert found.flops == 3 * 4 * 2 * 8 * 16 * 16
  # Of each turn x is read and y written; w is on the chip.
  assert found.hbm == 3 * 2 * 4 * 8 * 16 * 4


def test_a_pallas_kernel_says_what_it_costs_or_is_named():
  kernel = """
ENTRY %main (a: f32[8,128]) -> f32[8,128] {{
  %a = f32[8,128]{{1,0}} parameter(0)
  ROOT %k = f32[8,128]{{1,0}} custom-call(%a), \
custom_call_target="tpu_custom_call", metadata={{op_name="splash"}}, \
backend_config={{"custom_call_config":{{"body":"x"{stated}}}}}
}}
"""
  stated = ',"cost_estimate":{"flops":"4096","bytes_accessed":"8"}'
  assert costs.count(hlo.parse(kernel.format(stated=stated))).flops == 4096
  silent = costs.count(hlo.parse(kernel.format(stated='')))
  assert silent.unknown == {'the FLOPs of the kernel splash'}


@pytest.mark.parametrize(
  ('spec', 'kind', 'sent'),
  [
    # Rows of w, 32 x 16 floats, come from the seven others.
    (PartitionSpec('x'), 'all-gather', 4 * 32 * 16 * 7 / 8),
    # Sums of 8 x 16 floats: seven eighths go round twice.
    (PartitionSpec(), 'all-reduce', 2 * 4 * 8 * 16 * 7 / 8),
  ],
)
def test_exchanges_are_counted_in_bytes_that_a_device_sends(spec, kind, sent):
  mesh = Mesh(np.array(jax.devices()), 'x', axis_types=(AxisType.Auto,))
  whole, rows = NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, spec)
  by_x = NamedSharding(mesh, PartitionSpec(None, 'x'))
  if kind == 'all-gather':
    found = count(
      lambda w: jax.lax.with_sharding_constraint(w, whole) * 2,
      (32, 16),
      shardings=[rows],
    )
  else:
    columns = NamedSharding(mesh, PartitionSpec('x'))
    found = count(
      lambda x, w: jax.lax.with_sharding_constraint(x @ w, whole),
      (8, 32),
      (32, 16),
      shardings=[by_x, columns],
    )
  ((which, given),) = found.collectives.items()
  assert (which.kind, which.devices, which.sent(given)) == (kind, 8, sent)


def test_of_a_slice_only_the_slice_is_read():
  def rows(x):
    return jax.lax.fori_loop(
      0, 100, lambda i, s: s + jnp.tanh(x[i]) @ x[i], 0.0
    )

  # Each of 100 turns reads a row or two of 4 KiB, not the whole of 400 KiB.
  assert count(rows, (100, 1024)).hbm < 100 * 10 * 4096
