"""A language model whose answers are written down."""

import json

import numpy as np
import pytest

from gemb.curation.config import SynthesisConfig
from gemb.data.examples import Example, write_texts


class ScriptedModel:
  """Answers by the part that it knows and that stands last in a prompt.

  Attributes:
    answers: {a part of the prompt: its answer}; None: it refuses.
    probabilities: {a part of the prompt: of each label}.
    asked: prompts of answers so far; `seeds` are theirs.
    rated: prompts of choices so far.
    kill_at: how many answers it gives before it is interrupted; None: all.
  """

  def __init__(self, answers, probabilities=()):
    self.identity = {'model': 'scripted'}
    self.answers = dict(answers)
    self.probabilities = dict(probabilities)
    self.asked, self.rated, self.seeds = [], [], []
    self.kill_at = None

  def complete(self, prompts, *, seeds, max_tokens, temperature, stop='\n'):
    if self.kill_at is not None and len(self.asked) >= self.kill_at:
      raise KeyboardInterrupt
    self.asked += prompts
    self.seeds += seeds
    return [find(prompt, self.answers) for prompt in prompts]

  def likelihoods(self, contexts, texts):
    raise ValueError('Nothing that is written asks for likelihoods.')

  def choose(self, prompts, labels):
    self.rated += prompts
    even = [1 / len(labels)] * len(labels)
    found = [find(prompt, self.probabilities, even) for prompt in prompts]
    with np.errstate(divide='ignore'):
      return np.log(np.array(found, float))


def find(prompt, values, *otherwise):
  """Returns the value of the part that stands last in a prompt."""
  parts = [part for part in values if part in prompt]
  if not parts and otherwise:
    return otherwise[0]
  return values[max(parts, key=prompt.rfind)]


@pytest.fixture
def scripted():
  """Returns the class of scripted models."""
  return ScriptedModel


@pytest.fixture
def small():
  """Returns a function: settings -> a SynthesisConfig of short lists."""
  return lambda **given: SynthesisConfig(**{'items': 5, 'most': 4, **given})


@pytest.fixture
def texts(tmp_path, monkeypatch):
  """Returns a function: {id: positive} -> the texts of the task 'notes'."""
  monkeypatch.setenv('GEMB_DATA', str(tmp_path / 'data'))

  def write(positives):
    write_texts(
      'notes',
      'a test',
      [
        Example(id=name, language='en', query=f'about {name}', positive=text)
        for name, text in positives.items()
      ],
    )

  return write


@pytest.fixture
def rows_of():
  """Returns a function: a file -> its rows."""

  def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()[1:]]

  return read
