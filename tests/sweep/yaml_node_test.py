import pytest

from gemb.sweep.yaml_node import read_yaml


def values(text):
  return read_yaml(text, 'x.yaml').value()


def test_plain_values_are_what_they_look_like():
  found = values(
    '[1, -2, 0, 1.0e-4, 1.5, .5, true, false, null, word, nan, "1e-4", "no", '
    '.inf]'
  )
  assert found == (
    *(1, -2, 0, 1e-4, 1.5, 0.5, True, False, None),
    *('word', 'nan', '1e-4', 'no', float('inf')),
  )
  assert [type(value) for value in found[:4]] == [int, int, int, float]


def test_lists_are_tuples_and_mappings_are_dictionaries():
  assert values('a: [[1, 2], {b: [c]}]') == {'a': ((1, 2), {'b': ('c',)})}


@pytest.mark.parametrize(
  ('text', 'said'),
  [
    ('1e-4', '1e-4 is a text in YAML and no number; write 1.0e-4.'),
    ('-3E5', '-3E5 is a text in YAML and no number; write -3.0e+5.'),
    ('1.5e3', '1.5e3 is a text in YAML and no number; write 1.5e+3.'),
    ('-.5', '-.5 is a text in YAML and no number; write -0.5.'),
    ('5e3', '5e3 is a text in YAML and no number; write 5.0e+3.'),
    ('0o17', '0o17 is a text in YAML and no number; write 15.'),
    ('None', "None is a text in YAML; write null, or 'None' for the text."),
    ('.nan', "no value is .nan; write a number, or '.nan' for the text."),
    ('inf', 'inf is a text in YAML and no number; write .inf.'),
    ('no', "no is False in YAML; write false, or 'no' for the word."),
    ('On', "On is True in YAML; write true, or 'On' for the word."),
    ('017', "017 is 15 in YAML; write 15, or '017' for the text."),
    ('1_000', "1_000 is 1000 in YAML; write 1000, or '1_000' for the text."),
    ('1:30', "1:30 is 90 in YAML; write 90, or '1:30' for the text."),
    ('1:30.5', "1:30.5 is 90.5 in YAML; write 90.5, or '1:30.5' for the text."),
    ('2026-01-02', "is a date in YAML; write '2026-01-02' for the text."),
    ('!!python/name:os.x', 'has the tag'),
  ],
)
def test_what_yaml_reads_otherwise_is_refused_with_the_fix(text, said):
  with pytest.raises(ValueError) as raised:
    values(f'A.x:\n- 1\n- {text}\n')
  assert str(raised.value).startswith('x.yaml:3: ')
  assert str(raised.value).endswith(said) or said == 'has the tag'
  assert said in str(raised.value)


@pytest.mark.parametrize(
  ('text', 'said'),
  [
    ('a: 1\na: 2', 'x.yaml:2: a is given twice; keep one.'),
    ('1: 2', 'x.yaml:1: got the key 1, wanted a name.'),
    ('a: [1', 'x.yaml:1: cannot be read as YAML'),
    ('# nothing', 'x.yaml holds nothing'),
  ],
)
def test_what_is_no_mapping_is_refused(text, said):
  with pytest.raises(ValueError) as raised:
    values(text)
  assert str(raised.value).startswith(said)


def test_a_list_and_a_mapping_are_told_apart():
  node = read_yaml('a: 1', 'x.yaml')
  with pytest.raises(ValueError, match='got a mapping, wanted a list'):
    node.each()
  with pytest.raises(ValueError, match="got '1', wanted NAME: VALUE"):
    node.items()['a'].items()
