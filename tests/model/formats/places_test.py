import numpy as np

from gemb.model.config import EmbedderConfig, EncoderConfig
from gemb.model.embedder import make_embedder
from gemb.model.formats.places import Place, places

CONFIG = EncoderConfig(
  vocabulary=16,
  width=6,
  layers=2,
  heads=2,
  kv_heads=1,
  head_dim=4,
  mlp_width=8,
)


def test_every_parameter_has_its_places():
  embedder = make_embedder(EmbedderConfig(encoder=CONFIG, embedding_width=5))
  found = places(embedder)
  outside = {p.name: p.shape for p in found if p.layer is None}
  assert outside == {
    'table': (16, 6),
    'final_norm/scale': (6,),
    'projection/kernel': (6, 5),
  }
  assert len(found) == 3 + 2 * 13
  up = next(p for p in found if p.name == 'mlp/up/kernel' and p.layer == 1)
  assert up.path == ('encoder', 'blocks', 'mlp', 'up', 'kernel')
  assert up.shape == (6, 8)


def place(name, shape):
  path = ('encoder', 'blocks', *name.split('/'))
  return Place(path=path, layer=0, shape=shape)


def test_a_matrix_is_turned_and_split_into_heads():
  query = place('attention/q/kernel', (6, 2, 4))
  matrix = np.arange(48).reshape(8, 6)  # [heads x head_dim, width]
  kernel = query.from_matrix(matrix)
  assert kernel[3, 1, 2] == matrix[1 * 4 + 2, 3]
  np.testing.assert_array_equal(query.to_matrix(kernel), matrix)


def test_the_output_matrix_contracts_both_axes_of_its_heads():
  out = place('attention/out/kernel', (2, 4, 6))
  matrix = np.arange(48).reshape(6, 8)  # [width, heads x head_dim]
  kernel = out.from_matrix(matrix)
  assert kernel[1, 2, 3] == matrix[3, 1 * 4 + 2]
  np.testing.assert_array_equal(out.to_matrix(kernel), matrix)


def test_what_is_no_kernel_stays_as_it_is():
  table = Place(path=('encoder', 'table'), layer=None, shape=(3, 2))
  x = np.arange(6).reshape(3, 2)
  assert table.from_matrix(x) is x
  assert table.to_matrix(x) is x
