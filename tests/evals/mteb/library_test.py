"""What is set before mteb is imported, without mteb."""

import http.server
import os
import re
import sys
import threading
import types

import pytest

from gemb.evals.mteb import library


@pytest.fixture
def environment(monkeypatch):
  """Sets an environment that is forgotten after the test."""
  variables = {}
  monkeypatch.setattr(os, 'environ', variables)
  monkeypatch.setitem(sys.modules, 'mteb', types.ModuleType('mteb'))
  return variables


class Refuses(http.server.BaseHTTPRequestHandler):
  def do_HEAD(self):
    self.send_error(403)

  def log_message(self, *_):
    pass


@pytest.fixture
def hub():
  """Runs a server that refuses; returns its address."""
  with http.server.HTTPServer(('127.0.0.1', 0), Refuses) as server:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()
    thread.join()


def test_a_hub_that_answers_is_used(environment, hub, tmp_path):
  environment['HF_ENDPOINT'] = hub
  library.prepare(tmp_path, needs_hub=True)
  assert 'HF_HUB_OFFLINE' not in environment


def test_a_hub_that_does_not_answer_is_left_alone(
  environment, tmp_path, capsys
):
  environment['HF_ENDPOINT'] = 'http://127.0.0.1:9'
  library.prepare(tmp_path, needs_hub=True)
  assert environment['HF_HUB_OFFLINE'] == '1'
  assert capsys.readouterr().out == (
    'http://127.0.0.1:9 does not answer: only data sets in its cache are '
    'used.\n'
  )


def test_local_files_ask_no_hub(environment, tmp_path, capsys):
  environment['HF_ENDPOINT'] = 'http://127.0.0.1:9'
  library.prepare(tmp_path, needs_hub=False)
  assert environment['HF_HUB_OFFLINE'] == '1'
  assert not capsys.readouterr().out


def test_who_works_offline_asks_no_hub(environment, hub, tmp_path):
  environment.update(HF_ENDPOINT=hub, HF_HUB_OFFLINE='1')
  library.prepare(tmp_path, needs_hub=True)
  assert environment['HF_HUB_OFFLINE'] == '1'


def test_nothing_is_written_outside_the_work_folder(environment, tmp_path):
  library.prepare(tmp_path, needs_hub=False)
  assert environment['MTEB_CACHE'] == str(tmp_path)


def test_without_mteb_it_says_how_to_get_it(environment, tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, 'mteb', None)
  message = "needs mteb, which is not installed: pip install -e '.[mteb]'"
  with pytest.raises(ValueError, match=re.escape(message)):
    library.prepare(tmp_path, needs_hub=False)
