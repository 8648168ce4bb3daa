import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gemb import axes
from gemb.data.packing import pack, slots
from gemb.losses.text_ids import text_ids
from gemb.types import Packed, Padded

ROW = 12  # tokens of a packed row


def padded(examples, query=6, passage=8):
  """Lays out lists of texts: query, positive and hard negatives."""

  def rows(texts, length):
    return np.array([t + [0] * (length - len(t)) for t in texts], np.int32)

  return Padded(
    query=rows([e[0] for e in examples], query),
    positive=rows([e[1] for e in examples], passage),
    negatives=np.array([rows(e[2:], passage) for e in examples]),
  )


def packed(examples, shards=1):
  """Lays the texts of each shard into rows that they share."""
  size = len(examples) // shards
  parts = [examples[z * size :][:size] for z in range(shards)]
  texts = [[text for example in part for text in example] for part in parts]
  packings = [pack(np.array([len(t) for t in some]), ROW) for some in texts]
  most = max(packing.rows for packing in packings)
  tokens = np.zeros((shards, most, ROW), np.int32)
  segments = np.zeros_like(tokens)
  place = np.full((shards, size * len(examples[0])), -1, np.int32)
  for z, packing in enumerate(packings):
    for n, text in enumerate(texts[z]):
      if text:
        row, slot = packing.row[n], packing.slot[n]
        here = slice(packing.offset[n], packing.offset[n] + len(text))
        tokens[z, row, here], segments[z, row, here] = text, slot + 1
        place[z, n] = row * slots(ROW) + slot
  return Packed(
    tokens=tokens.reshape(-1, ROW),
    segments=segments.reshape(-1, ROW),
    place=place.reshape(len(examples), -1),
    slots=slots(ROW),
    shards=shards,
  )


def random_examples(count):
  """Ragged texts, some of them the same, some hard negatives missing."""
  rng = np.random.default_rng(0)
  pool = [rng.integers(1, 40, n % 6 + 1).tolist() for n in range(count)]
  found = [[pool[i] for i in rng.integers(0, count, 4)] for _ in range(count)]
  for example in found[::3]:
    example[3] = []
  return found


def words(ids):
  """Returns the hashes as numbers."""
  ids = np.asarray(ids).astype(np.uint64)
  return ids[..., 0] + (ids[..., 1] << np.uint64(32))


hashes = jax.jit(text_ids)


@pytest.mark.parametrize('lay_out', [padded, packed])
def test_texts_have_the_same_id_where_they_are_the_same(lay_out):
  examples = random_examples(16)
  ids = words(hashes(lay_out(examples))).ravel()
  texts = [tuple(text) for example in examples for text in example]
  for text, value in zip(texts, ids, strict=True):
    same = [other == text for other in texts]
    assert (ids == value).tolist() == same


@pytest.mark.parametrize(
  'other',
  [
    [8, 7, 9],  # another order
    [7, 8],  # a beginning
    [7, 8, 9, 9],  # and a longer one
    [8, 9],  # an end
    [7, 8, 10],
    [8, 8, 8],  # the same sum
  ],
)
def test_texts_that_are_nearly_the_same_have_another_id(other):
  (query, positive, _) = words(hashes(padded([[[7, 8, 9], other, []]])))[0]
  assert query != positive
  # Both words tell them apart: they are independent of each other.
  both = np.asarray(hashes(padded([[[7, 8, 9], other, []]])))[0]
  assert (both[0] != both[1]).all()


def test_a_text_that_is_missing_has_the_id_zero():
  examples = [[[1], [2], []], [[3], [4], [5]]]
  for lay_out in padded, packed:
    ids = words(hashes(lay_out(examples)))
    assert (ids == 0).tolist() == [[False, False, True], [False] * 3]


@pytest.mark.parametrize('shards', [1, 2, 8])
def test_padded_and_packed_texts_have_the_same_ids(shards):
  examples = random_examples(16)
  expected = hashes(padded(examples))
  assert expected.dtype == jnp.uint32 and expected.shape == (16, 4, 2)
  for other in packed(examples, shards), padded(examples, query=9, passage=21):
    np.testing.assert_array_equal(hashes(other), expected)


def test_ids_are_the_same_in_64_bit_mode():
  examples = random_examples(4)
  expected = hashes(padded(examples)), hashes(packed(examples))
  with jax.enable_x64(True):
    for lay_out, ids in zip((padded, packed), expected, strict=True):
      np.testing.assert_array_equal(hashes(lay_out(examples)), ids)


def test_hashes_are_spread_evenly():
  tokens = np.arange(1, 20_001, dtype=np.int32).reshape(-1, 1)
  texts = Padded(query=tokens, positive=tokens, negatives=tokens[:, None])
  ids = np.asarray(hashes(texts))[:, 0]
  for word in ids.T:
    bits = np.unpackbits(word.astype('<u4').view(np.uint8)).reshape(-1, 32)
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.02
  assert len(np.unique(words(ids))) == len(tokens)


@pytest.mark.parametrize('lay_out', [padded, lambda e: packed(e, shards=8)])
def test_nothing_moves_between_the_shards(lay_out):
  mesh = axes.make_mesh(axes.MeshConfig(data=4, fsdp=2))
  layout = axes.Layout(mesh, axes.AxisRules())
  texts = lay_out(random_examples(16))
  with axes.use(layout):
    placed = jax.device_put(texts, layout.sharding('batch'))
    program = jax.jit(text_ids).lower(placed).compile()
    np.testing.assert_array_equal(program(placed), hashes(texts))
  moves = 'all-gather|all-to-all|all-reduce|collective-permute'
  assert not re.findall(moves, program.as_text())
