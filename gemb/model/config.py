"""What an embedding model is, and, apart from that, how it is computed."""

import dataclasses
from collections.abc import Iterable
from typing import Literal

# Tokens: the Pallas kernel takes rows of a multiple of them, a TPU's lanes.
PALLAS_BLOCK = 128

Pooling = Literal['mean', 'first', 'last']
AttentionBackend = Literal['auto', 'xla', 'pallas', 'cudnn']
Remat = Literal['none', 'layers', 'dots']


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderConfig:
  """A Gemma transformer (1, 2 or 3), made bidirectional.

  Source: Gemma (arXiv:2403.08295), Gemma 2 (arXiv:2408.00118) and Gemma 3
  (arXiv:2503.19786), section 2 of each; the encoder of Gemini Embedding
  (arXiv:2503.07891), section 3.1, is such a decoder with the causal mask
  removed. The defaults are Gemma 3's.

  Attributes:
    vocabulary: rows of the embedding table; at least the tokenizer's pieces.
    width: D, of the residual stream.
    layers: number of blocks.
    heads: N, query heads.
    kv_heads: K, key and value heads; divides `heads`.
    head_dim: H, even.
    mlp_width: F, of the gated feed-forward layer.
    local_radius: on local layers token i sees token j iff |i - j| <= radius;
      in causal mode it sees the 2 * radius latest, itself among them. Half of
      Gemma's sliding window: as wide in all, and the same in both modes.
    global_every: every so-many-th layer sees all tokens (Gemma 1: 1, Gemma 2:
      2, Gemma 3: 6).
    local_rope_theta: base of the rotary embedding on local layers.
    global_rope_theta: base of the rotary embedding on global layers.
    global_rope_scale: positions are divided by it on global layers (Gemma 3
      from 4B: 8).
    query_scale: queries are multiplied by query_scale ** -0.5; None: head_dim.
    qk_norm: whether queries and keys are normalised (Gemma 3).
    post_norms: whether attention and feed-forward are normalised once more
      before they join the residual stream (Gemma 2 and 3).
    attention_softcap: c, where attention logits become c * tanh(logits / c)
      (Gemma 2: 50).
    logit_softcap: the same of the output head, in causal mode (Gemma 2: 30).
    norm_epsilon: added to the mean square in RMSNorm.
    branch_gain: what attention and feed-forward are multiplied by when they
      join the residual stream, before training (Gemma: 1). A small one starts
      near the mean of the word vectors, from which a model without pretrained
      weights learns faster; as LayerScale (arXiv:2103.17239). Needs
      `post_norms`, whose scale it is.
    dtype: of activations and matrix products; parameters are float32.
  """

  vocabulary: int
  width: int
  layers: int
  heads: int
  kv_heads: int
  head_dim: int
  mlp_width: int
  local_radius: int = 256
  global_every: int = 6
  local_rope_theta: float = 1e4
  global_rope_theta: float = 1e6
  global_rope_scale: float = 1.0
  query_scale: float | None = None
  qk_norm: bool = True
  post_norms: bool = True
  attention_softcap: float | None = None
  logit_softcap: float | None = None
  norm_epsilon: float = 1e-6
  branch_gain: float = 1.0
  dtype: Literal['bfloat16', 'float32'] = 'bfloat16'

  def __post_init__(self):
    for name, size in dataclasses.asdict(self).items():
      # A bool is an int, and False is a good value.
      if type(size) in (int, float) and size <= 0:
        raise ValueError(
          f'EncoderConfig.{name} is {size}; it must be greater than 0.'
        )
    if self.heads % self.kv_heads:
      raise ValueError(
        f'EncoderConfig.heads={self.heads} must be a multiple of '
        f'kv_heads={self.kv_heads}: each key head serves as many query heads.'
      )
    if self.head_dim % 2:
      raise ValueError(
        f'EncoderConfig.head_dim is {self.head_dim}; the rotary embedding '
        'turns pairs, so it must be even.'
      )
    if self.branch_gain != 1 and not self.post_norms:
      raise ValueError(
        f'EncoderConfig.branch_gain is {self.branch_gain}, the scale of a norm '
        'that EncoderConfig.post_norms=False leaves out; set it to 1.'
      )

  def is_global(self, layer: int) -> bool:
    """Returns whether a layer (counted from 0) sees all tokens."""
    return (layer + 1) % self.global_every == 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class EmbedderConfig:
  """E = f(P(M(T))): an encoder, pooling and one linear projection.

  Attributes:
    encoder: M, the transformer.
    embedding_width: E, of the embedding (Gemini Embedding: 3072).
    pooling: P, the 'mean' over tokens; or, for comparison, the vector of the
      'first' (<bos>) or of the 'last' (<eos>).
    causal: whether M stays a decoder, in which a token sees only itself and
      those before it; for comparison.
  """

  encoder: EncoderConfig
  embedding_width: int
  pooling: Pooling = 'mean'
  causal: bool = False

  def __post_init__(self):
    if self.causal and self.pooling == 'first':
      raise ValueError(
        "EmbedderConfig.pooling is 'first' and causal is True: the first token "
        "would see itself alone, the same in every text. Take 'last', or "
        "'mean'."
      )
    if self.embedding_width < 1:
      raise ValueError(
        f'EmbedderConfig.embedding_width is {self.embedding_width}; it must '
        'be at least 1.'
      )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComputeConfig:
  """How the model is computed, which neither parameters nor results depend on.

  Attributes:
    attention: by XLA everywhere; by the Pallas kernel that JAX ships for TPUs
      (rows of a multiple of 128 tokens); or by cuDNN's on NVIDIA GPUs
      (bfloat16, no softcap). 'auto' takes the platform's kernel where it can
      serve, but on a TPU only for rows of 1,024 tokens or more: what XLA keeps
      for the logits is an eighth of the activations at 512 tokens (Gemma 3
      270M, by the compiler's account), and grows with the square of the
      length. Which is faster was not measured.
    remat: what the backward pass computes anew instead of keeping it. 'none':
      nothing. 'dots': all but the products of activations with weights, so
      what is elementwise, and XLA's attention; a sixth of the memory for 3%
      more FLOPs (Gemma 3 270M, rows of 256 tokens). 'layers': all but each
      layer's input, for a forward pass more. Where a batch has several
      microbatches (`Run.microbatch`), each is computed anew as a whole already,
      so that a step costs 4/3 of the model's FLOPs: with 'layers' it would cost
      5/3, so that is for a batch which is encoded at once.
  """

  attention: AttentionBackend = 'auto'
  remat: Remat = 'none'

  def for_any_length(self) -> 'ComputeConfig':
    """Returns the same with XLA where a kernel cannot serve: for encoding."""
    if self.attention == 'xla':
      return self
    return dataclasses.replace(self, attention='auto')

  def check_lengths(self, lengths: Iterable[int]) -> None:
    """Raises ValueError if the backend cannot serve rows of some length."""
    wrong = sorted({length for length in lengths if length % PALLAS_BLOCK})
    if self.attention == 'pallas' and wrong:
      raise ValueError(
        f"ComputeConfig.attention='pallas' needs rows of a multiple of "
        f'{PALLAS_BLOCK} tokens, but DataConfig has rows of {wrong}; change '
        "DataConfig.shapes or PackingConfig.row_length, or set it to 'auto'."
      )
