from gemb.data.cleaning import Drop
from gemb.data.harvest import classes
from gemb.data.labels import Labelled


def row(id_, text, label='food', *, language='en'):
  return Labelled(id=id_, language=language, text=text, label=label)


def test_examples_come_of_distinct_texts_and_drops_are_counted():
  found = classes.harvest(
    [
      row('a', 'I want pizza'),
      row('b', 'I want PIZZA!'),
      row('c', '?!'),
      row('d', 'x' * 2001),
      Drop.SHORT_TEXT,
      row('e', 'Who won?', 'sports'),
    ],
    most=9,
  )
  assert [example.id for example in found.examples] == ['a:label', 'e:label']
  assert found.dropped == {
    Drop.DUPLICATE: 1,
    Drop.NEAR_EMPTY: 1,
    Drop.OVERLONG: 1,
    Drop.SHORT_TEXT: 1,
  }


def test_a_text_of_another_class_or_language_is_no_duplicate():
  rows = [
    row('a', 'Bon appetit'),
    row('b', 'Bon appetit', 'greetings'),
    row('c', 'Bon appetit', language='fr'),
  ]
  assert classes.harvest(rows, most=9).dropped == {}


def test_large_classes_are_cut_to_the_same_rows_in_any_order():
  rows = [row(f'{i}', f'pizza {i}') for i in range(50)]
  rows += [row('s', 'Who won?', 'sports')]
  found = classes.harvest(rows, most=10)
  assert found.dropped == {Drop.SURPLUS: 40}
  assert len({example.query for example in found.examples}) == 11
  assert classes.harvest(rows[::-1], most=10).examples == found.examples
