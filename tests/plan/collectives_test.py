"""What devices send each other."""

import pytest

from gemb.plan import collectives
from gemb.profile import hlo


def of(line):
  text = f"""
ENTRY %main (a: f32[10,16]) -> f32[] {{
  %a = f32[10,16]{{1,0}} parameter(0)
  %t = token[] after-all()
  ROOT %c = {line}
}}
"""
  entry = hlo.parse(text).entry
  return collectives.collective(entry.root, entry)


@pytest.mark.parametrize(
  ('line', 'sent'),
  [
    ('f32[40,16] all-gather(%a), replica_groups=[1,4]<=[4]', 3 * 640),
    ('f32[10,16] all-reduce(%a), replica_groups=[1,4]<=[4]', 2 * 640 * 3 / 4),
    ('f32[10,4] reduce-scatter(%a), replica_groups=[1,4]<=[4]', 640 * 3 / 4),
    ('f32[10,16] all-to-all(%a), replica_groups=[1,4]<=[4]', 640 * 3 / 4),
    (
      'f32[10,16] collective-permute-start(%a), '
      'source_target_pairs={{0,1},{1,2},{2,3},{3,0}}',
      640,
    ),
  ],
)
def test_each_kind_sends_what_a_ring_of_devices_must(line, sent):
  which, given = of(line)
  assert (which.devices, given, which.sent(given)) == (4, 640, sent)


@pytest.mark.parametrize(
  ('kind', 'sent'),
  [('ALL_GATHER', 2 * 640), ('ALL_REDUCE', 2 * 640 * 2 / 3)],
)
def test_what_is_handed_to_other_slices_is_known(kind, sent):
  which, given = of(
    '(f32[10,16], u32[], token[]) send(%a, %t), is_host_transfer=true, '
    f'frontend_attributes={{_xla_megascale_transfer_type="{kind}"}}'
  )
  assert which.between_slices
  assert which.sent(given, slices=3) == sent


def test_what_is_no_exchange_is_none():
  assert of('f32[10,16] negate(%a)') is None
  assert of('(f32[10,16], u32[], token[]) send(%a, %t)') is None
