from gemb.markdown import markdown


def test_names_stand_left_and_numbers_right():
  lines = [['task', 'type', '64'], ['STS12', 'STS', '1.00'], ['a', 'b', '–']]
  assert markdown(lines, names=2) == (
    '| task  | type |   64 |\n'
    '| ----- | ---- | ---: |\n'
    '| STS12 | STS  | 1.00 |\n'
    '| a     | b    |    – |\n'
  )


def test_a_bar_in_a_name_does_not_end_its_cell():
  assert markdown([['a|b'], ['c']]) == '| a\\|b |\n| ---- |\n| c    |\n'
