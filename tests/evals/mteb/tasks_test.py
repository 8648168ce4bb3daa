"""Tasks by name, in the real mteb."""

import pytest

from gemb import prompts


def test_benchmarks_and_tasks_are_found_by_name(library):
  assert library['benchmarks']['mixed'] == [
    ['MTEB(Code, v1)', True, 12],
    ['single tasks', False, 2],
  ]


@pytest.mark.parametrize(
  ('name', 'count'),
  [('MTEB(Multilingual, v2)', 131), ('MTEB(eng, v2)', 41)],
)
def test_every_task_of_the_benchmarks_has_the_prompt_of_its_type(
  library, name, count
):
  found = library['benchmarks']['prompts'][name]
  assert len(found) == count
  for kind, query in found:
    strings = {prompts.BY_MTEB_TYPE[kind]}
    if strings == {'search result'}:
      strings.add('code retrieval')
    assert query in [prompts.make_prompt(string).query for string in strings]


def test_every_task_of_the_code_benchmark_asks_for_code(library):
  found = library['benchmarks']['prompts']['MTEB(Code, v1)']
  code = prompts.make_prompt('code retrieval')
  assert {query for _, query in found} == {code.query}


def test_an_unknown_name_is_refused_with_the_nearest(library):
  found = library['refusals']
  assert found['name'].startswith(
    "MTEB has no benchmark and no task 'MTEB(eng v2)'; the nearest are "
    "['MTEB(eng, v2)'"
  )
  assert "no task 'STS112'; the nearest are ['STS12'" in found['task']


def test_a_prompt_for_nothing_is_refused(library):
  assert library['refusals']['prompt'].startswith(
    "There is a prompt for 'paris', which is no type of task, no task of MTEB "
    "and none of these; the nearest are ['pairs'"
  )


def test_a_prompt_for_a_task_that_is_not_evaluated_is_let_be(library):
  assert len(library['refusals']['known']) == 6
