"""One update: encode in microbatches, equation 1 on the whole batch, AdamW."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int32

from gemb import axes
from gemb.losses.config import LossConfig
from gemb.losses.matryoshka import total_loss
from gemb.model.embedder import Embedder, Params
from gemb.packed import take_texts
from gemb.train import guard as guards
from gemb.train.guard import GuardConfig, Seen
from gemb.train.optimizer import unseen
from gemb.train.state import TrainState
from gemb.types import PAD, Batch, Embeddings, Packed, Padded, token_rows

Metrics = dict[str, Array]


def encode_in_microbatches(
  apply: Callable[..., Array],
  params: Params,
  *rows: Int32[Array, 'X L'],
  microbatch: int,
) -> Float[Array, 'X ...']:
  """Embeds X rows with the activations of at most `microbatch` of them alive.

  Reverse mode through this map is GradCache (arXiv:2101.06983) in one line:
  the loss's gradient reaches each microbatch after a second forward pass.

  Args:
    apply: (parameters, *rows) -> embeddings, an entry a row.
    params: of the embedder.
    *rows: arrays of tokens, and of segments if texts share rows.
    microbatch: rows encoded at once over the whole mesh, at most.

  Raises:
    ValueError: if the rows cannot be encoded in as few equal parts.
  """
  X, L = rows[0].shape
  parts, replicas = -(-X // microbatch), axes.replicas()
  if X % (parts * replicas):
    raise ValueError(
      f'{X} rows make no {parts} equal parts of at most Run.microbatch='
      f'{microbatch} on each of {replicas} replicas; choose a microbatch that '
      'divides DataConfig.batch_size.'
    )

  # Microbatch m takes every so-many-th row, not a run of them: neighbours
  # lie on one device, and each microbatch must use all devices.
  def split(x_XL: Array) -> Array:
    x_PXL = x_XL.reshape(-1, parts, L).swapaxes(0, 1)
    return axes.constrain(x_PXL, None, 'batch', 'length')

  def encode(params: Params, *rows: Array) -> Array:
    if parts == 1:
      rows = tuple(axes.constrain(x, 'batch', 'length') for x in rows)
      return apply(params, *rows)
    of_part = jax.checkpoint(lambda part: apply(params, *part))
    embeddings = jax.lax.map(of_part, tuple(map(split, rows))).swapaxes(0, 1)
    embeddings = embeddings.reshape(-1, *embeddings.shape[2:])
    names = (None,) * (embeddings.ndim - 2)
    return axes.constrain(embeddings, 'batch', *names, 'act_embedding')

  return axes.on_each_replica(encode, params, *rows)


def embed_texts(
  embedder: Embedder, params: Params, texts: Padded | Packed, microbatch: int
) -> Embeddings:
  """Returns the embeddings of queries, positives and hard negatives."""
  if isinstance(texts, Packed):
    return _embed_packed(embedder, params, texts, microbatch)

  def encode(tokens_TL: Array) -> Array:
    return encode_in_microbatches(
      embedder.apply, params, tokens_TL, microbatch=microbatch
    )

  B, R, L = texts.negatives.shape
  width = embedder.config.embedding_width
  negatives_RBE = jnp.zeros((0, B, width))
  if R:
    negatives_TE = encode(texts.negatives.reshape(B * R, L))
    negatives_RBE = negatives_TE.reshape(B, R, width).swapaxes(0, 1)
  return Embeddings(
    query=encode(texts.query),
    positive=encode(texts.positive),
    negatives=negatives_RBE,
  )


def _embed_packed(
  embedder: Embedder, params: Params, texts: Packed, microbatch: int
) -> Embeddings:
  def apply(params: Params, tokens_XL: Array, segments_XL: Array) -> Array:
    return embedder.apply_packed(params, tokens_XL, segments_XL, texts.slots)

  embeddings_XSE = encode_in_microbatches(
    apply, params, texts.tokens, texts.segments, microbatch=microbatch
  )
  taken_BIE = take_texts(embeddings_XSE, texts, 'act_embedding')
  return Embeddings(
    query=taken_BIE[:, 0],
    positive=taken_BIE[:, 1],
    negatives=taken_BIE[:, 2:].swapaxes(0, 1),
  )


def make_loss(
  embedder: Embedder, config: LossConfig, microbatch: int
) -> Callable[[Params, Batch], tuple[Array, Metrics]]:
  """Returns (parameters, batch) -> (loss, metrics), on global arrays."""

  # The scopes are what `gemb train --profile` tells the parts of a step by.
  def loss(params: Params, batch: Batch):
    with jax.named_scope('encoder'):
      embeddings = embed_texts(embedder, params, batch.texts, microbatch)
    with jax.named_scope('loss'):
      return total_loss(config, embeddings, batch)

  return loss


def make_train_step(
  loss: Callable[[Params, Batch], tuple[Array, Metrics]],
  optimizer: optax.GradientTransformation,
  schedule: optax.Schedule,
  guard: GuardConfig | None = None,
) -> Callable[..., tuple[TrainState, dict[str, Any]]]:
  """Returns the jitted (state, batch, seen=None) -> (state, metrics).

  The state is donated. Metrics are those of `total_loss` and 'loss',
  'gradient_norm' (before clipping), 'learning_rate', 'tokens' (without
  padding) and 'padding' (the share of it).

  Args:
    loss: of parameters and batch.
    optimizer: which makes updates of gradients.
    schedule: the learning rate, for the metrics.
    guard: its policy, where the step is given what was `seen`
      (`gemb.train.guard.begin`). Further metrics are then 'skipped', 1 if the
      step was left out, and 'seen', which is for the next step.
  """
  guard = guard or GuardConfig()

  def train_step(state: TrainState, batch: Batch, seen: Seen | None = None):
    (value, metrics), gradient = jax.value_and_grad(loss, has_aux=True)(
      state.params, batch
    )
    with jax.named_scope('optimizer'):
      updates, opt_state = optimizer.update(
        gradient, state.opt_state, state.params
      )
      rows = token_rows(batch.texts)
      tokens = sum(jnp.sum(x != PAD, dtype=jnp.float32) for x in rows)
      norm = optax.tree.norm(gradient)
      metrics |= {
        'loss': value,
        'tokens': tokens,
        'padding': 1 - tokens / sum(x.size for x in rows),
        'gradient_norm': norm,
        'learning_rate': jnp.asarray(schedule(state.step)),
      }
      after = optax.apply_updates(state.params, updates), opt_state
      if seen is not None:
        odd, seen = guards.judge(guard, seen, value, norm)
        before = state.params, unseen(state.opt_state, opt_state)
        after = guards.choose(odd, before, after)
        metrics |= {'skipped': odd.astype(jnp.float32), 'seen': seen}
    params, opt_state = after
    state = TrainState(step=state.step + 1, params=params, opt_state=opt_state)
    return state, metrics

  return jax.jit(train_step, donate_argnums=0)
