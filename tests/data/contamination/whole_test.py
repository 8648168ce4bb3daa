"""Evaluation texts found word by word: alone, and within longer texts."""

import pytest

from gemb.data.contamination.whole import WholeIndex
from gemb.data.contamination.words import read_words

LONG = 'one two three four five six seven eight nine'


@pytest.fixture
def find():
  """Looks training texts up among evaluation texts, in two chunks."""

  def run(evaluation, training):
    chunks = [read_words(evaluation[:1]), read_words(evaluation[1:])]
    index, words = WholeIndex(chunks, stretch=8), read_words(training)
    return tuple(
      list(zip(*(x.tolist() for x in pairs), strict=True))
      for pairs in (index.same(words), index.contained(words))
    )

  return run


def test_the_same_words_are_found_however_few(find):
  same, contained = find(['yes', 'no way', ''], ['', 'no way', 'way no', 'yes'])
  assert same == [(1, 1), (3, 0)]
  assert contained == []


@pytest.mark.parametrize('around', ['{}', 'a {}', '{} b', 'a a {} b b b'])
def test_a_long_text_is_found_within_another(around, find):
  _, contained = find(['x', 'y', LONG], ['z', around.format(LONG)])
  assert contained == [(1, 2)]


@pytest.mark.parametrize(
  'text',
  [
    LONG.removesuffix(' nine'),
    LONG.removeprefix('one '),
    LONG.replace('five', '5'),
    'one one two three four five six seven eight',
  ],
)
def test_all_words_have_to_be_there(text, find):
  assert find(['x', LONG], [text, 'nine', 'one']) == ([], [])


def test_a_text_of_fewer_words_is_not_found_within_another(find):
  seven = 'one two three four five six seven'
  same, contained = find(['x', seven], [f'{seven} eight', seven])
  assert same == [(1, 1)]
  assert contained == []


def test_texts_that_begin_alike_are_told_apart(find):
  head = 'this is how all of these texts begin'
  evaluation = [f'{head} but number {i} differs' for i in range(50)]
  _, contained = find(evaluation, [f'and {evaluation[7]} indeed'])
  assert contained == [(0, 7)]


def test_one_text_may_contain_several(find):
  other = 'a b c d e f g h'
  _, contained = find([LONG, other], [f'{other} and {LONG}'])
  assert sorted(contained) == [(0, 0), (0, 1)]


def test_characters_are_words_where_there_are_no_spaces(find):
  text = '私は毎朝六時に起きて駅まで歩く'
  _, contained = find(['x', text], [f'昨日から{text}ことにした'])
  assert contained == []  # 15 characters are too few
  text += 'よ'
  _, contained = find(['x', text], [f'昨日から{text}と言った'])
  assert contained == [(0, 1)]
