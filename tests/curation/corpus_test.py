import numpy as np
import pytest

from gemb.curation.corpus import Corpus
from gemb.data import examples
from gemb.data.examples import Example

EXAMPLES = [
  Example(
    id='1', language='de', query='Tür', positive='door', negatives=('dog', 'é')
  ),
  Example(id='2', language='de', query='Hund', positive='dog'),
  Example(id='3', language='fr', query='tür!', positive='gate'),
  Example(id='4', language='en', query='Door', positive='entry', label='way'),
  Example(id='5', language='en', query='lane', positive='path', label='way'),
  Example(
    id='6', language='en', query='?', positive='+', negatives=('Dog.', '-')
  ),
]
PASSAGES = ['door', 'dog', 'é', 'gate', 'entry', 'path', '+', 'Dog.', '-']


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
  monkeypatch.setenv('GEMB_DATA', str(tmp_path))


@pytest.fixture
def corpus():
  examples.write_texts('task', 'source', EXAMPLES)
  return Corpus('task')


def test_passages_are_numbered_as_they_first_come(corpus):
  assert len(corpus) == 9
  assert [corpus.text(n) for n in range(9)] == PASSAGES
  assert corpus.positives.tolist() == [0, 1, 3, 4, 5, 6]


@pytest.mark.parametrize('first', range(10))
def test_passages_are_read_from_any_on(corpus, first):
  assert list(corpus.texts(first)) == PASSAGES[first:]


@pytest.mark.parametrize('first', range(7))
def test_examples_are_read_from_any_on(corpus, first):
  assert list(corpus.examples(first)) == EXAMPLES[first:]


def test_texts_with_the_same_letters_have_one_key(corpus):
  keys = [corpus.key(n) for n in range(9)]
  assert keys[1] == keys[7] and len(set(keys)) == 8


def test_what_a_task_gives_as_answers_is_told(corpus):
  every = np.tile(np.arange(9), (6, 1))
  found = corpus.answers(np.arange(6), every)
  answers = [[PASSAGES[n] for n in np.flatnonzero(row)] for row in found]
  assert answers == [
    ['door', 'gate'],  # that of the same query too
    ['dog', 'Dog.'],  # the same letters
    ['door', 'gate'],
    ['door', 'entry', 'path'],  # itself; its label's
    ['entry', 'path'],
    ['+'],
  ]


def test_an_id_that_comes_twice_is_named():
  examples.write_texts('task', 'source', [*EXAMPLES, EXAMPLES[1]])
  with pytest.raises(ValueError, match="more than one example with id '2'"):
    Corpus('task')


def test_a_task_without_examples_is_refused():
  examples.write_texts('task', 'source', [])
  with pytest.raises(ValueError, match="Task 'task' has no examples to mine"):
    Corpus('task')


def test_texts_that_were_not_made_are_told():
  with pytest.raises(FileNotFoundError, match='run `gemb cache`'):
    Corpus('task')
