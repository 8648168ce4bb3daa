import dataclasses

import pytest

from gemb.certify import FAULTS, faults, measure, small
from gemb.train import step


@pytest.mark.parametrize('fault', FAULTS)
def test_a_fault_is_noticed(fault, finetuning, mesh):
  with faults.plant(fault):
    row = finetuning.row(mesh(data=8))
  assert not row.agrees(1000 * measure.TOLERANCE)


def test_columns_that_are_detached_in_the_ring_are_noticed(
  load, finetuning, mesh
):
  run = small.shrink(load('02_finetune', 'LossConfig.gather_up_to=8'))
  comparison = dataclasses.replace(finetuning, run=run)
  with faults.plant('detached_remote'):
    row = comparison.row(mesh(data=8))
  assert row.loss_difference < measure.TOLERANCE
  assert not row.agrees(1000 * measure.TOLERANCE)


def test_a_fault_is_gone_afterwards():
  real = step.total_loss, step.encode_in_microbatches
  for fault in FAULTS:
    with faults.plant(fault):
      pass
  assert (step.total_loss, step.encode_in_microbatches) == real


def test_all_faults_that_are_told_of_can_be_planted():
  for fault in FAULTS:
    with faults.plant(fault):
      pass
  with faults.plant(None):
    pass
