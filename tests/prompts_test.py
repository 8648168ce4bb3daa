import doctest

import pytest

from gemb import prompts


@pytest.mark.parametrize('task', prompts.ASYMMETRIC)
def test_the_passage_of_an_asymmetric_task_is_a_document(task):
  prompt = prompts.make_prompt(task)
  assert prompt.dress_query('why?') == f'task: {task} | query: why?'
  assert prompt.dress_passage('because') == 'title: none | text: because'


@pytest.mark.parametrize('task', prompts.SYMMETRIC)
def test_both_sides_of_a_symmetric_task_are_dressed_alike(task):
  prompt = prompts.make_prompt(task)
  assert prompt.dress_query('a') == f'task: {task} | query: a'
  assert prompt.dress_passage('a') == prompt.dress_query('a')


def test_own_templates_may_leave_a_text_bare():
  prompt = prompts.make_prompt(('{text}', 'passage: {text}'))
  assert prompt.dress_query('a') == 'a'
  assert prompt.dress_passage('a') == 'passage: a'


def test_braces_in_a_text_are_left_alone():
  prompt = prompts.make_prompt('code retrieval')
  assert prompt.dress_passage('{text} {0}') == 'title: none | text: {text} {0}'


def test_an_unknown_task_is_named_with_the_nearest():
  with pytest.raises(
    ValueError, match=r"Unknown task string 'serch result'; .*'search result'"
  ):
    prompts.make_prompt('serch result')


@pytest.mark.parametrize('template', ['query: ', '{text} {text}', '{txt}'])
def test_a_template_must_hold_the_text_once(template):
  with pytest.raises(ValueError, match=r'The passage template .*\{text\} once'):
    prompts.Prompt('{text}', template)
  with pytest.raises(ValueError, match=r'The query template .*\{text\} once'):
    prompts.Prompt(template, '{text}')


def test_the_examples_in_the_documentation_are_true():
  results = doctest.testmod(prompts)
  assert results.attempted == 6
  assert results.failed == 0


def test_a_title_stands_where_the_template_says_none():
  prompt = prompts.make_prompt('search result')
  assert prompt.dress_passage('{text}', title='A {text}') == (
    'title: A {text} | text: {text}'
  )


def test_every_type_of_task_has_a_known_task_string():
  for task in prompts.BY_MTEB_TYPE.values():
    assert prompts.make_prompt(task)
