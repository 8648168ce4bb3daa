import math
import pathlib

import jax
import numpy as np
import pytest

from gemb.certify import measure, small

CONFIGS = pathlib.Path(__file__).parents[2] / 'configs' / 'run'
# `finetuning` is the other one, from which its mixtures differ in data alone.
RUNS = sorted(
  path.stem
  for path in CONFIGS.glob('*.gin')
  if path.stem[:2] in ('00', '01', '05')
)


@pytest.mark.parametrize('name', RUNS)
def test_every_run_is_certified(name, load, mesh):
  row = measure.prepare(small.shrink(load(name))).row(mesh(data=8))
  assert row.agrees(measure.TOLERANCE), row


def test_finetuning_is_certified_on_one_device(finetuning, mesh):
  row = finetuning.row(mesh())
  assert row.agrees(measure.TOLERANCE), row


def test_all_axes_together_are_certified_with_a_ring_and_more_terms(load, mesh):
  run = load(
    '02_finetune',
    'EncoderConfig.heads=4',
    'EncoderConfig.kv_heads=2',
    "DataConfig.teacher='folder'",
    "LossConfig.hard_negatives='all'",
    'LossConfig.hardness=5.0',
    'LossConfig.focal=0.5',
    'LossConfig.spread_out=1.0',
    'LossConfig.distillation=1.0',
    'LossConfig.gather_up_to=8',
  )
  comparison = measure.prepare(small.shrink(run))
  row = comparison.row(mesh(data=2, fsdp=2, tensor=2))
  assert row.agrees(measure.TOLERANCE), row


def test_the_reference_is_computed_in_float64(finetuning):
  leaves = jax.tree.leaves(finetuning.gradient)
  assert {leaf.dtype for leaf in leaves} == {np.dtype(np.float64)}


def test_a_gradient_that_is_no_number_never_agrees(finetuning, monkeypatch):
  gradient = jax.tree.map(np.copy, finetuning.gradient)
  gradient['encoder']['table'][3, 3] = np.nan
  monkeypatch.setattr(
    measure.Comparison, '_on_mesh', lambda *_: (finetuning.loss, gradient)
  )
  row = finetuning.row(finetuning.run.mesh)
  assert (row.parameter, row.difference) == ('encoder/table', math.inf)
