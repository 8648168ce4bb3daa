"""A proof, on the real parameters, that the model computes what it should.

A causal mask left on, padding that leaks, keys a position off their queries:
each costs quality without a sound. All is shown on a few random tokens, in
float32 whatever the dtype of training, so that limits can be strict.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int32

from gemb import axes
from gemb.axes import Layout
from gemb.model.attention import comparison
from gemb.model.config import ComputeConfig, EmbedderConfig, EncoderConfig
from gemb.model.embedder import Embedder, Params, make_embedder
from gemb.model.encoder import Block, kinds
from gemb.types import PAD

# Rounding makes changes below 2e-5, the worst where angles are large; a fault,
# above 1e-2. A causal mask leaves tokens exactly as they were, whereas a young
# model with a small branch_gain may change them little.
_SAME = 1e-4
_OTHER = 1e-5
_KERNEL = 0.03  # rounding makes 0.004 in bfloat16; a window off by one, 0.08
_TOKENS = 8  # of a text, and at either end of a window
_FIRST_ID = 4  # those below are padding, ends and the unknown
_FAR = 4096  # positions; the angles of float32 are too coarse beyond


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
  """One property, and what was measured of it.

  Attributes:
    what: changes with what, or differs from what.
    change: length of the difference, relative to the vector's own.
    wanted: whether there should be one.
    limit: of a change that should not be.
  """

  what: str
  change: float
  wanted: bool
  limit: float = _SAME

  @property
  def holds(self) -> bool:
    """Whether the model has the property; never if `change` is no number."""
    return self.change >= _OTHER if self.wanted else self.change <= self.limit

  def __str__(self) -> str:
    """Returns the property with the number found and the one allowed."""
    limit = f'at least {_OTHER:g}' if self.wanted else f'at most {self.limit:g}'
    return f'{self.what} by {self.change:.2g} ({limit})'


def check_embedder(
  config: EmbedderConfig,
  params: Params,
  layout: Layout,
  compute: ComputeConfig = ComputeConfig(),
) -> list[Finding]:
  """Measures what every embedder must have, whatever it has learnt.

  Args:
    config: of the embedder.
    params: its parameters. They stay on their shards, but for the attention
      of two layers, which every host gathers.
    layout: of the mesh that they are on.
    compute: whose kernel of attention is held to XLA's, by which all else is
      computed here.

  Returns:
    All findings; all hold.

  Raises:
    ValueError: if one does not.
  """
  encoder = dataclasses.replace(config.encoder, dtype='float32')
  embedder = make_embedder(
    dataclasses.replace(config, encoder=encoder), ComputeConfig(attention='xla')
  )
  with axes.use(layout), jax.default_matmul_precision('highest'):
    findings = [
      *_text_findings(embedder, params, layout),
      *_attention_findings(embedder.config, params, layout),
      *_kernel_findings(config.encoder, compute, layout),
    ]
  if failed := [str(finding) for finding in findings if not finding.holds]:
    raise ValueError(
      f'The model does not compute what it should: {"; ".join(failed)}. Undo '
      'what was changed in gemb/model, or load sound parameters.'
    )
  return findings


def _text_findings(
  embedder: Embedder, params: Params, layout: Layout
) -> Iterator[Finding]:
  """Yields what the vectors and the embedding of a text change with."""
  length = _TOKENS * layout.shards('length')
  texts_TL = _texts(embedder.config.encoder.vocabulary, length)

  pool = {
    'mean': lambda x_TLD: x_TLD.mean(axis=1),
    'first': lambda x_TLD: x_TLD[:, 0],
    'last': lambda x_TLD: x_TLD[:, -1],
  }[embedder.config.pooling]

  def without_padding(params: Params, tokens_TL: Array) -> tuple[Array, Array]:
    x_TLD = embedder.token_vectors(params, tokens_TL)
    return x_TLD, pool(x_TLD) @ params['projection']['kernel']

  vectors_TLD, alone_TE = _gathered(without_padding, params, layout)(texts_TL)
  text_LD, later_LD, earlier_LD, _, _ = vectors_TLD
  token = "a token's vector changes with"
  next_token = _agree if embedder.config.causal else _differ
  yield next_token(f'{token} the next token', text_LD[-2], later_LD[-2])
  yield _differ(f'{token} the token before', text_LD[1], earlier_LD[1])

  embed = _gathered(embedder.apply, params, layout)
  right_TL = np.pad(texts_TL, ((0, 0), (0, length)), constant_values=PAD)
  right_TE, left_TE = embed(right_TL), embed(np.roll(right_TL, length, axis=1))
  company_TE = embed(right_TL[[0, -1, 0, -1, 0]])
  text = "a text's embedding changes with"
  yield _differ(f'{text} its tokens', right_TE[0], right_TE[-1])
  yield _differ(f'{text} their order', right_TE[0], right_TE[-2])
  yield _agree(f'{text} the amount of padding', alone_TE, right_TE)
  yield _agree(f'{text} the side of the padding', right_TE, left_TE)
  yield _agree(f'{text} the other texts', right_TE[0], company_TE[::2])
  packed = _gathered(_two_in_a_row(embedder), params, layout)
  shared_TSE = packed(np.concatenate([texts_TL, texts_TL[::-1]], axis=1))
  yield _agree(
    f'{text} the text before it in its row', alone_TE[::-1], shared_TSE[:, 1]
  )
  yield _agree(
    f'{text} the text behind it in its row', alone_TE, shared_TSE[:, 0]
  )


def _two_in_a_row(embedder: Embedder) -> Callable[[Params, Array], Array]:
  """Returns rows that hold two texts of equal length -> their embeddings."""

  def embed(params: Params, tokens_TL: Array) -> Array:
    T, L = tokens_TL.shape
    segments_L = 1 + jnp.arange(L, dtype=jnp.int32) * 2 // L
    segments_TL = jnp.broadcast_to(segments_L, (T, L))
    return embedder.apply_packed(params, tokens_TL, segments_TL, 2)

  return embed


def _texts(vocabulary: int, length: int) -> Int32[np.ndarray, 'T L']:
  """Returns a text; its last token changed; its first; turned; another."""
  rng = np.random.default_rng(0)
  text = rng.integers(_FIRST_ID, vocabulary, length, dtype=np.int32)
  other = _FIRST_ID + (text - _FIRST_ID + 1) % (vocabulary - _FIRST_ID)
  later, earlier = text.copy(), text.copy()
  later[-1], earlier[0] = other[-1], other[0]
  return np.stack([text, later, earlier, text[::-1], other])


def _gathered(
  apply: Callable[[Params, Array], Any], params: Params, layout: Layout
) -> Callable[[np.ndarray], Any]:
  """Returns `apply` on host arrays: any rows in, the same rows out."""
  call: Any = jax.jit(apply, out_shardings=layout.sharding())
  shards = layout.shards('batch')

  def run(tokens_TL: np.ndarray) -> Any:
    T, L = tokens_TL.shape
    rows_TL = np.resize(tokens_TL, (-(-T // shards) * shards, L))
    sharding = layout.sharding('batch', 'length')
    placed = jax.make_array_from_callback(
      rows_TL.shape, sharding, rows_TL.__getitem__
    )
    return jax.tree.map(lambda x: np.asarray(x)[:T], call(params, placed))

  return run


def _attention_findings(
  config: EmbedderConfig, params: Params, layout: Layout
) -> Iterator[Finding]:
  """Yields how far attention is from its definition, in a layer of each kind.

  The definition's positions are relative: a rotation of keys against queries,
  which no change of a text would show, does not escape it.
  """
  causal, c = config.causal, config.encoder
  c = dataclasses.replace(c, local_radius=min(c.local_radius, _FAR))
  length = 2 * _TOKENS * layout.shards('length')
  # Two groups as far apart as a window reaches: pairs just in and just out.
  positions_L = np.arange(length, dtype=np.int32)
  positions_L[length // 2 :] += c.local_radius - length // 2
  segments_L = (np.arange(length) % _TOKENS > 0).astype(np.int32)
  x_LD = np.random.default_rng(0).standard_normal((length, c.width), np.float32)

  def spread(x: np.ndarray) -> Array:
    return jnp.broadcast_to(x, (layout.shards('batch'), *x.shape))

  def attend(params: Params, layer: Array) -> Any:
    stacked = params['encoder']['blocks'], kinds(c)
    block, kind = jax.tree.map(lambda leaf: leaf[layer], stacked)
    _, seen = Block(c, ComputeConfig(attention='xla'), causal).apply(
      {'params': block},
      *(spread(x_LD), kind, spread(positions_L), spread(segments_L)),
      capture_intermediates=True,
      mutable='intermediates',
    )
    seen = seen['intermediates']
    names = 'pre_attention', 'attention'
    into, out = (seen[name]['__call__'][0][0] for name in names)
    return into, out, block['attention']

  firsts = {c.is_global(i): i for i in reversed(range(c.layers))}
  gather: Any = jax.jit(attend, out_shardings=layout.sharding())
  for is_global, layer in sorted(firsts.items()):
    into_LD, out_LD, weights = jax.tree.map(np.asarray, gather(params, layer))
    wanted_LD = _attention(
      *(c, weights, into_LD, positions_L, segments_L > 0),
      is_global=is_global,
      causal=causal,
    )
    scope = 'global' if is_global else 'local'
    yield _agree(
      f'attention of layer {layer} ({scope}) differs from its definition',
      wanted_LD[segments_L > 0],
      out_LD[segments_L > 0],
    )


def _attention(
  c: EncoderConfig,
  weights: Any,
  x_LD: Float[np.ndarray, 'L D'],
  positions_L: Int[np.ndarray, 'L'],
  real_L: Bool[np.ndarray, 'L'],
  *,
  is_global: bool,
  causal: bool,
) -> Float[np.ndarray, 'L D']:
  """Returns attention as it is defined, in float64 NumPy.

  logit_ij = q_i R(j - i) k_j (RoFormer, arXiv:2104.09864, equation 16), where
  the rotation R is a product of complex numbers.
  """

  def project(name: str) -> np.ndarray:
    y = np.einsum('LD,DNH->LNH', x_LD, weights[name]['kernel'], dtype=float)
    if f'{name}_norm' in weights:
      y /= np.sqrt(np.mean(y**2, axis=-1, keepdims=True) + c.norm_epsilon)
      y *= 1 + weights[f'{name}_norm']['scale']
    return np.repeat(y, c.heads // y.shape[1], axis=1)

  def as_complex(x_LNH: np.ndarray) -> np.ndarray:
    first, second = np.split(x_LNH, 2, axis=-1)
    return first + 1j * second

  theta = c.global_rope_theta if is_global else c.local_rope_theta
  scale = c.global_rope_scale if is_global else 1.0
  offset_LS = positions_L - positions_L[:, None]
  frequency_H = theta ** -(np.arange(0, c.head_dim, 2) / c.head_dim) / scale
  logits_NLS = np.einsum(
    'LNH,LSH,SNH->NLS',
    as_complex(project('q')).conj(),
    np.exp(1j * offset_LS[..., None] * frequency_H),
    as_complex(project('k')),
  ).real / np.sqrt(c.query_scale or c.head_dim)
  if c.attention_softcap:
    logits_NLS = c.attention_softcap * np.tanh(logits_NLS / c.attention_softcap)
  near_LS = abs(offset_LS) <= c.local_radius
  seen_LS = real_L & (is_global | near_LS)
  if causal:
    near_LS = offset_LS > -2 * c.local_radius
    seen_LS = real_L & (is_global | near_LS) & (offset_LS <= 0)
    seen_LS |= np.eye(len(x_LD), dtype=bool)  # or padding would see nothing
  share_NLS = np.where(seen_LS, np.exp(logits_NLS - logits_NLS.max()), 0)
  share_NLS /= share_NLS.sum(axis=-1, keepdims=True)
  out_LNH = np.einsum('NLS,SNH->LNH', share_NLS, project('v'))
  return np.einsum('LNH,NHD->LD', out_LNH, weights['out']['kernel'])


def _kernel_findings(
  c: EncoderConfig, compute: ComputeConfig, layout: Layout
) -> Iterator[Finding]:
  """Yields how far the kernel in use and its gradients are from XLA's."""
  kernel, distances = comparison.compare(c, compute.attention, layout)
  for scope, distance in distances.items():
    yield Finding(
      what=f'{scope} attention by {kernel} differs from that by XLA',
      change=distance,
      wanted=False,
      limit=_KERNEL,
    )


def _differ(what: str, x: np.ndarray, y: np.ndarray) -> Finding:
  return Finding(what=what, change=_change(x, y), wanted=True)


def _agree(what: str, x: np.ndarray, y: np.ndarray) -> Finding:
  return Finding(what=what, change=_change(x, y), wanted=False)


def _change(x: np.ndarray, y: np.ndarray) -> float:
  lengths = np.linalg.norm(x, axis=-1)
  return float(np.max(np.linalg.norm(x - y, axis=-1) / lengths))
