"""A folder as of `gemb mine`, and a language model of literal answers."""

import numpy as np
import pytest

from gemb.curation import candidates
from gemb.curation.candidates import Candidate, Mined
from gemb.curation.journal import Journal
from gemb.data import examples
from gemb.data.examples import Example

NAN = float('nan')


class FakeModel:
  """Answers from tables by the last passage of a prompt; 0 is not in them.

  Attributes:
    grades: {passage: its likeliest grade, of which it is sure; None: refused}.
    likelihoods_of: {passage: log-probability of any query after it}.
    qualities: {passage: probability of ' yes'}.
    asked: how many prompts were read.
    breaks_after: prompts, at which it fails; None: never.
  """

  def __init__(self, grades, likelihoods, qualities, breaks_after=None):
    self.grades = grades
    self.likelihoods_of = likelihoods
    self.qualities = qualities
    self.asked = 0
    self.breaks_after = breaks_after
    self.identity = {'model': 'fake'}

  def likelihoods(self, contexts, texts):
    self._count(contexts)
    assert all(text.startswith(' ') for text in texts)
    passages = [c.split('Passage: ')[1].split('\n')[0] for c in contexts]
    return np.array([self.likelihoods_of.get(p, -9.0) for p in passages])

  def choose(self, prompts, labels):
    self._count(prompts)
    if labels == [' yes', ' no']:
      passages = [p.split('\n')[-2].removeprefix('Answer: ') for p in prompts]
      yes = np.array([self.qualities.get(passage, 1.0) for passage in passages])
      return np.log(np.stack([yes, 1 - yes], 1) + 1e-30)
    assert labels == ['0', '1', '2', '3']
    passages = [p.split('\n')[-2].removeprefix('Passage: ') for p in prompts]
    rows = np.full((len(prompts), 4), -np.inf)
    for row, passage in zip(rows, passages, strict=True):
      grade = self.grades.get(passage, 0)
      if grade is None:
        row[:] = NAN
      else:
        row[grade] = 0
    return rows

  def complete(self, prompts, *, seeds, max_tokens, temperature, stop='\n'):
    raise NotImplementedError

  def _count(self, prompts):
    if self.breaks_after is not None and self.asked >= self.breaks_after:
      raise RuntimeError('The model has broken down.')
    self.asked += len(prompts)


@pytest.fixture
def fake_model():
  """Returns the class of a language model of literal answers."""
  return FakeModel


@pytest.fixture
def mined_folder(tmp_path, monkeypatch):
  """Returns a function: writes texts and mined rows of a task; the folder.

  Each row is (id, query, positive, neighbours): the first neighbour is the
  mined negative.
  """
  monkeypatch.setenv('GEMB_DATA', str(tmp_path / 'data'))

  def write(task, rows):
    examples.write_texts(
      task,
      'literal',
      [
        Example(id=name, language='en', query=query, positive=positive)
        for name, query, positive, _ in rows
      ],
    )
    folder = tmp_path / 'curated'
    about = {
      'kind': 'mined',
      'task': task,
      'texts': examples.texts_sha256(task),
    }
    journal = Journal(candidates.stage_path(folder, task, 'mined'), about)
    journal.add(candidates.to_row(mined(*row)) for row in rows)
    journal.finish()
    return folder

  return write


@pytest.fixture
def make_mined():
  """Returns a function: (id, query, positive, neighbours) -> a mined row."""
  return mined


def mined(name, query, positive, neighbours):
  return Mined(
    id=name,
    language='en',
    query=query,
    positive=Candidate(text=positive, similarity=0.9),
    candidates=tuple(
      Candidate(text=text, similarity=round(0.8 - place / 10, 1))
      for place, text in enumerate(neighbours)
    ),
    negatives=tuple(neighbours[:1]),
  )
