import json

import ml_dtypes
import numpy as np
import pytest
import safetensors
import safetensors.numpy

from gemb.model.formats.safetensors_writer import Tensor, write_tensors

SHAPES = {'a': (3, 5), 'b.weight': (7,), 'c': (2, 2, 2), 'd': (1, 11)}


@pytest.fixture
def arrays():
  draw = np.random.default_rng(0)
  return {
    name: draw.normal(size=shape).astype(np.float32)
    for name, shape in SHAPES.items()
  }


def tensors(arrays):
  return [
    Tensor(name=name, shape=x.shape, read=lambda x=x: x)
    for name, x in arrays.items()
  ]


def test_the_library_reads_the_same_bits(arrays, tmp_path):
  write_tensors(tmp_path, tensors(arrays), 'float32')
  assert [path.name for path in tmp_path.iterdir()] == ['model.safetensors']
  read = safetensors.numpy.load_file(tmp_path / 'model.safetensors')
  assert read.keys() == arrays.keys()
  for name, x in arrays.items():
    np.testing.assert_array_equal(read[name], x, strict=True)


def test_bfloat16_is_rounded_to_nearest(arrays, tmp_path):
  write_tensors(tmp_path, tensors(arrays), 'bfloat16')
  with safetensors.safe_open(tmp_path / 'model.safetensors', 'numpy') as read:
    for name, x in arrays.items():
      wanted = x.astype(ml_dtypes.bfloat16)
      np.testing.assert_array_equal(read.get_tensor(name), wanted, strict=True)


def test_what_is_turned_or_of_another_dtype_is_written_as_it_looks(tmp_path):
  x = np.arange(6, dtype=np.float64).reshape(2, 3).T
  write_tensors(
    tmp_path, [Tensor(name='x', shape=(3, 2), read=lambda: x)], 'float32'
  )
  read = safetensors.numpy.load_file(tmp_path / 'model.safetensors')['x']
  np.testing.assert_array_equal(read, x.astype(np.float32), strict=True)


def test_transformers_is_told_the_format(arrays, tmp_path):
  write_tensors(tmp_path, tensors(arrays), 'float32')
  with safetensors.safe_open(tmp_path / 'model.safetensors', 'numpy') as read:
    assert read.metadata() == {'format': 'pt'}
  start = (tmp_path / 'model.safetensors').read_bytes()[:8]
  assert int.from_bytes(start, 'little') % 8 == 0  # so tensors are aligned


def test_a_large_model_is_split_and_has_an_index(arrays, tmp_path):
  write_tensors(tmp_path, tensors(arrays), 'float32', most_bytes=60)
  index = json.loads((tmp_path / 'model.safetensors.index.json').read_text())
  assert index['metadata'] == {'total_size': 4 * (15 + 7 + 8 + 11)}
  files = [f'model-{n:05d}-of-00003.safetensors' for n in (1, 2, 3)]
  assert index['weight_map'] == {
    'a': files[0],  # 60 bytes
    'b.weight': files[1],  # 28 and 32
    'c': files[1],
    'd': files[2],
  }
  for name, file in index['weight_map'].items():
    read = safetensors.numpy.load_file(tmp_path / file)
    np.testing.assert_array_equal(read[name], arrays[name])
  assert not (tmp_path / 'model.safetensors').exists()


def test_a_tensor_larger_than_a_file_has_a_file_of_its_own(arrays, tmp_path):
  write_tensors(tmp_path, tensors(arrays), 'bfloat16', most_bytes=1)
  assert len(list(tmp_path.glob('model-0000?-of-00004.safetensors'))) == 4


def test_one_tensor_is_in_memory_at_a_time(tmp_path):
  alive, most = set(), 0

  class Counted(np.ndarray):
    def __del__(self):
      alive.discard(id(self))

  def read():
    nonlocal most
    x = np.zeros((4, 4), np.float32).view(Counted)
    alive.add(id(x))
    most = max(most, len(alive))
    return x

  write_tensors(
    tmp_path,
    [Tensor(name=str(n), shape=(4, 4), read=read) for n in range(9)],
    'bfloat16',
  )
  assert 1 <= most <= 2  # the one before is dropped when the next is there


def test_a_tensor_of_another_shape_than_announced_is_refused(tmp_path):
  wrong = Tensor(name='x', shape=(2, 3), read=lambda: np.zeros((3, 2)))
  with pytest.raises(ValueError, match=r'x has the shape \[3, 2\], but \[2, 3'):
    write_tensors(tmp_path, [wrong], 'float32')
