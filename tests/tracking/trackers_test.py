import dataclasses
import json
import threading

import pytest

from gemb.tracking import trackers
from gemb.tracking.trackers import Tracker


@dataclasses.dataclass
class Service:
  """Keeps what it gets; `knows` is what it says it had before."""

  identity: str = 'new'
  knows: dict | None = None
  fails: bool = False
  title: str = 'The service'

  def __post_init__(self):
    self.lines, self.outcomes = [], []
    self.logged = self.knows

  def log(self, kind, step, values):
    if self.fails:
      raise OSError('https://me:secret@service.example/ is gone')
    self.lines.append((kind, step, values))

  def close(self, outcome):
    self.outcomes.append(outcome)


@pytest.fixture
def follow(tmp_path):
  """Sends the training lines of some steps, as one start of a run would."""

  def send(*steps, **service):
    opened = []

    def open_service(identity):
      opened.append(Service(**{'identity': identity or 'new', **service}))
      return opened[0]

    tracker = Tracker(open_service, tmp_path / 'service.json')
    for step in steps:
      tracker.log(step, {'loss': float(step)})
    tracker.close('finished')
    return opened[0]

  return send


def test_a_service_gets_every_line_in_order_and_how_it_ended(follow):
  service = follow(1, 2, 3)
  assert service.lines == [('training', n, {'loss': n}) for n in (1, 2, 3)]
  assert service.outcomes == ['finished']


def test_another_start_goes_on_in_the_same_run(follow):
  assert follow(1, identity='abc').identity == 'abc'
  assert follow(2).identity == 'abc'


def test_lines_that_were_sent_before_are_dropped(follow):
  follow(1, 2, 3, 4)
  assert [step for _, step, _ in follow(3, 4, 5).lines] == [5]
  assert [step for _, step, _ in follow(3).lines] == []
  assert [step for _, step, _ in follow(5, 6).lines] == [6]


def test_a_service_that_knows_what_it_has_is_believed(follow):
  follow(1, 2, 3, 4)
  lines = follow(2, 3, 4, 5, knows={'training': 2}).lines
  assert [step for _, step, _ in lines] == [3, 4, 5]


def test_a_step_has_a_line_of_its_training_and_one_of_its_evaluation(
  follow, tmp_path
):
  follow(4)
  service = Service(identity='new')
  tracker = Tracker(lambda identity: service, tmp_path / 'service.json')
  tracker.log(4, {'loss': 1.0})
  tracker.log(4, {'eval/bitext/accuracy@16': 0.5})
  tracker.close('stopped')
  assert service.lines == [('evaluation', 4, {'eval/bitext/accuracy@16': 0.5})]
  kept = json.loads((tmp_path / 'service.json').read_text())
  assert kept == {'run': 'new', 'logged': {'training': 4, 'evaluation': 4}}


def test_a_service_that_fails_is_told_of_once_and_stops_nothing(follow, capsys):
  assert follow(1, 2, 3, fails=True).outcomes == ['finished']
  out = capsys.readouterr().out
  assert out.count('did not get all lines') == 1
  assert 'https://service.example/ is gone' in out and 'secret' not in out
  # What it did not get is sent when the run goes on.
  assert [step for _, step, _ in follow(2, 3).lines] == [2, 3]


def test_a_service_that_does_not_answer_does_not_keep_the_run(
  tmp_path, monkeypatch, capsys
):
  monkeypatch.setattr(trackers, '_CLOSING_SECONDS', 0.05)
  answer = threading.Event()
  service = Service()
  monkeypatch.setattr(service, 'log', lambda *_: answer.wait())
  tracker = Tracker(lambda identity: service, tmp_path / 'service.json')
  tracker.log(1, {'loss': 1.0})
  tracker.close('finished')
  answer.set()
  out = capsys.readouterr().out
  assert 'some were not sent 0.05 s after its end' in out
  assert 'training goes on' not in out
