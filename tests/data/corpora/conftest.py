"""Corpora made of tiny archives."""

import pytest


@pytest.fixture
def read(data_folder):
  """Prepares a corpus; returns the rows of its only split, sorted by id."""
  from gemb.data import corpora

  def read_corpus(name):
    builder = corpora.prepare(name)
    split = 'test' if name in corpora.HELD_OUT else 'train'
    assert list(builder.info.splits) == [split]
    found = builder.as_dataset(split=split, shuffle_files=True)
    return sorted(found.as_numpy_iterator(), key=lambda row: row['id'])

  return read_corpus
