"""Which steps --profile names."""

import pytest

from gemb.profile.window import Window, parse_window


def test_a_window_has_its_first_and_its_last_step():
  assert parse_window('3:5', steps=10) == Window(first=3, last=5)
  assert parse_window('10:10', steps=10) == Window(first=10, last=10)


@pytest.mark.parametrize('text', ['x', '5', '5:2', '0:3', '1:2:3', '-1:2', ''])
def test_what_names_no_steps_is_refused(text):
  with pytest.raises(ValueError, match=f'--profile={text} names no steps; .*'):
    parse_window(text, steps=10)


def test_steps_that_the_run_does_not_have_are_refused():
  with pytest.raises(ValueError, match=r'8:11 is not within .* step is 10'):
    parse_window('8:11', steps=10)
