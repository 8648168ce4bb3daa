"""Words as numbers: where they begin, and what is the same."""

import numpy as np
import pytest

from gemb.data.contamination import words
from gemb.data.contamination.words import read_words
from gemb.data.examples import normalise


def read(*texts):
  return read_words([normalise(text) for text in texts])


@pytest.mark.parametrize(
  ('text', 'count'),
  [
    ('', 0),
    ('?!', 0),
    ('Sign in, please…', 3),
    ('def f(x): return x_1', 5),
    ('文字', 2),
    ('これはGemma 3です。', 7),
    ('วันนี้ 42', 4),  # the signs above the line are no letters to \w
    ('한국어 문장', 2),
    ('𠀋𠀋 b', 3),
  ],
)
def test_scripts_without_spaces_have_a_word_a_character(text, count):
  assert read(text).counts.tolist() == [count]


def test_two_characters_without_spaces_are_as_long_as_a_word():
  found = read('', 'one two', '文字', 'これはGemma 3です。')
  assert found.lengths.tolist() == [0, 2, 1, 4.5]


def test_texts_are_as_their_words_are():
  found = read('Sign in', 'SIGN  in!', 'in sign', 'signin', 'sign', '').texts()
  assert found[0] == found[1]
  assert len(set(found.tolist())) == 5


def test_a_text_is_the_same_wherever_it_stands():
  alone = read('a b c').texts()[0]
  assert read('x y z', '', 'a b c', 'd').texts()[2] == alone


def test_spaces_between_words_of_one_character_do_not_count():
  a, b = read('鍵は、どこですか。', '鍵はどこですか').texts()
  assert a == b


def test_stretches_are_as_texts_of_their_own():
  found = read('a b c d e').stretches(np.array([2]), np.array([4]))
  assert found[0] == read('c d').texts()[0]


def test_words_in_a_row_do_not_cross_texts():
  first, texts = read('a b c', 'd', '', 'e f').in_a_row(2)
  assert first.tolist() == [0, 1, 4]
  assert texts.tolist() == [0, 0, 3]


def test_short_texts_can_be_left_out():
  found = read('a b', 'a b c', '文字', 'e f g')
  assert found.in_a_row(2, least=3)[1].tolist() == [1, 1, 3, 3]
  assert found.ngrams(2, least=3)[0].tolist() == [1, 1, 3, 3]


def test_ngrams_are_a_set_of_each_text_ascending():
  texts, grams = read('a b a b a', 'a b', 'c').ngrams(2)
  assert texts.tolist() == [0, 0, 1]  # "a b" and "b a"; "a b"
  assert grams[0] < grams[1]
  assert grams[2] in grams[:2]


def test_the_numbers_are_the_same_on_every_machine():
  assert read('Sign in', '鍵').texts().tolist() == [
    5498218895842221495,
    10376001818117602270,
  ]


def test_no_texts_have_no_words():
  for found in read_words([]), read('', '?'):
    assert not len(found.hashes)
    assert not len(found.in_a_row(1)[0])
    assert not len(found.ngrams(2)[0])


def test_too_many_texts_at_once_are_refused():
  with pytest.raises(ValueError, match='give at most 1,048,576'):
    read_words([''] * (2**20 + 1))


def test_powers_have_their_inverses():
  base, inverse = words.powers(1000)
  assert base.shape == (1001,)
  assert (base * inverse == 1).all()


def test_words_hardly_ever_collide():
  found = read(' '.join(map(str, range(200_000)))).hashes
  assert len(np.unique(found)) == 200_000
  # All bits are as good as random: those of the top, and of the bottom.
  for bits in found >> np.uint64(54), found & np.uint64(1023):
    assert np.bincount(bits.astype(int), minlength=1024).std() < 20


def test_ranges_stand_in_one_row():
  found = words.ranges(np.array([5, 0, 9]), np.array([2, 0, 3]))
  assert found.tolist() == [5, 6, 9, 10, 11]
