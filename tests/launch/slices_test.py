"""Names of slices, held against XPK's table of them."""

import pathlib

import pytest

from gemb.launch.slices import Slice
from gemb.plan.chips import CHIPS, Topology

GOLDEN = pathlib.Path(__file__).parents[1] / 'golden' / 'launch'
# name, topology, chips of a machine, machines
XPK = [
  line.split()
  for line in (GOLDEN / 'xpk_slices.txt').read_text().splitlines()
  if not line.startswith('#')
]


@pytest.mark.parametrize(('name', 'topology', 'a_machine', 'machines'), XPK)
def test_a_slice_has_as_many_chips_and_machines_as_xpk_says(
  name, topology, a_machine, machines
):
  mine = Slice(accelerator_type=name)
  assert mine.chips == int(a_machine) * int(machines)
  assert mine.chips == Topology(name=f'{mine.chip}:{topology}').chips
  # On GKE eight chips are two machines; on TPU VMs they are one.
  assert mine.machines == int(machines) or mine.chips == 8


@pytest.mark.parametrize(
  ('name', 'chip', 'chips', 'machines'),
  [
    ('v5litepod-8', 'v5e', 8, 1),
    ('v5litepod-16', 'v5e', 16, 4),
    ('v5p-8', 'v5p', 4, 1),
    ('v5p-128', 'v5p', 64, 16),
    ('v6e-256', 'v6e', 256, 64),
    ('v4-8', 'v4', 4, 1),
  ],
)
def test_a_name_tells_chip_chips_and_machines(name, chip, chips, machines):
  mine = Slice(accelerator_type=name)
  assert (mine.chip, mine.chips, mine.machines) == (chip, chips, machines)
  assert mine.chip in CHIPS


def test_a_machine_has_the_software_of_its_chip():
  names = ('v4-8', 'v5litepod-16', 'v5p-128', 'v6e-16')
  assert [Slice(accelerator_type=x).runtime_version for x in names] == [
    'tpu-ubuntu2204-base',
    'v2-alpha-tpuv5-lite',
    'v2-alpha-tpuv5',
    'v2-alpha-tpuv6e',
  ]


def test_an_unknown_family_is_refused_with_the_nearest():
  with pytest.raises(ValueError, match="'v7e'; the nearest are v6e and v4"):
    Slice(accelerator_type='v7e-16')


def test_a_chip_is_told_by_the_name_that_google_gives_its_slices():
  with pytest.raises(ValueError, match='calls v5e v5litepod: give v5litepod-8'):
    Slice(accelerator_type='v5e-8')


@pytest.mark.parametrize('name', ['v5p-6', 'v5litepod-6', 'v6e-', 'v5p-2'])
def test_a_number_that_no_slice_has_is_refused(name):
  with pytest.raises(ValueError, match=r'has a multiple of 4 chips: v\w+-\d+'):
    Slice(accelerator_type=name)
