import pytest

from gemb.curation import prompts
from gemb.curation.prompts import Prompt

NAMES = sorted(path.stem for path in prompts._FOLDER.glob('*.txt'))


def test_a_prompt_is_filled_with_values_that_may_have_braces():
  prompt = Prompt(name='try_v1', text='{{a}} {one}, {two}')
  assert prompt.fill(one='{b}', two='2') == '{a} {b}, 2'


@pytest.mark.parametrize('values', [{'one': '1'}, {'one': '1', 'too': '2'}])
def test_other_values_than_a_prompt_has_are_refused(values):
  prompt = Prompt(name='try_v1', text='{one}, {two}')
  with pytest.raises(ValueError, match=r"try_v1 has the values \['one', 'two"):
    prompt.fill(**values)


def test_an_unknown_prompt_is_refused_with_those_there_are():
  with pytest.raises(ValueError, match=r"no prompt 'query_v0'; .*, query_v1, "):
    prompts.load('query_v0')


@pytest.mark.parametrize('name', NAMES)
def test_a_prompt_ends_where_a_base_model_goes_on(name):
  prompt = prompts.load(name)
  assert prompt.fields
  assert not prompt.text[-1].isspace()
  # A version is never changed, so the name must tell it.
  assert name.rpartition('_v')[2].isdigit()
