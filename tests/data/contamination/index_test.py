"""How often planted texts are found, and others taken for them."""

import pytest

from gemb.data.contamination import index as index_lib
from gemb.data.contamination.index import Index, chunks_of

# What may become of an evaluation text on its way into training data.
COPIES = {
  'as it is': lambda words: ' '.join(words),
  'in upper case': lambda words: ' '.join(words).upper(),
  'with punctuation': lambda words: f'"{", ".join(words)}!"',
  'on lines': lambda words: '\n  '.join(words),
}
CHANGES = {
  'the last fifth is another': lambda words, others: [
    *words[: len(words) - len(words) // 5],
    *others[: len(words) // 5],
  ],
  'every fifth word is another': lambda words, others: [
    others[i] if i % 5 == 4 else word for i, word in enumerate(words)
  ],
}


@pytest.fixture(scope='session')
def planted(write_text):
  """Returns 600 evaluation texts, and an index of them among others."""
  texts = [write_text() for _ in range(600)]
  others = [write_text(1, 40) for _ in range(3000)]
  return texts, Index({'planted': texts, 'others': others})


def share_found(index, texts, kinds):
  found = index.find(texts)
  return sum(m is not None and m.kind in kinds for m in found) / len(texts)


@pytest.mark.parametrize('copy', COPIES.values(), ids=COPIES)
def test_copies_are_found_whatever_their_case_and_punctuation(copy, planted):
  texts, index = planted
  copies = [copy(text.split()) for text in texts]
  assert share_found(index, copies, {'exact'}) == 1


@pytest.mark.parametrize('change', CHANGES.values(), ids=CHANGES)
def test_texts_with_four_fifths_of_the_words_are_found(
  change, planted, write_text
):
  texts, index = planted
  changed = [
    ' '.join(change(text.split(), write_text(40).split())) for text in texts
  ]
  assert share_found(index, changed, {'near', 'containing'}) >= 0.98


def test_texts_within_longer_ones_are_found(planted, write_text):
  texts, index = planted
  around = [f'{write_text()}. {text}; {write_text()}' for text in texts]
  assert share_found(index, around, {'containing'}) == 1


def test_texts_of_their_own_are_hardly_ever_taken_for_one(planted, write_text):
  _, index = planted
  texts = [write_text() for _ in range(5000)]
  assert share_found(index, texts, {'exact', 'containing', 'near'}) < 0.001


def test_a_match_says_which_text_of_which_sets_it_is():
  index = Index({'a': ['Sign in', 'x'], 'b': ['SIGN IN!'], 'c': ['y']})
  (match,) = index.find(['sign in?'])
  assert (match.kind, match.similarity) == ('exact', 1.0)
  assert (match.text, match.sets) == ('Sign in', ('a', 'b'))


def test_short_texts_that_differ_in_one_word_are_others():
  index = Index({'a': ['Delete the selected file now', 'Yes']})
  assert index.find(['Open the selected file now', 'No', '']) == [None] * 3
  assert index.find(['yes.'])[0].kind == 'exact'


def test_texts_without_spaces_are_compared_by_characters():
  index = Index({'a': ['私は毎朝六時に起きて、駅まで歩いて行きます。']})
  same, near, other = index.find(
    [
      '私は毎朝六時に起きて駅まで歩いて行きます',
      '私は毎朝七時に起きて、駅まで歩いて行きます。',
      '彼女は昨日の夜に東京で友達と映画を見ました。',
    ]
  )
  assert same.kind == 'exact'  # though a comma is missing
  assert near.kind == 'near'
  assert other is None


def test_sets_are_known_by_number_and_checksum_of_their_texts():
  sets = Index({'a': ['x', 'y', 'X!', '?'], 'b': ['y', 'x'], 'c': ['x']}).sets
  assert [about['texts'] for about in sets.values()] == [2, 2, 1]
  assert sets['a'] == sets['b']
  assert sets['a']['content'] != sets['c']['content']


@pytest.mark.parametrize(
  ('sets', 'complaint'),
  [
    ({}, 'There is no evaluation set'),
    ({'a': ['x'], 'b': []}, "'b' has no texts"),
    ({'b': ['', '?!']}, "'b' has no texts"),
  ],
)
def test_sets_without_texts_are_refused(sets, complaint):
  with pytest.raises(ValueError, match=complaint):
    Index(sets)


def test_no_texts_have_no_matches():
  assert Index({'a': ['x']}).find([]) == []


def test_chunks_are_bounded_by_number_and_by_length(monkeypatch):
  monkeypatch.setattr(index_lib, '_TEXTS_AT_ONCE', 3)
  monkeypatch.setattr(index_lib, '_CHARACTERS_AT_ONCE', 10)
  texts = ['a', 'b', 'c', 'd' * 9, 'e' * 20, 'f', 'g' * 50, 'h']
  assert [len(chunk) for chunk in chunks_of(texts, len)] == [3, 2, 2, 1]
  assert [t for chunk in chunks_of(texts, len) for t in chunk] == texts
  assert list(chunks_of([], len)) == []


def test_chunks_do_not_change_what_is_found(planted, monkeypatch):
  texts, whole = planted
  monkeypatch.setattr(index_lib, '_TEXTS_AT_ONCE', 7)
  index = Index({'planted': texts[:100]})
  assert [match.text for match in index.find(texts[:100])] == texts[:100]
  assert len({m.text for m in whole.find(texts)}) == len(set(texts))
