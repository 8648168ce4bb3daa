"""Chips and slices: what they are called, and what is said of wrong names."""

import pytest

from gemb.plan.chips import CHIPS, Topology


def test_a_slice_has_as_many_chips_as_its_sides_say():
  assert Topology(name='v5e:16x16').chips == 256
  assert Topology(name='v5p:4x4x4').chips == 64


def test_slices_of_a_shape_are_counted_together():
  two = Topology(name='v6e:2x4', slices=2)
  assert (two.chips, two.chips_a_slice, str(two)) == (16, 8, '2 x v6e:2x4')


@pytest.mark.parametrize(
  ('name', 'wanted'),
  [
    ('v5x:16x16', 'the nearest are v5p and v5e'),
    ('v5e:16', '2 sides of a slice of v5e, as in v5e:16x16'),
    ('v5p:16x16', '3 sides of a slice of v5p, as in v5p:4x4x4'),
    ('v5e', '2 sides'),
    ('v5e:0x4', '2 sides'),
  ],
)
def test_a_wrong_name_is_told_with_what_is_right(name, wanted):
  with pytest.raises(ValueError, match='--topology=') as error:
    Topology(name=name)
  assert wanted in str(error.value)


def test_there_is_at_least_one_slice():
  with pytest.raises(ValueError, match='--slices is 0'):
    Topology(name='v5e:2x2', slices=0)


def test_a_chip_does_more_flops_than_it_reads_and_reads_more_than_it_sends():
  for chip in CHIPS.values():
    assert chip.flops > 100 * chip.bandwidth
    assert chip.bandwidth > chip.interconnect > (chip.network or 0)
