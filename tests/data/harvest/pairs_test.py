import dataclasses

import pytest

from gemb.data.cleaning import Drop
from gemb.data.harvest import pairs


def pair(id_, query, positive, *, group='light', language='de'):
  return pairs.Pair(
    id=id_, group=group, language=language, query=query, positive=positive
  )


def test_pairs_are_cleaned_and_reasons_passed_on():
  found = pairs.cleaned(
    [pair('a', '<b>An</b>', 'On'), Drop.UNPAIRED, pair('b', 'OK', 'Ok')]
  )
  assert list(found) == [
    pair('a', 'An', 'On'),
    Drop.UNPAIRED,
    Drop.IDENTICAL,
  ]


def test_drops_are_counted_by_reason():
  found = pairs.harvest(
    [Drop.IDENTICAL, pair('a', 'An', 'On'), Drop.IDENTICAL, Drop.ENGLISH],
    one_sided=False,
  )
  assert found.dropped == {Drop.IDENTICAL: 2, Drop.ENGLISH: 1}
  assert [example.id for example in found.examples] == ['a']


def test_a_pair_is_a_duplicate_within_its_language_only():
  found = pairs.harvest(
    [
      pair('a', 'Bot', 'Bot'),
      pair('b', 'Bot', 'Bot'),
      pair('c', 'Bot', 'Bot', language='nl'),
      pair('d', 'Robot', 'Bot'),
    ],
    one_sided=False,
  )
  assert [example.id for example in found.examples] == ['a', 'c', 'd']
  assert found.dropped == {Drop.DUPLICATE: 1}


def test_a_function_is_a_duplicate_by_either_side():
  found = pairs.harvest(
    [
      pair('a', 'Add one.', 'def f'),
      pair('b', 'Add one.', 'def g'),
      pair('c', 'Add two.', 'def f'),
      pair('d', 'Add three.', 'def h'),
    ],
    one_sided=True,
  )
  assert [example.id for example in found.examples] == ['a', 'd']
  assert found.dropped == {Drop.DUPLICATE: 2}


def test_a_negative_is_another_text_of_the_same_group():
  found = pairs.harvest(
    [
      pair('a', 'An', 'On'),
      pair('b', 'Aus', 'Off'),
      pair('c', 'Offen', 'Open', group='door'),
      pair('d', 'Zu', 'Closed', group='door'),
    ],
    one_sided=False,
  )
  negatives = {example.id: example.negatives for example in found.examples}
  assert negatives == {
    'a': ('Off',),
    'b': ('On',),
    'c': ('Closed',),
    'd': ('Open',),
  }


def test_a_negative_never_says_the_same_as_the_positive():
  found = pairs.harvest(
    [pair(f'{i}', f'Text {i}', text) for i, text in enumerate(['On', 'ON.'])],
    one_sided=False,
  )
  assert [example.negatives for example in found.examples] == [(), ()]


def test_negatives_are_all_different_and_no_more_than_the_most():
  found = pairs.harvest(
    [pair(f'{i}', f'Text {i}', f'word {i}') for i in range(20)],
    one_sided=False,
  )
  for example in found.examples:
    texts = {example.positive, *example.negatives}
    assert len(texts) == 1 + pairs.MAX_NEGATIVES


def test_an_answer_to_the_same_query_is_no_negative():
  found = pairs.harvest(
    [
      pair('a', 'Wie geht es?', 'Fine.'),
      pair('b', 'Wie geht es', 'Not so well.'),
      pair('c', 'Wer bist du?', 'A program.'),
      pair('d', 'Wie geht es?', 'Bad.', language='nl'),
    ],
    one_sided=False,
  )
  negatives = {e.id: sorted(e.negatives) for e in found.examples}
  assert negatives['a'] == negatives['b'] == ['A program.', 'Bad.']
  assert negatives['c'] == ['Bad.', 'Fine.', 'Not so well.']


def test_a_text_of_the_same_label_is_no_negative():
  pairs_ = [
    pair('a', 'An', 'On'),
    pair('b', 'Aus', 'Off'),
    pair('c', 'Offen', 'Open'),
  ]
  labels = 'switch', 'switch', ''
  found = pairs.harvest(
    [
      dataclasses.replace(given, label=label)
      for given, label in zip(pairs_, labels, strict=True)
    ],
    one_sided=False,
  )
  assert [example.label for example in found.examples] == [*labels]
  assert [sorted(example.negatives) for example in found.examples] == [
    ['Open'],
    ['Open'],
    ['Off', 'On'],
  ]


def test_a_pair_of_another_group_changes_no_negative():
  given = [pair(f'{i}', f'Text {i}', f'word {i}') for i in range(20)]
  more = [pair('x', 'Offen', 'Open', group='door'), *given]
  alone = pairs.harvest(given, one_sided=False).examples
  assert pairs.harvest(more, one_sided=False).examples[1:] == alone


def test_every_other_text_of_the_group_can_be_a_negative(monkeypatch):
  monkeypatch.setattr(pairs, 'MAX_NEGATIVES', 1)
  texts = ['Red', 'Green', 'Blue', 'White']
  found = pairs.harvest(
    [
      pair(f'{text}:{i}', f'{text} {i}', text)
      for text in texts
      for i in range(50)
    ],
    one_sided=False,
  )
  chosen = {text: set() for text in texts}
  for example in found.examples:
    chosen[example.positive].update(example.negatives)
  assert chosen == {text: set(texts) - {text} for text in texts}


def test_the_order_of_the_pairs_does_not_change_the_negatives():
  given = [pair(f'{i}', f'Text {i}', f'word {i}') for i in range(20)]
  forth = pairs.harvest(given, one_sided=False).examples
  back = pairs.harvest(given[::-1], one_sided=False).examples
  assert forth == back[::-1]


def test_two_pairs_with_the_same_id_are_an_error():
  with pytest.raises(ValueError, match="Two pairs have the id 'a'"):
    pairs.harvest(
      [pair('a', 'An', 'On'), pair('a', 'Aus', 'Off')], one_sided=False
    )
