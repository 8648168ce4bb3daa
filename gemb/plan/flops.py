"""The model's own FLOPs: what its equations take, however they are computed.

Matrix products alone, two FLOPs for a product and its sum. For a text of L
tokens the encoder takes, with the letters of `gemb.types`,

  2 L D H (2N + 2K) + 6 L D F          projections and feed-forward, a layer
  4 N H * pairs                        scores and weighted values, a layer

where pairs are the (token, token) that see each other: L^2 on a global layer,
fewer than (2 radius + 1) L on a local one. Pooling and the projection take
2 L D and 2 D E. The loss of B examples takes 2 E B for each text that a query
or positive is compared with. The backward pass takes twice what the forward
pass does, so that a step is worth three forward passes.
"""

from gemb.data.config import DataConfig
from gemb.losses.config import LossConfig
from gemb.model.config import EmbedderConfig, EncoderConfig

FORWARD_PASSES = 3  # of a step: one forward, and two products for each backward


def text_flops(model: EmbedderConfig, tokens: int) -> int:
  """Returns the FLOPs of embedding a text of so many tokens once."""
  c = model.encoder
  L, D = tokens, c.width
  heads = 2 * L * D * c.head_dim * (2 * c.heads + 2 * c.kv_heads)
  mlp = 3 * 2 * L * D * c.mlp_width
  attention = sum(
    4 * c.heads * c.head_dim * visible_pairs(c, layer, L)
    for layer in range(c.layers)
  )
  pooling = 2 * L * D
  projection = 2 * D * model.embedding_width
  return c.layers * (heads + mlp) + attention + pooling + projection


def visible_pairs(c: EncoderConfig, layer: int, length: int) -> int:
  """Returns how many (token, token) of a text see each other on a layer.

  >>> config = EncoderConfig(
  ...   vocabulary=9, width=4, layers=2, heads=1, kv_heads=1, head_dim=4,
  ...   mlp_width=4, local_radius=1, global_every=2)
  >>> visible_pairs(config, 0, 4), visible_pairs(config, 1, 4)
  (10, 16)
  """
  radius = length if c.is_global(layer) else min(c.local_radius, length)
  outside = length - 1 - radius  # diagonals that are not seen, on either side
  return length**2 - outside * (outside + 1) if outside > 0 else length**2


def loss_flops(loss: LossConfig, pairs: int, hard_negatives: int) -> int:
  """Returns the FLOPs of the loss of a batch, forward.

  Every prefix is a partial sum of the widest one's products.
  """
  B, R, E = pairs, hard_negatives, loss.prefixes[-1]
  compared = B + R * (B if loss.hard_negatives == 'all' else 1)
  queries = loss.same_tower in ('queries', 'both') or loss.spread_out > 0
  positives = loss.same_tower == 'both' or loss.spread_out > 0
  compared += B * (queries + positives)
  return 2 * E * B * compared


def step_flops(
  model: EmbedderConfig, loss: LossConfig, data: DataConfig, tokens: int | None
) -> tuple[int, int]:
  """Returns the FLOPs of a step: of encoding its texts, and of its loss.

  Args:
    model: the embedder.
    loss: of the step.
    data: how many texts, and their longest lengths.
    tokens: of each text; None: the longest.
  """
  query, passage = data.shapes[-1]
  B, R = data.batch_size, data.hard_negatives
  encoding = B * (
    text_flops(model, tokens or query)
    + (1 + R) * text_flops(model, tokens or passage)
  )
  return (
    FORWARD_PASSES * encoding,
    FORWARD_PASSES * loss_flops(loss, B, R),
  )
