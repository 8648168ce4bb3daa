import dataclasses

import pytest
from jax.sharding import AbstractMesh

from gemb import axes, config
from gemb.data.config import PackingConfig


@pytest.fixture(scope='module')
def run(tiny_gin):
  return config.load([tiny_gin])[0]


def change(run, **parts):
  """Replaces fields of the run, or with a dict, fields of one of its parts."""
  return dataclasses.replace(
    run,
    **{
      name: dataclasses.replace(getattr(run, name), **value)
      if isinstance(value, dict)
      else value
      for name, value in parts.items()
    },
  )


@pytest.mark.parametrize(
  ('parts', 'message'),
  [
    ({'steps': 0}, r'Run\.steps is 0; it must be at least 1'),
    ({'microbatch': -8}, r'Run\.microbatch is -8; it must be at least 1'),
    ({'log_every_steps': 0}, r'Run\.log_every_steps is 0'),
    (
      {'stage': 'prefinetune'},
      "Run.stage is 'prefinetune', which has no hard negatives, but "
      r'DataConfig\.hard_negatives is 1; set it to 0',
    ),
    ({'steps': 2}, r'warmup_steps=2 must be less than Run\.steps=2'),
    (
      {'microbatch': 24},
      r'Run\.microbatch=24 must divide DataConfig\.batch_size=32',
    ),
    (
      {'data': {'batch_sizes': {'golden_pairs': 40}}},
      r'Run\.microbatch=16 must divide '
      r"DataConfig\.batch_sizes\['golden_pairs'\]=40",
    ),
    (
      {'microbatch': 64, 'data': {'hard_negatives': 5}},
      r'batch_size=32 pairs have 160 hard negatives, which make no 3 equal '
      r'parts of at most Run\.microbatch=64 texts; choose a microbatch that '
      'divides 32, or one of 160',
    ),
    ({'loss': {'prefixes': (8, 32)}}, '32'),
    (
      {'loss': {'distillation': 0.5}},
      r'LossConfig\.distillation is 0\.5 and DataConfig\.teacher is None; give '
      'the weight and the folder',
    ),
    (
      {'data': {'teacher': 'vectors'}},
      r"distillation is 0\.0 and DataConfig\.teacher is 'vectors'",
    ),
    (
      {'evaluation': {'bitext': ('golden_pairs', 'golden_held_out')}},
      r"EvalConfig names \['golden_pairs'\], which DataConfig\.held_out does "
      'not',
    ),
    (
      {'compute': {'attention': 'pallas'}},
      r"attention='pallas' needs rows of a multiple of 128 tokens, but "
      r'DataConfig has rows of \[32\]',
    ),
    (
      {'data': {'held_out': ()}},
      r"EvalConfig names \['golden_held_out'\]",
    ),
  ],
)
def test_what_does_not_fit_together_is_refused(run, parts, message):
  with pytest.raises(ValueError, match=message):
    change(run, **parts)


def test_the_best_metric_is_of_an_evaluation(run):
  run.check_best_metric()
  with pytest.raises(
    ValueError,
    match=r"best_metric is 'bitext/accuracy@16', which no evaluation",
  ):
    change(run, loss={'prefixes': (8,)}).check_best_metric()


@pytest.mark.parametrize(
  'parts',
  [
    {'stage': 'prefinetune', 'data': {'hard_negatives': 0}},
    {'steps': 3},
    {
      'compute': {'attention': 'pallas'},
      'data': {'packing': PackingConfig(row_length=128)},
    },
    {'microbatch': 64},  # the whole batch at once
    {'microbatch': 160, 'data': {'hard_negatives': 5}},
    {'microbatch': 64, 'data': {'hard_negatives': 3}},  # twice 48
    {'data': {'batch_sizes': {'golden_pairs': 48}}},
    {'loss': {'prefixes': (16,)}},
    {'loss': {'distillation': 0.5}, 'data': {'teacher': 'vectors'}},
    {'evaluation': {'bitext': (), 'retrieval': ()}},
  ],
)
def test_what_just_fits_is_accepted(run, parts):
  assert change(run, **parts) != run


def test_a_run_cannot_be_changed(run):
  with pytest.raises(dataclasses.FrozenInstanceError):
    run.steps = 3


def layout(run, **sizes):
  """Lays the run out on devices that are not there."""
  sizes = {'data': 1, 'fsdp': 1, 'tensor': 1} | sizes
  mesh = AbstractMesh(tuple(sizes.values()), tuple(sizes))
  return axes.Layout(mesh, run.rules)


def test_a_mesh_that_divides_batch_and_microbatch_is_taken(run):
  run.check_layout(layout(run, data=4, fsdp=2, tensor=4))


@pytest.mark.parametrize(
  ('sizes', 'microbatch', 'message'),
  [
    ({'data': 3}, 16, r'DataConfig\.batch_size is 32, which the 3 devices'),
    (
      {'data': 8, 'tensor': 8},
      16,
      r'DataConfig\.batch_size is 32, which the 64 devices .* AxisRules\.pairs',
    ),
    ({'data': 8}, 4, r'Run\.microbatch is 4, which the 8 devices'),
  ],
)
def test_a_mesh_that_does_not_is_refused(run, sizes, microbatch, message):
  changed = change(run, microbatch=microbatch)
  with pytest.raises(ValueError, match=message):
    changed.check_layout(layout(run, **sizes))


def test_a_mesh_divides_the_batches_of_every_task(run):
  changed = change(run, data={'batch_sizes': {'golden_pairs': 48}})
  changed.check_layout(layout(run, data=16))
  with pytest.raises(
    ValueError,
    match=r"batch_sizes\['golden_pairs'\] is 48, which the 32 devices",
  ):
    changed.check_layout(layout(run, data=32))
