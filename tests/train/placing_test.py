"""Rows of a batch on the devices of a process."""

import dataclasses
from unittest import mock

import jax
import numpy as np
import pytest

from gemb import axes, config
from gemb.data.config import PackingConfig
from gemb.data.loader import open_loader
from gemb.train import placing


@pytest.mark.parametrize(
  ('mine', 'runs'),
  [
    ([0, 1, 2, 3], [(0, 16)]),
    ([4, 6, 5, 7], [(16, 32)]),
    ([0, 1, 6, 5], [(0, 8), (20, 28)]),
    ([2], [(8, 12)]),
  ],
)
def test_a_process_reads_the_rows_of_its_devices_alone(mine, runs):
  sharding = mock.Mock(spec=jax.sharding.Sharding)
  sharding.addressable_devices_indices_map.return_value = {
    device: (slice(4 * device, 4 * device + 4),) for device in mine
  }
  assert placing.rows_here(sharding, 32) == runs
  sharding.addressable_devices_indices_map.assert_called_with((32,))


@pytest.mark.parametrize('packing', [None, PackingConfig(row_length=64)])
def test_rows_that_are_read_apart_make_the_same_batch(
  packing, tiny_run, tiny_gin, monkeypatch
):
  data = dataclasses.replace(config.load([tiny_gin])[0].data, packing=packing)
  loader = open_loader(data, seed=0, shards=8)
  where = axes.Layout(axes.make_mesh(axes.MeshConfig()), axes.AxisRules())
  plan, batch = placing.place(loader, 3, where)
  apart = [(0, 8), (8, 12), (12, 32)]
  monkeypatch.setattr(placing, 'rows_here', lambda *_: apart)
  same_plan, same = placing.place(loader, 3, where)
  assert plan.task == same_plan.task
  jax.tree.map(np.testing.assert_array_equal, same, batch)
  _, read = loader.batch(3)
  jax.tree.map(np.testing.assert_array_equal, same, read)


def test_a_batch_of_a_tasks_own_size_is_placed(tiny_run, tiny_gin):
  data = dataclasses.replace(
    config.load([tiny_gin])[0].data, batch_sizes={'golden_pairs': 16}
  )
  loader = open_loader(data, seed=0, shards=8)
  where = axes.Layout(axes.make_mesh(axes.MeshConfig()), axes.AxisRules())
  plan, batch = placing.place(loader, 3, where)
  assert len(plan.indices) == 16
  _, read = loader.batch(3)
  jax.tree.map(np.testing.assert_array_equal, batch, read)
