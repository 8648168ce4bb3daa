"""Evaluation texts that a training text is much like."""

import math

import pytest

from gemb.data.contamination.near import NearIndex
from gemb.data.contamination.settings import OverlapConfig
from gemb.data.contamination.words import read_words

TEXT = 'the old man walks his dog along the river bank every single morning'


@pytest.fixture
def find():
  """Looks training texts up; returns (training text, evaluation text): J."""

  def run(evaluation, training, **changes):
    chunks = [read_words(evaluation[:1]), read_words(evaluation[1:])]
    index = NearIndex(chunks, OverlapConfig(**changes))
    found = index.find(read_words(training))
    texts, owners, similarities = (x.tolist() for x in found)
    return dict(zip(zip(texts, owners, strict=True), similarities, strict=True))

  return run


def test_similarity_is_the_share_of_common_bigrams(find):
  changed = TEXT.replace('river', 'lake')  # 10 of 12 bigrams are left
  assert find(['x', TEXT], ['y', changed]) == {(1, 1): 10 / 14}


def test_common_bigrams_count_by_their_rarity(find):
  other = 'the old man sleeps in his chair all day long'
  # "the old" and "old man" are in both of two texts, 8 others in one.
  counted = 8 + 2 * math.log(2) / math.log(3)
  found = find([other, TEXT], [TEXT.replace('river', 'lake')])
  assert found == {(0, 1): pytest.approx(counted / 14)}


def test_a_common_phrase_is_no_match(find):
  phrase = 'how long does it take to get to'
  places = ['station', 'airport', 'museum', 'harbour', 'castle']
  evaluation = [f'{phrase} the {place}' for place in places]
  assert find(evaluation, [f'{phrase} my money back']) == {}
  # That one text alone has it makes the same words a match.
  found = find(['x', evaluation[0]], [f'{phrase} my money back'])
  assert found == {(0, 1): 7 / 12}


def test_words_in_another_order_are_another_text(find):
  assert find(['x', TEXT], [' '.join(sorted(TEXT.split()))]) == {}


def test_the_most_similar_is_told(find):
  evaluation = [
    TEXT.replace('man', 'woman').replace('river', 'lake'),
    TEXT.replace('dog', 'cat'),
    'nothing of the kind',
  ]
  assert set(find(evaluation, [TEXT, evaluation[0]])) == {(0, 1), (1, 0)}


def test_repeated_ngrams_count_once(find):
  text = 'again and again and again and again and now'
  # again and, and again, and now.
  assert find(['x', text], ['again and again and again and again and so']) == {
    (0, 1): 0.5
  }


@pytest.mark.parametrize('least', [0.71, 0.72])
def test_less_similar_texts_are_not_told(least, find):
  found = find(['x', TEXT], [TEXT.replace('river', 'lake')], similarity=least)
  assert bool(found) == (least < 10 / 14)


def test_short_texts_are_left_out(find):
  seven = 'delete all of these files from here'
  other = seven.replace('delete', 'remove')
  assert find(['x', seven], [other]) == {}
  assert find(['x', seven], [other], fewest_words=7) == {(0, 1): 5 / 7}


def test_nothing_is_like_no_evaluation_texts(find):
  assert find(['x', 'y'], [TEXT, '']) == {}
  assert find(['x', TEXT], []) == {}


def test_verifying_in_parts_gives_the_same(find, monkeypatch):
  from gemb.data.contamination import near

  evaluation = [TEXT.replace('dog', f'dog{i}') for i in range(30)]
  training = [TEXT.replace('river', f'river{i}') for i in range(30)]
  found = find(evaluation, [*training, *evaluation], similarity=0.1)
  monkeypatch.setattr(near, '_PAIRS_AT_ONCE', 7)
  again = find(evaluation, [*training, *evaluation], similarity=0.1)
  assert again == found
  assert {(30 + i, i) for i in range(30)} <= set(found)
  assert len(found) == 60
