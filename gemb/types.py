"""The letters of every shape in gemb, and the arrays its rooms exchange.

Public arguments carry these letters in their annotations, locals as a suffix
(`logits_BP`), einsums in their formulas:

  B  queries in the global batch      P  candidate passages of one query
  R  hard negatives a query           T  texts in one call of the encoder
  X  rows that several texts share    S  texts that a row has room for
  I  texts of an example (I = 2 + R)  Z  shards of the batch
  L  tokens of a text or row, padded  V  vocabulary
  D  width of the encoder             F  width of its feed-forward layers
  N  query heads                      K  key/value heads
  G  query heads a key head (N = KG)  H  width of a head
  E  width of an embedding            M  width of a prefix of it (M <= E)
  J  prefixes                         C  columns of a tile of cosines
  A  ids that a text is known by
"""

import dataclasses
import typing

import jax
from jaxtyping import Array, Bool, Float, Int32, UInt32

PAD = 0  # the token that fills a row up to L; never a token of a text


# These are unchecked: jax.tree.map also fills them with shardings, shapes and
# NumPy arrays.


@typing.no_type_check
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Padded:
  """A text a row, right-padded with `PAD`.

  A hard negative that an example does not have is a row of `PAD` alone.
  """

  query: Int32[Array, 'B Lq']
  positive: Int32[Array, 'B Lp']
  negatives: Int32[Array, 'B R Lp']


@typing.no_type_check
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Packed:
  """Several texts a row, one after another, with `PAD` behind the last.

  Attributes:
    tokens: the rows. Each shard of the batch has as many, and in them the texts
      of its own examples: packing moves nothing between devices.
    segments: which text of its row a token belongs to, from 1; 0 on padding.
    place: where the texts of an example are: of its query, its positive and
      each hard negative row * S + segment - 1, where rows are counted from the
      shard's first; -1 for a hard negative that it does not have.
    slots: S.
    shards: of the batch.
  """

  tokens: Int32[Array, 'X L']
  segments: Int32[Array, 'X L']
  place: Int32[Array, 'B I']
  slots: int = dataclasses.field(metadata={'static': True})
  shards: int = dataclasses.field(metadata={'static': True})


def token_rows(texts: Padded | Packed) -> tuple[typing.Any, ...]:
  """Returns all arrays of tokens, on devices or the host."""
  if isinstance(texts, Packed):
    return (texts.tokens,)
  return texts.query, texts.positive, texts.negatives


@typing.no_type_check
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Batch:
  """One global batch of B examples, each a query and what it is to find.

  Attributes:
    texts: of all examples, as token ids.
    has_negative: whether an example has its r-th hard negative.
    query_id: 64-bit hash of the query before prompting, as two words, which
      tells which queries are the same.
    positive_id: the same of its answer: the positive, or its class.
    teacher: embeddings of all its texts by another model, to be learned from;
      None: there are none. 0 where it lacks the hard negative.
  """

  texts: Padded | Packed
  has_negative: Bool[Array, 'B R']
  query_id: UInt32[Array, 'B 2']
  positive_id: UInt32[Array, 'B 2']
  teacher: Float[Array, 'B I Et'] | None = None


@typing.no_type_check
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Embeddings:
  """What the model makes of a batch's texts, float32, of any length.

  Attributes:
    query: row i is of query i.
    positive: row i answers query i.
    negatives: [r, i] is the r-th hard negative of query i; where it does not
      have one, its embedding means nothing. (Rows of texts come last but one,
      as everywhere, or the compiler would copy them.)
  """

  query: Float[Array, 'B E']
  positive: Float[Array, 'B E']
  negatives: Float[Array, 'R B E']
