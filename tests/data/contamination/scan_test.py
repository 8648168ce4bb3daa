"""Whole tasks, looked up in evaluation sets."""

import re

import pytest

from gemb.data import examples
from gemb.data.contamination import index as index_lib
from gemb.data.contamination.index import Index
from gemb.data.contamination.scan import scan
from gemb.data.examples import Example

LONG = 'the old man walks his dog along the river bank every single morning'
SETS = {
  'walks': [LONG, 'Where is the key?'],
  'keys': ['Where is the key'],
}
TEXTS = [
  ('exact', 'where is the KEY', 'Wo ist der Schlüssel?'),
  ('positive', 'Wer geht da?', LONG.capitalize()),
  ('within', 'Wer?', f'I know that {LONG}.'),
  ('near', LONG.replace('river', 'lake'), 'Ein Mann geht.'),
  ('both', LONG.replace('river', 'lake'), 'Where is the key?'),
  ('other', 'Something else entirely', 'etwas anderes'),
  ('empty', '?', ''),
]


@pytest.fixture(autouse=True)
def task(data_folder):
  """Writes the texts of a task."""

  def as_example(name, query, positive):
    negatives = ('Where is the key?',)  # of which no account is taken
    return Example(
      id=name,
      language='und',
      query=query,
      positive=positive,
      negatives=negatives,
    )

  examples.write_texts('mine', 'source/1', [as_example(*t) for t in TEXTS])


def test_each_example_counts_once_for_what_is_surest_of_its_sides():
  found = scan(['mine'], Index(SETS)).tasks['mine']
  assert (found.exact, found.containing, found.near) == (3, 1, 1)
  assert (found.examples, found.source) == (7, 'source/1')
  assert found.ids == ['exact', 'positive', 'within', 'near', 'both']
  assert found.sets == {'walks': 5, 'keys': 2}


def test_samples_show_both_texts_and_where_they_are_from():
  found = scan(['mine'], Index(SETS)).tasks['mine']
  samples = {sample.id: sample for sample in found.samples}
  assert samples.keys() == set(found.ids)
  assert samples['both'].side == 'positive'
  near = samples['near']
  assert (near.side, near.kind, near.sets) == ('query', 'near', ['walks'])
  assert near.similarity == 0.714
  assert near.text == LONG.replace('river', 'lake')
  assert near.evaluation == LONG


def test_the_most_doubtful_samples_are_kept():
  changed = ['dog', 'man dog', 'dog every', 'bank', 'man bank']
  texts = [' '.join(w for w in LONG.split() if w not in c) for c in changed]
  rows = [
    Example(id=str(i), language='en', query=text, positive='x')
    for i, text in enumerate(texts * 3)
  ]
  examples.write_texts('mine', 'source/2', rows)
  found = scan(['mine'], Index(SETS), most_samples=2).tasks['mine']
  assert found.near == 15
  everything = scan(['mine'], Index(SETS), most_samples=99).tasks['mine']
  least = sorted(sample.similarity for sample in everything.samples)[:2]
  assert [sample.similarity for sample in found.samples] == least


def test_texts_in_samples_are_cut_short_and_can_be_written(tmp_path):
  text = f'{LONG} \ud800 ' * 50
  examples.write_texts(
    'mine', 's', [Example(id='a', language='en', query='x', positive=LONG * 50)]
  )
  report = scan(['mine'], Index({'a': [LONG * 50], 'b': [text]}))
  (sample,) = report.tasks['mine'].samples
  assert len(sample.text) == len(sample.evaluation) == 200
  report.write(tmp_path / 'report.json')


def test_chunks_do_not_change_what_is_found(monkeypatch):
  whole = scan(['mine'], Index(SETS))
  monkeypatch.setattr(index_lib, '_TEXTS_AT_ONCE', 2)
  assert scan(['mine'], Index(SETS)) == whole


def test_texts_that_are_not_there_are_an_error_that_says_how_to_make_them():
  with pytest.raises(
    FileNotFoundError, match=re.escape("'other' are not at")
  ) as error:
    scan(['mine', 'other'], Index(SETS))
  assert 'run `gemb cache`' in str(error.value)
