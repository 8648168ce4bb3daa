"""The encoder's parts: normalisation, linear maps, positions, feed-forward."""

import functools
from collections.abc import Callable
from typing import cast

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32

from gemb import axes


def parameter(
  module: nn.Module,
  name: str,
  init: Callable,
  shape: tuple[int, ...],
  logical_axes: tuple[str, ...],
) -> Array:
  """Declares a float32 parameter with a logical axis for each dimension."""
  boxed = nn.with_logical_partitioning(init, logical_axes)
  return cast(Array, module.param(name, boxed, shape, jnp.float32))


class RMSNorm(nn.Module):
  """x / rms(x) * (1 + scale), computed in float32.

  The 1 + is Gemma's: a new layer starts as the identity, and weight decay
  pulls towards it.
  """

  epsilon: float
  axis: str = 'embed_norm'
  gain: float = 1.0  # 1 + scale at the start

  @nn.compact
  def __call__(self, x: Float[Array, '*b D']) -> Float[Array, '*b D']:
    """Normalises the last axis."""
    init = nn.initializers.constant(self.gain - 1)
    scale_D = parameter(self, 'scale', init, x.shape[-1:], (self.axis,))
    y = x.astype(jnp.float32)
    y = y * jax.lax.rsqrt(
      jnp.mean(jnp.square(y), axis=-1, keepdims=True) + self.epsilon
    )
    return (y * (1 + _broadcast(scale_D, y.ndim))).astype(x.dtype)


class Einsum(nn.Module):
  """A linear map without bias: einsum(formula, x, kernel) in x's dtype."""

  formula: str
  shape: tuple[int, ...]
  logical_axes: tuple[str, ...]
  inputs: tuple[int, ...]  # the kernel's contracted axes, for its fan-in

  @nn.compact
  def __call__(self, x: Float[Array, '...']) -> Float[Array, '...']:
    """Applies the map."""
    outputs = tuple(i for i in range(len(self.shape)) if i not in self.inputs)
    init = nn.initializers.variance_scaling(
      1.0, 'fan_in', 'normal', in_axis=self.inputs, out_axis=outputs
    )
    kernel = parameter(self, 'kernel', init, self.shape, self.logical_axes)
    return contract(self.formula, x, kernel.astype(x.dtype))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def contract(
  formula: str, x: Float[Array, '...'], kernel: Float[Array, '...']
) -> Float[Array, '...']:
  """Returns einsum(formula, x, kernel), with gradients as plain as itself.

  Differentiated by JAX, the kernel's gradient is computed transposed. On CPUs
  its operands were then transposed too, in one loop with the GELU or norm that
  they come from, which so ran many times as long: a whole backward pass took
  1.6 times as much.
  """
  return jnp.einsum(formula, x, kernel)


def _contract_forward(formula: str, x: Array, kernel: Array):
  # Not by `contract`, within which remat='dots' would not see the product.
  return jnp.einsum(formula, x, kernel), (x, kernel)


def _contract_backward(formula: str, saved: tuple[Array, Array], y: Array):
  x, kernel = saved
  inputs, outputs = formula.split('->')
  tokens, weights = inputs.split(',')
  return (
    jnp.einsum(f'{outputs},{weights}->{tokens}', y, kernel),
    jnp.einsum(f'{tokens},{outputs}->{weights}', x, y),
  )


contract.defvjp(_contract_forward, _contract_backward)


def rotate(
  x_BLNH: Float[Array, 'B L N H'],
  positions_BL: Int32[Array, 'B L'],
  theta: Float[Array, ''],
  scale: Float[Array, ''],
) -> Float[Array, 'B L N H']:
  """Turns pair (x_i, x_{i + H/2}) by position / scale * theta^(-2i/H) radians.

  Source: RoFormer (arXiv:2104.09864), equation 34, in the half-split layout
  of Gemma; the scale is Position Interpolation's (arXiv:2306.15595). Computed
  in float32: bfloat16 angles are wrong beyond 256 tokens.
  """
  half = x_BLNH.shape[-1] // 2
  frequency_H = theta ** (-jnp.arange(half, dtype=jnp.float32) / half) / scale
  angle_BLH = (
    positions_BL[..., None].astype(jnp.float32) * frequency_H[None, None]
  )
  sin, cos = jnp.sin(angle_BLH)[:, :, None], jnp.cos(angle_BLH)[:, :, None]
  first, second = jnp.split(x_BLNH.astype(jnp.float32), 2, axis=-1)
  turned = (first * cos - second * sin, second * cos + first * sin)
  return jnp.concatenate(turned, axis=-1).astype(x_BLNH.dtype)


def softcap(x: Float[Array, '*b'], cap: float | None) -> Float[Array, '*b']:
  """Returns cap * tanh(x / cap), between -cap and cap; `x` without a cap.

  Source: Gemma 2 (arXiv:2408.00118), section 2.
  """
  return x if cap is None else cap * jnp.tanh(x / cap)


class GatedMLP(nn.Module):
  """down(gelu(gate(x)) * up(x)), with the tanh form of GELU.

  Source: GLU Variants (arXiv:2002.05202), GEGLU, as in Gemma.
  """

  width: int

  @nn.compact
  def __call__(self, x_BLD: Float[Array, 'B L D']) -> Float[Array, 'B L D']:
    """Applies the layer to every token alone."""
    shape, names = (x_BLD.shape[-1], self.width), ('embed', 'mlp')
    gate_BLF = Einsum('BLD,DF->BLF', shape, names, (0,), name='gate')(x_BLD)
    up_BLF = Einsum('BLD,DF->BLF', shape, names, (0,), name='up')(x_BLD)
    hidden_BLF = nn.gelu(gate_BLF, approximate=True) * up_BLF
    hidden_BLF = axes.constrain(hidden_BLF, 'batch', 'length', 'act_mlp')
    return Einsum('BLF,FD->BLD', shape[::-1], names[::-1], (0,), name='down')(
      hidden_BLF
    )


def _broadcast(x: Array, ndim: int) -> Array:
  return x.reshape((1,) * (ndim - 1) + x.shape)
