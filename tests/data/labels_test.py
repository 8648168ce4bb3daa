import collections

from gemb.data import labels


def row(text, label, *, language='en'):
  return labels.Labelled(
    id=f'{language}:{text}', language=language, text=text, label=label
  )


ROWS = [
  row('I want pizza', 'food'),
  row('Soup is warm', 'food'),
  row('The match was lost', 'sports'),
  row('Who won?', 'sports'),
  row('Buy shares', 'money'),
]


def by_id(rows, **options):
  return {example.id: example for example in labels.contrast(rows, **options)}


def test_a_text_is_to_find_its_class_and_another_text_of_it():
  found = by_id(ROWS)
  named, other = found['en:Who won?:label'], found['en:Who won?:text']
  assert (named.query, named.positive) == ('Who won?', 'sports')
  assert sorted(named.negatives) == ['food', 'money']
  assert (other.query, other.positive) == ('Who won?', 'The match was lost')
  assert set(other.negatives) == {'I want pizza', 'Soup is warm', 'Buy shares'}
  assert named.label == other.label == 'sports'


def test_the_only_text_of_a_class_is_to_find_the_class_alone():
  assert [id_ for id_ in by_id(ROWS) if 'shares' in id_] == [
    'en:Buy shares:label'
  ]


def test_a_text_that_names_its_class_is_not_to_find_it():
  assert 'en:Food!:label' not in by_id([*ROWS, row('Food!', 'food')])


def test_a_text_that_says_the_same_is_neither_positive_nor_negative():
  rows = [row('Who won?', 'sports'), row('who won', 'sports'), *ROWS[:1]]
  found = by_id(rows)
  assert set(found) == {f'{row.id}:label' for row in rows}


def test_a_text_of_two_classes_is_contrasted_with_neither():
  rows = [*ROWS, row('Buy soup', 'food'), row('Buy soup.', 'money')]
  found = by_id(rows, negatives=9)
  assert found['en:Buy soup:label'].negatives == ('sports',)
  assert found['en:Buy soup.:label'].negatives == ('sports',)
  assert set(found['en:Buy soup:text'].negatives) == {
    'The match was lost',
    'Who won?',
  }
  assert 'Buy soup' not in found['en:I want pizza:text'].negatives


def test_negatives_come_from_as_many_classes_as_there_are():
  rows = [
    row(f'{label} {i}', label) for label in ('a', 'b', 'c') for i in range(9)
  ]
  found = by_id(rows)
  for example in found.values():
    if example.id.endswith(':text'):
      classes = collections.Counter(text[0] for text in example.negatives)
      assert sorted(classes.values()) == [2, 2]
      assert example.label not in classes


def test_texts_of_another_language_are_left_alone():
  german = [row('Wer gewann?', 'sports', language='de')]
  found = by_id([*ROWS, *german])
  assert found['de:Wer gewann?:label'].negatives == ()
  assert 'de:Wer gewann?:text' not in found
  assert by_id(ROWS).items() <= found.items()


def test_the_order_of_the_rows_changes_nothing():
  assert by_id(ROWS) == by_id(ROWS[::-1])


def test_one_class_alone_has_no_negatives():
  found = by_id(ROWS[:2])
  assert [example.negatives for example in found.values()] == [()] * 4


def test_no_rows_give_no_examples():
  assert list(labels.contrast([])) == []
