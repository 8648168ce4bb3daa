"""Which losses there are, and how they are computed."""

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True, kw_only=True)
class LossConfig:
  """Equation 1 over nested prefixes, and what the field adds to it.

  The defaults are equation 1 of Gemini Embedding (arXiv:2503.07891).

  Attributes:
    prefixes: M, ascending; the last is the width that `accuracy` is taken at.
    temperature: t > 0.
    weights: of each prefix in the sum; None: 1 each, as EmbeddingGemma states
      (arXiv:2509.20354, 2.2) and the report seems to imply.
    positive_in_denominator: False reads equation 1 to the letter, whose mask
      also drops the positive from the denominator.
    mask_same_texts: equation 3, which leaves out in-batch texts that are the
      query's or positive's own, or of its class; False, for comparison: only
      the example itself is left out.
    hard_negatives: that a query is contrasted with: its own, or those of all
      queries in the batch.
    same_tower: further in-batch negatives: none; the other queries, as Gecko
      (arXiv:2403.20327, equation 2); or besides the other positives for each
      positive, as Qwen3 Embedding (arXiv:2506.05176, equation 1).
    false_negative_margin: a negative whose cosine is above the positive's by
      more than this is taken for a positive, and left out (Qwen3: 0.1); None:
      none is. The cosine is each term's own, which Qwen3 leaves open where two
      positives are compared.
    hardness: alpha; a hard negative's term is multiplied by e^(alpha cosine)
      (EmbeddingGemma: 5).
    focal: gamma; a query's loss is multiplied by (1 - p)^gamma, where p is the
      probability of its positive (KaLM-Embedding-V2, arXiv:2506.20923: 0.5).
    symmetric: whether positives search for their queries as well; the loss is
      then the mean of both directions.
    spread_out: weight of EmbeddingGemma's second moment of cosines between
      different queries, and between different positives.
    distillation: weight of one minus the cosine to the teacher's embedding
      (`DataConfig.teacher`), for query, positive and each hard negative.
    dtype: that embeddings are rounded to for inner products, which are summed
      in float32. On TPUs float32 is multiplied as bfloat16 too, unless
      jax_default_matmul_precision says otherwise; bfloat16 takes half the
      memory and half the way round the ring.
    tile: rows and columns of cosines that exist at once on a device, at most.
    gather_up_to: targets that are gathered on every device, at most; more of
      them travel round a ring of the devices.
  """

  prefixes: tuple[int, ...]
  temperature: float
  weights: tuple[float, ...] | None = None
  positive_in_denominator: bool = True
  mask_same_texts: bool = True
  hard_negatives: Literal['own', 'all'] = 'own'
  same_tower: Literal['none', 'queries', 'both'] = 'none'
  false_negative_margin: float | None = None
  hardness: float = 0.0
  focal: float = 0.0
  symmetric: bool = False
  spread_out: float = 0.0
  distillation: float = 0.0
  dtype: Literal['bfloat16', 'float32'] = 'float32'
  tile: int = 1024
  gather_up_to: int = 16384

  def __post_init__(self):
    ascending = all(
      a < b for a, b in zip((0, *self.prefixes), self.prefixes, strict=False)
    )
    if not self.prefixes or not ascending:
      raise ValueError(
        f'LossConfig.prefixes is {self.prefixes}; it must hold positive '
        'widths in ascending order, such as (64, 128, 256).'
      )
    if self.temperature <= 0:
      raise ValueError(
        f'LossConfig.temperature is {self.temperature}; it must be greater '
        'than 0.'
      )
    if self.weights is not None and len(self.weights) != len(self.prefixes):
      raise ValueError(
        f'LossConfig.weights has {len(self.weights)} numbers for '
        f'{len(self.prefixes)} prefixes; give one each.'
      )
    for name in (
      'false_negative_margin',
      'hardness',
      'focal',
      'spread_out',
      'distillation',
      'gather_up_to',
    ):
      if (getattr(self, name) or 0) < 0:
        raise ValueError(
          f'LossConfig.{name} is {getattr(self, name)}; it must not be '
          'negative.'
        )
    if self.tile < 1:
      raise ValueError(
        f'LossConfig.tile is {self.tile}; it must be at least 1.'
      )


def check_prefixes(prefixes: tuple[int, ...], embedding_width: int) -> None:
  """Raises ValueError if a prefix is wider than the embedding."""
  if max(prefixes) > embedding_width:
    raise ValueError(
      f'Prefix {max(prefixes)} is wider than the embedding, which has '
      f'{embedding_width} dimensions; shorten LossConfig.prefixes or widen '
      'EmbedderConfig.embedding_width.'
    )
