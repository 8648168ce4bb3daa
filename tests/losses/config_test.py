import re

import pytest

from gemb.losses.config import LossConfig, check_prefixes


@pytest.mark.parametrize(
  ('switches', 'said'),
  [
    ({'prefixes': ()}, 'is (); it must hold positive widths in ascending'),
    ({'prefixes': (0, 4)}, 'is (0, 4); it must hold positive widths'),
    ({'prefixes': (4, 4)}, 'is (4, 4); it must hold positive widths'),
    ({'prefixes': (8, 4)}, 'is (8, 4); it must hold positive widths'),
    ({'temperature': 0.0}, 'temperature is 0.0; it must be greater than 0.'),
    ({'temperature': -1.0}, 'temperature is -1.0; it must be greater than 0.'),
    ({'weights': (1.0,)}, 'weights has 1 numbers for 2 prefixes; give one'),
    ({'weights': ()}, 'weights has 0 numbers for 2 prefixes; give one each.'),
    ({'tile': 0}, 'tile is 0; it must be at least 1.'),
    *(
      ({name: -0.5}, f'{name} is -0.5; it must not be negative.')
      for name in (
        'false_negative_margin',
        'hardness',
        'focal',
        'spread_out',
        'distillation',
      )
    ),
    ({'gather_up_to': -1}, 'gather_up_to is -1; it must not be negative.'),
  ],
)
def test_a_value_that_has_no_meaning_is_refused(switches, said):
  with pytest.raises(ValueError, match=rf'^LossConfig\..*{re.escape(said)}'):
    LossConfig(**{'prefixes': (2, 4), 'temperature': 1.0} | switches)


def test_a_margin_of_zero_is_one():
  config = LossConfig(
    prefixes=(4,), temperature=1.0, false_negative_margin=0.0, gather_up_to=0
  )
  assert config.false_negative_margin == 0.0


def test_a_prefix_wider_than_the_embedding_is_refused():
  check_prefixes((4, 8), 8)
  with pytest.raises(ValueError, match=r'^Prefix 16 is wider .* has 8 dim'):
    check_prefixes((4, 16), 8)
