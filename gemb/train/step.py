"""One update: encode in microbatches, equation 1 on the whole batch, AdamW."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int32

from gemb import axes
from gemb.losses import contrastive
from gemb.losses.matryoshka import LossConfig, matryoshka_loss
from gemb.model.embedder import Embedder, Params
from gemb.train.state import TrainState
from gemb.types import PAD, Batch

Metrics = dict[str, Array]


def encode_in_microbatches(
  apply: Callable[[Params, Array], Array],
  params: Params,
  tokens_TL: Int32[Array, 'T L'],
  microbatch: int,
) -> Float[Array, 'T E']:
  """Embeds T texts with the activations of only `microbatch` of them alive.

  Reverse mode through this map is GradCache (arXiv:2101.06983) in one line:
  the loss's gradient reaches each microbatch after a second forward pass.

  Args:
    apply: `Embedder.apply`.
    params: of the embedder.
    tokens_TL: right-padded texts.
    microbatch: texts encoded at once over the whole mesh; divides T, unless
      it is larger.
  """
  T, L = tokens_TL.shape
  if microbatch >= T:
    return apply(params, axes.constrain(tokens_TL, 'batch', 'length'))
  # Microbatch m takes every so-many-th text, not a run of them: neighbours
  # lie on one device, and each microbatch must use all devices.
  tokens_XTL = tokens_TL.reshape(microbatch, -1, L).swapaxes(0, 1)
  tokens_XTL = axes.constrain(tokens_XTL, None, 'batch', 'length')
  embeddings_XTE = jax.lax.map(
    jax.checkpoint(lambda tokens: apply(params, tokens)), tokens_XTL
  )
  embeddings_TE = embeddings_XTE.swapaxes(0, 1).reshape(T, -1)
  return axes.constrain(embeddings_TE, 'batch', 'act_embedding')


def make_loss(
  embedder: Embedder, config: LossConfig, microbatch: int
) -> Callable[[Params, Batch], tuple[Array, Metrics]]:
  """Returns (parameters, batch) -> (loss, metrics), on global arrays."""

  def loss(params: Params, batch: Batch):
    def encode(tokens_TL: Array) -> Array:
      return encode_in_microbatches(
        embedder.apply, params, tokens_TL, microbatch
      )

    B, R, L = batch.negatives.shape
    width = embedder.config.embedding_width
    negatives_BRE = jnp.zeros((B, 0, width))
    if R:
      negatives_BRE = encode(batch.negatives.reshape(B * R, L))
      negatives_BRE = negatives_BRE.reshape(B, R, width)
    return matryoshka_loss(
      config,
      encode(batch.query),
      encode(batch.positive),
      negatives_BRE,
      mask=contrastive.in_batch_mask(batch.query_id, batch.positive_id),
      has_negative=jnp.any(batch.negatives != PAD, axis=-1),
    )

  return loss


def make_train_step(
  loss: Callable[[Params, Batch], tuple[Array, Metrics]],
  optimizer: optax.GradientTransformation,
  schedule: optax.Schedule,
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
  """Returns the jitted (state, batch) -> (state, metrics).

  The state is donated. Metrics are those of `matryoshka_loss` and 'loss',
  'gradient_norm' (before clipping), 'learning_rate', 'tokens' (without
  padding) and 'padding' (the share of it).
  """

  def train_step(state: TrainState, batch: Batch):
    (value, metrics), gradient = jax.value_and_grad(loss, has_aux=True)(
      state.params, batch
    )
    updates, opt_state = optimizer.update(
      gradient, state.opt_state, state.params
    )
    texts = (batch.query, batch.positive, batch.negatives)
    tokens = sum(jnp.sum(x != PAD, dtype=jnp.float32) for x in texts)
    metrics |= {
      'loss': value,
      'tokens': tokens,
      'padding': 1 - tokens / sum(x.size for x in texts),
      'gradient_norm': optax.tree.norm(gradient),
      'learning_rate': jnp.asarray(schedule(state.step)),
    }
    state = TrainState(
      step=state.step + 1,
      params=optax.apply_updates(state.params, updates),
      opt_state=opt_state,
    )
    return state, metrics

  return jax.jit(train_step, donate_argnums=0)
