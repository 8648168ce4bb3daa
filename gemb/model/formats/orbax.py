"""The orbax checkpoints of Google's gemma library, nested and flat.

Flat ones, which the official releases are, name a tensor
'transformer/layer_0/mlp/linear' and then 'w'; nested ones are nested dicts.
Joined by '/', both are the same but for that prefix and the 'w' of the MLP.
"""

import pathlib
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from gemb.model.config import EncoderConfig
from gemb.model.formats.places import TABLE, Checkpoint, Place

_PREFIXES = ('rlx_networks/policy_network/', 'transformer/')
_NOT_LANGUAGE = ('SigLiPFromPatches_0/', 'embedder/mm_')
_OUTSIDE = {
  TABLE: 'embedder/input_embedding',
  'final_norm/scale': 'final_norm/scale',
}
_BLOCK = {
  'attention/q/kernel': 'attn/q_einsum/w',
  'attention/k/kernel': 'attn/kv_einsum/w',
  'attention/v/kernel': 'attn/kv_einsum/w',
  'attention/out/kernel': 'attn/attn_vec_einsum/w',
  'attention/q_norm/scale': 'attn/_query_norm/scale',
  'attention/k_norm/scale': 'attn/_key_norm/scale',
  'mlp/gate/kernel': 'mlp/gating_einsum',
  'mlp/up/kernel': 'mlp/gating_einsum',
  'mlp/down/kernel': 'mlp/linear',
  'pre_attention/scale': 'pre_attention_norm/scale',
  'post_attention/scale': 'post_attention_norm/scale',
  'pre_mlp/scale': 'pre_ffw_norm/scale',
  'post_mlp/scale': 'post_ffw_norm/scale',
}


class Orbax(Checkpoint):
  """A checkpoint folder; it states names and shapes, and no other number."""

  def __init__(self, path: pathlib.Path, config: EncoderConfig):
    """Opens it; reads its metadata only."""
    self.path = path
    self._config = config
    with ocp.StandardCheckpointer() as checkpointer:
      metadata: Any = checkpointer.metadata(path.absolute())
    tree = getattr(metadata, 'item_metadata', metadata)
    self._keys: dict[str, tuple[str, ...]] = {}
    self.shapes: dict[str, tuple[int, ...]] = {}
    for keys, leaf in jax.tree.leaves_with_path(getattr(tree, 'tree', tree)):
      whole = tuple(str(key.key) for key in keys)
      name = _plain_name('/'.join(whole))
      if name is not None:
        self._keys[name] = whole
        self.shapes[name] = tuple(leaf.shape)
    self.facts: dict[str, Any] = {}

  def name(self, place: Place) -> str | None:
    """As `places.Checkpoint`."""
    if place.layer is None:
      return _OUTSIDE.get(place.name)
    name = _BLOCK[place.name]
    if self._shares_qkv() and name in ('attn/q_einsum/w', 'attn/kv_einsum/w'):
      name = 'attn/qkv_einsum/w'
    return f'layer_{place.layer}/{name}'

  def convert(self, place: Place, tensor: Any) -> Any:
    """As `places.Checkpoint`."""
    match place.name.split('/'):
      case 'attention', ('q' | 'k' | 'v') as which, _:
        if self._shares_qkv():  # [3, heads, D, H]
          tensor = tensor['qkv'.index(which)]
        elif which != 'q':  # [2, heads, D, H]
          tensor = tensor['kv'.index(which)]
        return tensor.transpose(1, 0, 2)
      case 'mlp', ('gate' | 'up') as which, _:
        tensor = tensor[('gate', 'up').index(which)]
        # Gemma 1 and 2 2B have [D, F], all later ones [F, D].
        return tensor if tensor.shape == place.shape else tensor.T
    return tensor

  def read(self, name: str) -> np.ndarray:
    """As `places.Checkpoint`."""
    item: Any = 0
    restore: Any = ocp.RestoreArgs(restore_type=np.ndarray)
    for key in reversed(self._keys[name]):
      item, restore = {key: item}, {key: restore}
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer:
      tree = checkpointer.restore(
        self.path.absolute(),
        args=ocp.args.PyTreeRestore(
          item=item, restore_args=restore, partial_restore=True
        ),
      )
    return jax.tree.leaves(tree)[0]

  def _shares_qkv(self) -> bool:
    return self._config.heads == self._config.kv_heads


def _plain_name(name: str) -> str | None:
  """Returns the name as nested checkpoints have it; None: no part of M."""
  for prefix in _PREFIXES:
    name = name.removeprefix(prefix)
  if name.startswith(_NOT_LANGUAGE):
    return None
  return name.removesuffix('/w') if '/mlp/' in name else name
