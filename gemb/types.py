"""The letters of every shape in gemb, and the arrays its rooms exchange.

Public arguments carry these letters in their annotations, locals as a suffix
(`logits_BP`), einsums in their formulas:

  B  queries in the global batch      P  candidate passages of one query
  R  hard negatives a query           T  texts in one call of the encoder
  L  tokens of a text, padded         V  vocabulary
  D  width of the encoder             F  width of its feed-forward layers
  N  query heads                      K  key/value heads
  G  query heads a key head (N = KG)  H  width of a head
  E  width of an embedding            M  width of a prefix of it (M <= E)
"""

import dataclasses
import typing

import jax
from jaxtyping import Array, Int32, UInt32

PAD = 0  # the token that fills a text up to L; never a token of a text


# Unchecked: jax.tree.map also fills it with shardings, shapes and NumPy arrays.
@typing.no_type_check
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Batch:
  """One global batch: row i of every array belongs to example i.

  Texts are token ids, right-padded with `PAD`; a hard negative that an example
  does not have is a row of `PAD` alone. Ids are 64-bit hashes of the texts
  before prompting, as two words, and tell which texts are the same.
  """

  query: Int32[Array, 'B Lq']
  positive: Int32[Array, 'B Lp']
  negatives: Int32[Array, 'B R Ln']
  query_id: UInt32[Array, 'B 2']
  positive_id: UInt32[Array, 'B 2']
