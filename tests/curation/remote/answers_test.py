import concurrent.futures

import pytest

from gemb.curation.remote.answers import Answers
from gemb.curation.remote.service import Answer, Request

IDENTITY = {'service': 'openai', 'model': 'org/small model'}
ONE = Answer(text='ein\nText', first_word={'ein': -0.5}, tokens_in=3)
TWO = Answer(refusal='SAFETY')


def request(**changes):
  return Request(**{'kind': 'answer', 'prompt': 'a'} | changes)


def test_an_answer_is_found_again_by_another_program(tmp_path):
  answers = Answers(tmp_path / 'new', IDENTITY)
  answers.add('1', ONE)
  answers.add('2', TWO)
  found = Answers(tmp_path / 'new', IDENTITY).find(['2', '1', '3'])
  assert found == {'1': ONE, '2': TWO}
  assert answers.path.name == 'openai_org_small_model.jsonl'


def test_what_another_program_adds_is_found(tmp_path):
  ours, theirs = Answers(tmp_path, IDENTITY), Answers(tmp_path, IDENTITY)
  ours.add('1', ONE)
  assert theirs.find(['1', '2']) == {'1': ONE}
  ours.add('2', TWO)
  assert theirs.find(['1', '2']) == {'1': ONE, '2': TWO}


def test_a_line_that_a_kill_cut_short_is_passed_over(tmp_path):
  answers = Answers(tmp_path, IDENTITY)
  answers.add('1', ONE)
  with answers.path.open('a') as file:
    file.write('{"key": "2", "te')
  assert answers.find(['1', '2']) == {'1': ONE}
  Answers(tmp_path, IDENTITY).add('3', TWO)
  assert answers.find(['1', '2', '3']) == {'1': ONE, '3': TWO}


def test_every_part_of_a_request_tells_it_from_others(tmp_path):
  answers = Answers(tmp_path, IDENTITY)
  requests = [
    request(),
    request(kind='choice'),
    request(prompt='b'),
    request(text='b'),
    request(seed=0),
    request(seed=1),
    request(max_tokens=1),
    request(temperature=0.5),
    request(stop='\n'),
  ]
  keys = {answers.key(each) for each in requests}
  assert len(keys) == len(requests)
  assert answers.key(request()) == Answers(tmp_path, IDENTITY).key(request())


@pytest.mark.parametrize('change', [{'model': 'other'}, {'options': {'a': 1}}])
def test_every_part_of_a_model_tells_it_from_others(tmp_path, change):
  ours, theirs = (
    Answers(tmp_path, IDENTITY),
    Answers(tmp_path, IDENTITY | change),
  )
  assert ours.key(request()) != theirs.key(request())


def test_those_who_add_at_once_do_not_mix_their_lines(tmp_path):
  # Each opens the file for itself, as programs do.
  def add_many(name):
    answers = Answers(tmp_path, IDENTITY)
    for number in range(10):
      answers.add(f'{name}{number}', Answer(text=name * 50_000))

  with concurrent.futures.ThreadPoolExecutor() as pool:
    list(pool.map(add_many, 'abcd'))
  keys = [f'{name}{number}' for name in 'abcd' for number in range(10)]
  found = Answers(tmp_path, IDENTITY).find(keys)
  assert {key: answer.text for key, answer in found.items()} == {
    key: key[0] * 50_000 for key in keys
  }
