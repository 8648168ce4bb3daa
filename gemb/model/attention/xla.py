"""Attention by XLA: every platform, every shape; the definition of the rest."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from gemb.model import layers


def attend(
  q_BLNH: Float[Array, 'B L N H'],
  k_BLKH: Float[Array, 'B L K H'],
  v_BLKH: Float[Array, 'B L K H'],
  mask_BLL: Bool[Array, 'B L L'],
  softcap: float | None = None,
) -> Float[Array, 'B L N H']:
  """Softmax attention; each key head serves N / K query heads.

  Logits and softmax are float32. A token that sees nothing (padding)
  attends evenly instead of dividing by zero.

  Args:
    q_BLNH: queries, scaled.
    k_BLKH: keys.
    v_BLKH: values.
    mask_BLL: which token each sees (`Sight.mask`).
    softcap: of the logits (`layers.softcap`).
  """
  B, L, N, H = q_BLNH.shape
  q_BLKGH = q_BLNH.reshape(B, L, k_BLKH.shape[2], -1, H)
  logits_BKGLL = jnp.einsum(
    'BLKGH,BSKH->BKGLS', q_BLKGH, k_BLKH, preferred_element_type=jnp.float32
  )
  logits_BKGLL = layers.softcap(logits_BKGLL, softcap)
  # Finite, so that a row without any visible token has no NaN in its gradient.
  logits_BKGLL = jnp.where(mask_BLL[:, None, None], logits_BKGLL, -1e30)
  weights_BKGLL = jax.nn.softmax(logits_BKGLL, axis=-1).astype(v_BLKH.dtype)
  return jnp.einsum('BKGLS,BSKH->BLKGH', weights_BKGLL, v_BLKH).reshape(
    B, L, N, H
  )
