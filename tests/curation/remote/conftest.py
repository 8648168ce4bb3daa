"""A server on this machine that speaks both protocols."""

import collections
import http.server
import json
import ssl
import threading

import pytest

from gemb.curation.remote.config import RemoteModel
from gemb.curation.remote.language_model import RemoteLanguageModel


class Server(http.server.ThreadingHTTPServer):
  """Answers each request, or fails as it is told.

  Attributes:
    says: {prompt: text} of answers; others are answered by their prompt.
    message: more of OpenAI's message, as a refusal.
    choice: more of its choice, as log-probabilities.
    candidate: more of Gemini's candidate.
    failures: taken one a request: a status, (status, headers, body), 'drop',
      'slow', or a body that is answered in place of the right one.
    bodies: of all requests.
    headers: of all requests.
    most: requests that were under way at once.
    delay: seconds of each answer.
  """

  daemon_threads = True

  def __init__(self):
    super().__init__(('127.0.0.1', 0), Handler)
    self.says, self.message, self.choice, self.candidate = {}, {}, {}, {}
    self.failures = collections.deque()
    self.bodies, self.headers, self.paths = [], [], []
    self.most = self.now = 0
    self.delay = 0.0
    self.on_request = lambda: None
    self.closing, self.lock = threading.Event(), threading.Lock()

  @property
  def url(self):
    return f'http://127.0.0.1:{self.server_port}'

  def handle_error(self, request, client_address):
    pass  # a client that went away, as it should


class Handler(http.server.BaseHTTPRequestHandler):
  protocol_version = 'HTTP/1.1'

  def log_message(self, *arguments):
    pass

  def do_POST(self):
    server = self.server
    body = json.loads(self.rfile.read(int(self.headers['content-length'])))
    with server.lock:
      server.bodies.append(body)
      server.headers.append({k.lower(): v for k, v in self.headers.items()})
      server.paths.append(self.path)
      server.now += 1
      server.most = max(server.most, server.now)
      failure = server.failures.popleft() if server.failures else None
    server.on_request()
    server.closing.wait(server.delay)
    with server.lock:
      server.now -= 1
    self.answer(failure, body)

  def answer(self, failure, body):
    match failure:
      case None:
        self.reply(200, self.right_answer(body))
      case 'drop':
        self.close_connection = True
        self.connection.close()
      case 'slow':
        self.server.closing.wait(30)
        self.close_connection = True
      case int():
        self.reply(failure, {'error': {'message': f'told {failure}'}})
      case (status, headers, content):
        self.reply(status, content, headers)
      case _:
        self.reply(200, failure)

  def right_answer(self, body):
    if self.path == '/v1/chat/completions':
      return self.chat(body)
    if self.path == '/v1/completions':
      return self.echo(body)
    return self.generate(body)

  def chat(self, body):
    prompt = body['messages'][0]['content']
    message = {'role': 'assistant', 'content': self.text_for(prompt)}
    return {
      'id': 'one',
      'object': 'chat.completion',
      'created': 0,
      'model': body['model'],
      'choices': [
        {
          'index': 0,
          'finish_reason': 'stop',
          'message': message | self.server.message,
          **self.server.choice,
        }
      ],
      'usage': {'prompt_tokens': 8, 'completion_tokens': 2, 'total_tokens': 10},
    }

  def echo(self, body):
    """Each character is a token; its log-probability is minus its place."""
    tokens = list(body['prompt'])
    places = list(range(len(tokens)))
    logprobs = {
      'tokens': tokens,
      'text_offset': places,
      'token_logprobs': [None, *(-float(place) for place in places[1:])],
      'top_logprobs': [],
    }
    choice = {'index': 0, 'finish_reason': 'length', 'text': body['prompt']}
    return {
      'id': 'one',
      'object': 'text_completion',
      'created': 0,
      'model': body['model'],
      'choices': [{**choice, 'logprobs': logprobs}],
    }

  def generate(self, body):
    """As Gemini."""
    prompt = body['contents'][0]['parts'][0]['text']
    content = {'role': 'model', 'parts': [{'text': self.text_for(prompt)}]}
    candidate = {'content': content, 'finishReason': 'STOP', 'index': 0}
    return {
      'candidates': [candidate | self.server.candidate],
      'usageMetadata': {
        'promptTokenCount': 8,
        'candidatesTokenCount': 2,
        'thoughtsTokenCount': 5,
        'totalTokenCount': 15,
      },
    }

  def text_for(self, prompt):
    return self.server.says.get(prompt, f'to {prompt}')

  def reply(self, status, content, headers=()):
    as_text = isinstance(content, str)
    data = content.encode() if as_text else json.dumps(content).encode()
    kind = 'text/html' if as_text else 'application/json'
    self.send_response(status)
    self.send_header('content-type', kind)
    self.send_header('content-length', str(len(data)))
    for name, value in dict(headers).items():
      self.send_header(name, value)
    self.end_headers()
    self.wfile.write(data)


@pytest.fixture(scope='session')
def certificates():
  """The certificates of this machine, which take 0.1 s to load."""
  return ssl.create_default_context()


@pytest.fixture
def server(monkeypatch, certificates):
  """Runs the server; the key and the proxies of this machine are left out."""
  monkeypatch.setattr(ssl, 'create_default_context', lambda **_: certificates)
  monkeypatch.setenv('NO_PROXY', '*')
  monkeypatch.setenv('OPENAI_API_KEY', 'secret-key')
  monkeypatch.setenv('GEMINI_API_KEY', 'secret-key')
  with Server() as running:
    thread = threading.Thread(
      target=running.serve_forever, kwargs={'poll_interval': 0.01}
    )
    thread.start()
    yield running
    running.closing.set()
    running.shutdown()
    thread.join()


@pytest.fixture
def slept():
  """The seconds that the opened model was to sleep; it does not."""
  return []


@pytest.fixture
def open_model(server, slept, tmp_path):
  """Opens a model behind the server, of OpenAI's protocol unless told."""

  def opened(**changes):
    service = changes.get('service', 'openai')
    settings = {
      'service': service,
      'model': 'small-model',
      'url': server.url + ('/v1' if service == 'openai' else ''),
      'requests_per_minute': 10**9,
      'retries': 2,
      'timeout': 5.0,
      'cache': str(tmp_path / 'answers'),
    }

    async def sleep(seconds):
      slept.append(seconds)

    return RemoteLanguageModel(RemoteModel(**settings | changes), sleep=sleep)

  return opened
