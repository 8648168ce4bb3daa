"""Attention by XLA: every platform, every shape; the definition of the rest."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from gemb.model import layers


def attend(
  q_BLNH: Float[Array, 'B L N H'],
  k_BLKH: Float[Array, 'B Lk K H'],
  v_BLKH: Float[Array, 'B Lk K H'],
  mask_BLL: Bool[Array, 'B L Lk'],
  softcap: float | None = None,
) -> Float[Array, 'B L N H']:
  """Softmax attention; each key head serves N / K query heads.

  Logits and softmax are float32. A token that sees nothing (padding)
  attends evenly instead of dividing by zero.

  Args:
    q_BLNH: queries, scaled.
    k_BLKH: keys, as many as the mask tells of.
    v_BLKH: values.
    mask_BLL: which token each sees (`Sight.mask`).
    softcap: of the logits (`layers.softcap`).
  """
  B, L, N, H = q_BLNH.shape
  q_BLKGH = q_BLNH.reshape(B, L, k_BLKH.shape[2], -1, H)
  # Heads of a group beside each other, as in the queries and the result: with
  # one key head (MQA) nothing is transposed.
  logits_BKLGL = jnp.einsum(
    'BLKGH,BSKH->BKLGS', q_BLKGH, k_BLKH, preferred_element_type=jnp.float32
  )
  logits_BKLGL = layers.softcap(logits_BKLGL, softcap)
  # Finite, so that a row without any visible token has no NaN in its gradient;
  # and added, so that the backward pass needs no mask.
  unseen_BLL = jnp.where(mask_BLL, 0.0, -1e30)
  logits_BKLGL += unseen_BLL[:, None, :, None]
  weights_BKLGL = jax.nn.softmax(logits_BKLGL, axis=-1).astype(v_BLKH.dtype)
  return jnp.einsum('BKLGS,BSKH->BLKGH', weights_BKLGL, v_BLKH).reshape(
    B, L, N, H
  )
