import pytest

from gemb.curation.language_model import end_at


@pytest.mark.parametrize(
  ('answer', 'wanted'),
  [
    (' sort a list\nPassage: more', 'sort a list'),
    ('\n\n  sort a list \n', 'sort a list'),
    ('sort', 'sort'),
    ('\n \n', ''),
    ('', ''),
  ],
)
def test_an_answer_is_its_first_line_that_says_something(answer, wanted):
  assert end_at('\n', answer) == wanted


def test_a_stop_of_several_letters_is_found_whole():
  assert end_at('END', ' one E ND two END three') == 'one E ND two'
