"""What `gemb plan` prints."""

import dataclasses

from gemb.plan import report
from gemb.plan.chips import Topology
from gemb.plan.programs import StepProgram
from gemb.plan.roofline import roofline
from gemb.plan.sharding import Held

SLICE = Topology(name='v5e:2x2')


def array(**facts):
  return Held(
    **{
      'part': 'parameters',
      'name': "['table']",
      'shape': (2**20, 4),
      'dtype': 'float32',
      'logical': ('vocab', 'embed'),
      'split': (('tensor',), ('fsdp',)),
      'bytes': 2**21,
      'copies': 2,
      'devices': 16,
    }
    | facts
  )


def test_what_fits_is_told_with_what_is_left(compiled):
  assert report.fits(compiled) == (
    'It fits: 12.00 of 16.00 GiB a chip, 4.00 GiB (25%) are left.'
  )


def test_what_does_not_fit_is_told_with_what_helps(compiled):
  larger = dataclasses.replace(compiled, fits=False, needed=20 * 2**30)
  line = report.fits(larger)
  assert 'needs 20.00 GiB a chip and has 16.00 GiB' in line
  assert '--search=batch' in line


def test_memory_is_told_part_by_part(compiled):
  text = report.memory_table(
    dataclasses.replace(compiled, parts=dict.fromkeys(report.PARTS, 2**30)),
    [array(bytes=3 * 2**30), array(part='batch', bytes=2**29)],
  )
  rows = dict(line.rsplit(maxsplit=2)[:2] for line in text.splitlines())
  assert rows['parameters'] == '3.000'
  assert rows['padding of these to tiles'] == '0.500'
  assert rows['of it gradients'] == '1.000'


def test_speed_names_the_bound_and_the_ratio_of_flops(compiled):
  bounds = roofline(compiled, SLICE, own_flops=591 * 10**12, pairs=1000)
  text = report.speed(bounds, (500 * 10**12, 91 * 10**12), compiled)
  assert "1.333 times the model's own 5.910e+14" in text
  assert 'by compute: 1 s' in text
  assert 'MFU of 75.0%' in text


def test_a_cost_needs_a_price(compiled):
  bounds = roofline(compiled, SLICE, own_flops=591 * 10**12, pairs=1000)
  assert report.cost(bounds, 3_600_000, 2.5).endswith(
    '1.00 hours, 4.0 chip-hours: $10.00 at $2.5 a chip-hour.'
  )
  assert '--price=DOLLARS' in report.cost(bounds, 3_600_000, None)


def test_every_array_has_a_row_and_what_is_whole_is_marked():
  text = report.sharding_table(
    [array(), array(name="['scale']", split=((), ()), copies=16)]
  )
  _, table, scale, *totals = text.splitlines()
  assert 'vocab: tensor, embed: fsdp' in table
  assert '*' not in table
  assert scale.endswith('16 *')
  assert totals[0] == 'parameters: 4.0 MiB a device'
  assert totals[-1].endswith("parameters['scale'].")


def test_the_headline_says_what_is_planned(tiny):
  line = report.headline(StepProgram(run=tiny()), SLICE)
  assert line.startswith('32 pairs with 1 hard negatives')
  assert 'v5e:2x2 (4 chips), mesh data=4 x fsdp=1 x tensor=1.' in line
