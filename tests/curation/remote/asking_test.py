import json
import os
import signal
import time

import pytest


def ask_all(model, prompts):
  return model.complete(
    prompts, seeds=[0] * len(prompts), max_tokens=9, temperature=0.0
  )


PROMPTS = list('abcdefgh')
SAID = [f'to {prompt}' for prompt in PROMPTS]


def test_answers_are_in_order_and_a_rerun_pays_nothing(server, open_model):
  assert ask_all(open_model(), PROMPTS) == SAID
  assert len(server.bodies) == 8
  assert ask_all(open_model(), PROMPTS[::-1]) == SAID[::-1]
  assert len(server.bodies) == 8


def test_equal_requests_are_made_once(server, open_model):
  assert ask_all(open_model(), ['a', 'b', 'a']) == ['to a', 'to b', 'to a']
  assert len(server.bodies) == 2


def test_another_seed_is_another_request(server, open_model):
  said = open_model().complete(
    ['a', 'a'], seeds=[0, 1], max_tokens=9, temperature=1.0
  )
  assert said == ['to a', 'to a']
  assert sorted(body['seed'] for body in server.bodies) == [0, 1]


@pytest.mark.parametrize('at_once', [1, 3])
def test_so_many_requests_are_under_way_at_once(server, open_model, at_once):
  server.delay = 0.03
  ask_all(open_model(at_once=at_once), PROMPTS)
  assert server.most == at_once


def test_every_answer_is_on_disk_before_the_next_is_asked_for(
  server, open_model, tmp_path
):
  file = tmp_path / 'answers' / 'openai_small-model.jsonl'
  lines = []
  server.on_request = lambda: lines.append(
    len(file.read_text().splitlines()) if file.exists() else 0
  )
  ask_all(open_model(at_once=1), PROMPTS)
  assert lines == list(range(8))


def test_an_error_keeps_what_was_answered(server, open_model):
  server.failures.extend([None, None, None, 403])
  with pytest.raises(RuntimeError, match='is kept; the same command goes on'):
    ask_all(open_model(at_once=1), PROMPTS)
  assert len(server.bodies) == 4
  assert ask_all(open_model(), PROMPTS) == SAID
  assert len(server.bodies) == 4 + 5


def test_an_error_does_not_wait_for_the_other_requests(server, open_model):
  server.failures.extend(['slow', 'slow', 403])
  start = time.monotonic()
  with pytest.raises(RuntimeError, match='answered 403'):
    ask_all(open_model(at_once=3), PROMPTS)
  assert time.monotonic() - start < 2


def test_ctrl_c_keeps_what_was_answered(server, open_model):
  server.failures.extend([None, None, 'slow', 'slow'])

  def stop_at_the_fourth():
    if len(server.bodies) == 4:
      os.kill(os.getpid(), signal.SIGINT)

  server.on_request = stop_at_the_fourth
  # As in a shell: those who run tests may ignore it.
  before = signal.signal(signal.SIGINT, signal.default_int_handler)
  start = time.monotonic()
  try:
    with pytest.raises(KeyboardInterrupt):
      ask_all(open_model(at_once=2), PROMPTS)
  finally:
    signal.signal(signal.SIGINT, before)
  assert time.monotonic() - start < 2
  assert len(server.bodies) == 4
  assert ask_all(open_model(), PROMPTS) == SAID
  assert len(server.bodies) == 4 + 6


def test_a_torn_cache_costs_one_answer(server, open_model, tmp_path):
  ask_all(open_model(at_once=1), PROMPTS)
  file = tmp_path / 'answers' / 'openai_small-model.jsonl'
  file.write_bytes(file.read_bytes()[:-20])
  assert ask_all(open_model(), PROMPTS) == SAID
  assert len(server.bodies) == 8 + 1
  whole = [line for line in file.read_text().splitlines() if line.endswith('}')]
  assert len({json.loads(line)['key'] for line in whole}) == 8


def test_the_estimate_comes_first_and_leaves_out_what_is_there(
  server, open_model, capsys
):
  prices = {'price_in': 10.0, 'price_out': 100.0}
  ask_all(open_model(**prices), ['a' * 400])
  capsys.readouterr()
  ask_all(open_model(**prices), ['a' * 400, 'b' * 4000])
  assert capsys.readouterr().out.splitlines() == [
    'small-model: 1 requests (1 answers are there), about 1,000 tokens in '
    '(4 bytes each) and at most 9 out, $0.0109',
    'small-model: 8 tokens in and 2 out so far, $0.0003',
  ]


def test_what_would_cost_too_much_is_not_begun(server, open_model):
  model = open_model(price_in=1000.0, price_out=0.0, max_cost=0.2)
  with pytest.raises(ValueError, match=r'\$1\.00, .*max_cost, \$0\.2000'):
    ask_all(model, ['a' * 4000])
  assert not server.bodies


def test_answers_that_are_there_cost_nothing(server, open_model, capsys):
  ask_all(open_model(), PROMPTS)
  model = open_model(price_in=1.0, price_out=1.0, max_cost=0.0)
  capsys.readouterr()
  assert ask_all(model, PROMPTS) == SAID
  assert not capsys.readouterr().out


def test_nothing_is_asked_of_nobody(server, open_model):
  assert ask_all(open_model(), []) == []
  assert open_model().choose([], ['yes', 'no']).shape == (0, 2)
