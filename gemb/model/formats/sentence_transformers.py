"""A sentence-transformers folder: a Gemma with pooling and dense layers."""

import json
import pathlib

import numpy as np
import safetensors

from gemb.model.config import EncoderConfig
from gemb.model.formats.hugging_face import HuggingFace
from gemb.model.formats.places import PROJECTION, Place

_DENSE = 'dense'  # what all dense layers together are called here


class SentenceTransformers(HuggingFace):
  """Transformer, mean pooling, dense layers, normalisation.

  The dense layers are linear and without bias: their product is our one
  projection. (EmbeddingGemma has two, 768 -> 3072 -> 768.)
  """

  def __init__(self, path: pathlib.Path, config: EncoderConfig):
    """Opens it.

    Raises:
      ValueError: if it computes what E = f(P(M(T))) cannot.
    """
    modules = json.loads((path / 'modules.json').read_text(encoding='utf-8'))
    kinds = [module['type'].rpartition('.')[-1] for module in modules]
    folders = [path / module['path'] for module in modules]
    _check_modules(path, kinds, folders)
    super().__init__(folders[0], config)
    self.path = path
    self._dense = [
      folder
      for kind, folder in zip(kinds, folders, strict=True)
      if kind == 'Dense'
    ]
    if self._dense:
      shapes = [_dense_shape(folder) for folder in self._dense]
      self.shapes[_DENSE] = (shapes[-1][0], shapes[0][1])

  def name(self, place: Place) -> str | None:
    """As `places.Checkpoint`."""
    if place.name == PROJECTION:
      return _DENSE if self._dense else None
    return super().name(place)

  def read(self, name: str) -> np.ndarray:
    """As `places.Checkpoint`."""
    if name != _DENSE:
      return super().read(name)
    first, *rest = [_dense_matrix(folder) for folder in self._dense]
    if not rest:
      return first
    return np.linalg.multi_dot(
      [m.astype(np.float64) for m in (*rest[::-1], first)]
    ).astype(np.float32)


def _check_modules(
  path: pathlib.Path, kinds: list[str], folders: list[pathlib.Path]
) -> None:
  expected = ['Transformer', 'Pooling']
  rest = kinds[2:]
  if kinds[:2] != expected or set(rest) - {'Dense', 'Normalize'}:
    raise ValueError(
      f'{path} has the modules {", ".join(kinds)}; gemb reads Transformer, '
      'Pooling, any number of Dense, and Normalize.'
    )
  pooling = json.loads((folders[1] / 'config.json').read_text(encoding='utf-8'))
  mode = pooling.get('pooling_mode')
  modes = [mode] if mode else [k for k, on in pooling.items() if on is True]
  pools = [m for m in modes if m.startswith('pooling_mode') or m == mode]
  if pools not in (['mean'], ['pooling_mode_mean_tokens']):
    raise ValueError(
      f'{path} pools with {", ".join(pools)}; gemb pools the mean of all '
      'tokens.'
    )
  for kind, folder in zip(kinds, folders, strict=True):
    if kind != 'Dense':
      continue
    dense = json.loads((folder / 'config.json').read_text(encoding='utf-8'))
    activation = str(dense.get('activation_function', 'Tanh'))
    if dense.get('bias', True) or not activation.endswith('Identity'):
      raise ValueError(
        f'{folder} has bias={dense.get("bias", True)} and activation '
        f'{activation}; gemb reads linear layers without bias.'
      )


def _dense_shape(folder: pathlib.Path) -> tuple[int, int]:
  with safetensors.safe_open(folder / 'model.safetensors', 'numpy') as tensors:
    return tuple(tensors.get_slice('linear.weight').get_shape())


def _dense_matrix(folder: pathlib.Path) -> np.ndarray:
  with safetensors.safe_open(folder / 'model.safetensors', 'numpy') as tensors:
    return tensors.get_tensor('linear.weight')
