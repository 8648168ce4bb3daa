"""Local sets under the evaluators of the real mteb.

That the data stand where the evaluators look shows in `run_test.py`: an encoder
that knows all has the full score on each kind.
"""


def asked(library, *words):
  return [
    text
    for text in library['perfect']['first']['asked']
    if text.split()[-2] in words
  ]


def test_rows_of_train_are_not_scored_but_learned_from(library):
  # Similarity has the same texts in train and dev: one of the two is embedded.
  assert len(asked(library, 'left')) == 8
  assert len(asked(library, 'train')) == 32


def test_both_languages_are_scored(library):
  assert len(asked(library, 'satz')) == 24


def test_a_column_named_code_makes_it_code_retrieval(library):
  queries, passages = asked(library, 'to'), asked(library, 'function')
  assert len(queries) == len(passages) == 12
  assert set(text.rsplit(' ', 1)[0] for text in queries) == {
    'task: code retrieval | query: how to'
  }
  assert set(text.rsplit(' ', 1)[0] for text in passages) == {
    'title: none | text: def function'
  }
