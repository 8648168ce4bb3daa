"""Texts of made-up words, the same in every run."""

import random

import pytest


@pytest.fixture(scope='session')
def write_text():
  """Returns a function that makes texts: frequent words are most of them."""
  generator = random.Random(0)
  letters = 'abcdefghijklmnopqrstuvwxyz'
  vocabulary = [
    ''.join(generator.choices(letters, k=generator.randint(2, 9)))
    for _ in range(5000)
  ]
  weights = [1 / (10 + rank) for rank in range(5000)]

  def write(least=8, most=40):
    count = generator.randint(least, most)
    return ' '.join(generator.choices(vocabulary, weights, k=count))

  return write
