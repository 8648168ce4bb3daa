"""Causal mode: the encoder's parameters as the decoder they came from.

Curation scores texts with it. The output head is tied to the embedding table,
as in every Gemma.
"""

import dataclasses
from collections.abc import Callable
from typing import cast

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32

from gemb import axes
from gemb.model import layers
from gemb.model.config import ComputeConfig, EncoderConfig
from gemb.model.embedder import Params
from gemb.model.encoder import Encoder
from gemb.types import PAD

# Tokens whose logits are in memory at once: 256 MiB at Gemma 3's vocabulary.
_TOKENS_AT_ONCE = 256


@dataclasses.dataclass(frozen=True)
class Decoder:
  """A language model as pure functions over an embedder's parameters.

  Attributes:
    config: of the transformer.
    token_vectors: (parameters, tokens [T, L]) -> last hidden states [T, L, D].
    log_probabilities: (parameters, tokens [T, L]) -> [T, L - 1] float32, in
      nats: of each token but the first, given all before it; 0 on padding.
    likelihoods: (parameters, tokens [T, L], starts [T], n) -> [T] float32, in
      nats: of each row's tokens from its start (at least 1) on, of which there
      are at most n, given all before. Logits are computed for these alone.
  """

  config: EncoderConfig
  token_vectors: Callable[[Params, Array], Array]
  log_probabilities: Callable[[Params, Array], Array]
  likelihoods: Callable[[Params, Array, Array, int], Array]


def make_decoder(
  config: EncoderConfig, compute: ComputeConfig = ComputeConfig()
) -> Decoder:
  """Builds the functions of causal mode; computes nothing."""
  module = Encoder(config, compute, causal=True)

  def token_vectors(params: Params, tokens_TL: Array) -> Array:
    variables = {'params': params['encoder']}
    x_TLD = module.apply(
      variables, tokens_TL, (tokens_TL != PAD).astype(jnp.int32)
    )
    return cast(Array, x_TLD)

  def log_probabilities(params: Params, tokens_TL: Array) -> Array:
    x_TLD = token_vectors(params, tokens_TL)
    return score(config, params['encoder']['table'], x_TLD, tokens_TL)

  def likelihoods(
    params: Params, tokens_TL: Array, start_T: Array, longest: int
  ) -> Array:
    x_TLD = token_vectors(params, tokens_TL)
    # From the token before the first, whose vector foretells it.
    place_TL = start_T[:, None] - 1 + jnp.arange(longest + 1)[None]
    texts_TL = jnp.take_along_axis(
      tokens_TL, place_TL, axis=1, mode='fill', fill_value=PAD
    )
    x_TLD = jnp.take_along_axis(x_TLD, place_TL[..., None], axis=1, mode='clip')
    return score(config, params['encoder']['table'], x_TLD, texts_TL).sum(1)

  return Decoder(config, token_vectors, log_probabilities, likelihoods)


def last_vectors(
  x_TLD: Float[Array, 'T L D'], tokens_TL: Int32[Array, 'T L']
) -> Float[Array, 'T D']:
  """Returns the vector of each row's last token, which foretells the next."""
  last_T = jnp.sum(tokens_TL != PAD, axis=1) - 1
  return jnp.take_along_axis(x_TLD, last_T[:, None, None], axis=1, mode='clip')[
    :, 0
  ]


def head(
  config: EncoderConfig,
  table_VD: Float[Array, 'V D'],
  x_TD: Float[Array, 'T D'],
) -> Float[Array, 'T V']:
  """Returns the logit of each row of the table as the next token, float32."""
  logits_TV = jnp.einsum(
    'TD,VD->TV',
    x_TD,
    table_VD.astype(x_TD.dtype),
    preferred_element_type=jnp.float32,
  )
  return layers.softcap(logits_TV, config.logit_softcap)


def score(
  config: EncoderConfig,
  table_VD: Float[Array, 'V D'],
  x_TLD: Float[Array, 'T L D'],
  tokens_TL: Int32[Array, 'T L'],
) -> Float[Array, 'T L-1']:
  """Returns log p(token l + 1 | x_l) by the tied head; 0 where it is padding.

  The logits of all tokens would not fit into memory: they are made for some
  positions of all texts at a time.
  """
  table_VD = axes.constrain(table_VD, 'vocab', None).astype(x_TLD.dtype)

  def at(position: tuple[Array, Array]) -> Array:
    x_TD, next_T = position
    logits_TV = head(config, table_VD, x_TD)
    chosen_T = jnp.take_along_axis(logits_TV, next_T[:, None], axis=1)[:, 0]
    return chosen_T - jax.nn.logsumexp(logits_TV, axis=1)

  x_LTD, next_LT = x_TLD[:, :-1].swapaxes(0, 1), tokens_TL[:, 1:].T
  scores_LT = jax.lax.map(
    at, (x_LTD, next_LT), batch_size=max(1, _TOKENS_AT_ONCE // len(tokens_TL))
  )
  return jnp.where(next_LT != PAD, scores_LT, 0.0).T
