import socket

import pytest


def ask(model):
  return model.complete(['a'], seeds=[0], max_tokens=9, temperature=0.0)


@pytest.mark.parametrize('service', ['openai', 'gemini'])
def test_a_server_that_is_not_there_is_told_with_its_address(
  open_model, service
):
  with socket.create_server(('127.0.0.1', 0)) as taken:
    url = f'http://127.0.0.1:{taken.getsockname()[1]}/v1'
  with pytest.raises(ConnectionError, match=url) as error:
    ask(open_model(service=service, url=url))
  assert '3 attempts' in str(error.value)
  assert 'is RemoteModel.url right' in str(error.value)


def test_a_server_that_is_too_slow_is_told_with_the_limit(server, open_model):
  server.failures.extend(['slow'] * 2)
  with pytest.raises(ConnectionError, match=r'2 attempts of at most 0\.1 s'):
    ask(open_model(retries=1, timeout=0.1))


@pytest.mark.parametrize(
  'status, advice',
  [
    (401, 'look at the key in OPENAI_API_KEY'),
    (403, 'look at the key in OPENAI_API_KEY'),
    (404, 'look at RemoteModel.model and RemoteModel.url'),
    (429, 'lower RemoteModel.requests_per_minute'),
    (500, 'it failed 3 times; come again later'),
    (422, "the prompt that ends with 'a'; shorten it"),
  ],
)
def test_each_status_says_what_to_do(server, open_model, status, advice):
  server.failures.extend([status] * 3)
  with pytest.raises(RuntimeError, match=advice) as error:
    ask(open_model())
  told = str(error.value)
  assert f"told {status}) to a request for the model 'small-model'" in told
  assert 'secret' not in told


def test_a_key_that_a_server_repeats_is_left_out(server, open_model):
  error = {'error': {'message': 'secret-key is no key'}}
  server.failures.append((401, {}, error))
  with pytest.raises(RuntimeError, match=r'401 \(\(the key\) is no key\)'):
    ask(open_model())


@pytest.mark.parametrize(
  'body', ['<html>hello</html>', {'kind': 'other'}, {'choices': []}, [], '']
)
def test_what_is_no_answer_of_the_protocol_is_told(server, open_model, body):
  server.failures.append(body)
  with pytest.raises(RuntimeError, match='not of the protocol of openai'):
    ask(open_model())
  assert len(server.bodies) == 1


def test_a_long_page_of_an_error_is_cut(server, open_model):
  server.failures.append((404, {}, '<html>\n' + 'x' * 9999))
  with pytest.raises(RuntimeError) as error:
    ask(open_model())
  assert len(str(error.value)) < 700 and '\n' not in str(error.value)
