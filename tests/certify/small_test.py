import dataclasses

import pytest

from gemb.certify import small


def test_what_decides_the_mathematics_stays(load):
  run = load('05_gemma3_270m', 'LossConfig.gather_up_to=512')
  here = small.shrink(run)
  c = here.model.encoder
  assert (c.layers, c.heads, c.kv_heads, c.qk_norm) == (2, 4, 1, True)
  assert [c.is_global(0), c.is_global(1)] == [False, True]
  assert c.local_radius < min(here.data.lengths)
  assert c.dtype == here.loss.dtype == 'float32'
  assert here.loss.prefixes == (3, 5, 11, 16)  # of 128, 256, 512 and 768
  assert here.loss.temperature == run.loss.temperature
  # 512 of 1,024 columns, and 16 of 32: the ring turns in both.
  assert (here.loss.gather_up_to, here.data.batch_size) == (16, 32)
  assert here.mesh == run.mesh


def test_packing_and_hard_negatives_stay(load):
  here = small.shrink(load('02_finetune'))
  assert here.data.packing.row_length >= here.data.lengths[-1]
  assert here.data.hard_negatives == 2
  assert small.shrink(load('00_quickstart')).data.packing is None


def test_of_several_batch_sizes_the_largest_stays(load):
  sizes = "{'python_docstrings': 2048, 'home_assistant': 64}"
  run = load('02_finetune', f'DataConfig.batch_sizes={sizes}')
  kept = small.for_cpus(run).data
  assert kept.sizes == {'DataConfig.batch_size': 2048}
  assert small.shrink(run).data.sizes == {'DataConfig.batch_size': 32}


@pytest.mark.parametrize(
  ('layers', 'every', 'kinds'),
  [
    (26, 6, [False, True]),
    (4, 1, [True, True]),
    (4, 6, [False, False]),
    (1, 1, [True]),
  ],
)
def test_there_is_a_layer_of_each_kind_that_there_was(
  load, layers, every, kinds
):
  bindings = f'EncoderConfig.layers={layers}', f'global_every={every}'
  bindings = bindings[0], f'EncoderConfig.{bindings[1]}'
  c = small.shrink(load('00_quickstart', *bindings)).model.encoder
  assert [c.is_global(i) for i in range(c.layers)] == kinds


@pytest.mark.parametrize(
  ('heads', 'here'), [((32, 16), (16, 8)), ((12, 6), (4, 2)), ((3, 1), (3, 1))]
)
def test_a_key_head_serves_as_many_query_heads(load, heads, here):
  bindings = f'EncoderConfig.heads={heads[0]}', f'kv_heads={heads[1]}'
  bindings = bindings[0], f'EncoderConfig.{bindings[1]}'
  c = small.shrink(load('00_quickstart', *bindings)).model.encoder
  assert (c.heads, c.kv_heads) == here


def test_many_prefixes_stay_ascending(load):
  prefixes = 'LossConfig.prefixes=(1, 2, 4, 8, 16, 32, 64, 128, 256)'
  here = small.shrink(load('00_quickstart', prefixes))
  assert here.loss.prefixes == (1, 2, 3, 4, 5, 6, 7, 8, 16)
  assert here.model.embedding_width == 16


def test_every_change_is_told(load):
  run = load('00_quickstart')
  other = dataclasses.replace(
    run,
    seed=1,
    loss=dataclasses.replace(run.loss, temperature=0.1),
  )
  assert list(small.changes(run, other)) == [
    ('Run.seed', 0, 1),
    ('LossConfig.temperature', 0.05, 0.1),
  ]
