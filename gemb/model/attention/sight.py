"""Which token sees which: those of its text, all or within a window."""

import dataclasses
import typing

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int32


# Unchecked: jax.tree.map also fills it.
@typing.no_type_check
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Slots:
  """Where the keys of a row's tokens are kept, to be seen by later calls.

  Attributes:
    segments: which text of its row the token in a slot belongs to, or will when
      it comes; 0: no token ever does.
    positions: of that token within its text.
    start: the slot of the first of a call's tokens, which follow each other.
  """

  segments: Int32[Array, 'B Lk']
  positions: Int32[Array, 'B Lk']
  start: Int32[Array, '']


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sight:
  """What each token of each row sees in one layer.

  A token sees tokens of its own text alone, which makes it possible that texts
  share rows. Seeing those behind it too is what makes the decoder an encoder.

  Attributes:
    segments: which text of its row a token belongs to; 0 on padding, which is
      seen by no text.
    positions: of each token within its text.
    is_global: whether this layer sees the whole text. A traced value: one
      traced block serves all layers.
    local_radius: of a layer that does not: i sees j iff |i - j| <= radius; in
      causal mode i sees the 2 * radius latest, itself among them.
    causal: whether no token sees a later one.
    slots: the tokens that are seen, of this call and those before; only where
      `causal`, which hides the tokens that are yet to come. None: those of this
      call.
  """

  segments: Int32[Array, 'B L']
  positions: Int32[Array, 'B L']
  is_global: Bool[Array, '']
  local_radius: int
  causal: bool = False
  slots: Slots | None = None

  @property
  def window(self) -> tuple[int, int]:
    """How many tokens before and behind itself a token sees, locally."""
    r = self.local_radius
    return (2 * r - 1, 0) if self.causal else (r, r)

  @property
  def hides_some(self) -> bool:
    """Whether rows are so long that a window hides some of a text."""
    before, _ = self.window
    return before < self.segments.shape[1] - 1

  def mask(self) -> Bool[Array, 'B L Lk']:
    """Returns which token (last axis) each token (middle axis) sees.

    No token sees padding, and padding nothing.
    """
    seen = self if self.slots is None else self.slots
    back_BLL = self.positions[:, :, None] - seen.positions[:, None, :]
    before, behind = self.window
    near_BLL = (-behind <= back_BLL) & (back_BLL <= before)
    far_BLL = back_BLL >= 0 if self.causal else jnp.ones_like(near_BLL)
    same_BLL = self.segments[:, :, None] == seen.segments[:, None, :]
    real_B1L = (seen.segments > 0)[:, None, :]
    return jnp.where(self.is_global, far_BLL, near_BLL) & same_BLL & real_B1L
