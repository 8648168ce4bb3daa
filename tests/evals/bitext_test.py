"""The choice of candidates, and accuracy by language."""

import dataclasses

import numpy as np
import pytest

from gemb.evals import bitext


def _pairs(language, count):
  return [
    bitext.BitextPair(
      id=f'{language}/{n}',
      language=language,
      query=f'{language} satz {n}',
      passage=f'sentence {n}',
    )
    for n in range(count)
  ]


def _select(pairs, *, most=500, least=1):
  return bitext.select_languages(
    pairs, max_candidates=most, min_candidates=least
  )


def _as_texts(language_set):
  return [
    (query, language_set.candidates[index])
    for query, index in zip(
      language_set.queries, language_set.positive, strict=True
    )
  ]


def test_each_query_points_at_its_own_translation():
  (chosen,) = _select(_pairs('de', 9)).values()
  assert sorted(_as_texts(chosen)) == [
    (f'de satz {n}', f'sentence {n}') for n in range(9)
  ]


def test_the_choice_does_not_depend_on_the_order_of_the_pairs():
  again = [
    dataclasses.replace(pair, id=f'again/{pair.id}', query=pair.query + '!')
    for pair in _pairs('de', 40)
  ]
  pairs = _pairs('de', 40) + _pairs('fr', 30) + again
  forwards, backwards = _select(pairs, most=7), _select(pairs[::-1], most=7)
  assert list(forwards) == list(backwards) == ['de', 'fr']
  for language in forwards:
    assert _as_texts(forwards[language]) == _as_texts(backwards[language])
    assert len(forwards[language].candidates) == 7


def test_another_language_does_not_disturb_the_choice():
  alone = _select(_pairs('de', 40), most=7)['de']
  among = _select(_pairs('fr', 30) + _pairs('de', 40), most=7)['de']
  assert _as_texts(alone) == _as_texts(among)


def test_the_choice_is_by_id():
  pairs = _pairs('de', 40)
  renamed = [
    bitext.BitextPair(
      id=pair.id + '?',
      language='de',
      query=pair.query,
      passage=pair.passage,
    )
    for pair in pairs
  ]
  first, second = _select(pairs, most=7)['de'], _select(renamed, most=7)['de']
  assert set(first.candidates) != set(second.candidates)


def test_equal_english_texts_are_one_candidate_of_several_queries():
  pairs = [
    bitext.BitextPair(id='1', language='de', query='Datei', passage='File'),
    bitext.BitextPair(id='2', language='de', query='Akte', passage='File'),
    bitext.BitextPair(id='3', language='de', query='Datei', passage='File'),
    bitext.BitextPair(id='4', language='de', query='Ordner', passage='Folder'),
  ]
  chosen = _select(pairs)['de']
  assert sorted(chosen.candidates) == ['File', 'Folder']
  assert sorted(_as_texts(chosen)) == [
    ('Akte', 'File'),
    ('Datei', 'File'),
    ('Ordner', 'Folder'),
  ]


def test_languages_with_few_texts_are_left_out():
  chosen = _select(_pairs('de', 5) + _pairs('fr', 4), least=5)
  assert list(chosen) == ['de']


def test_it_is_an_error_if_no_language_has_enough_texts():
  pairs = _pairs('de', 3) + _pairs('fr', 4)
  with pytest.raises(ValueError, match=r'None of 2 .* has 5 .*most is 4'):
    _select(pairs, least=5)
  with pytest.raises(ValueError, match='None of 0'):
    _select([])


@pytest.mark.parametrize(('least', 'most'), [(0, 5), (6, 5)])
def test_limits_that_cannot_hold_are_refused(least, most):
  with pytest.raises(ValueError, match='1 <= min <= max'):
    _select(_pairs('de', 9), least=least, most=most)


def test_accuracy_is_the_share_of_first_ranks():
  ranks = {'de': np.array([1, 2, 1, 1]), 'fr': np.array([3, 1])}
  assert bitext.accuracy_by_language(ranks) == {'de': 0.75, 'fr': 0.5}


def test_every_language_weighs_the_same():
  ranks = {'de': np.ones(99, np.int64), 'fr': np.array([2])}
  by_language = bitext.accuracy_by_language(ranks)
  assert bitext.mean_over_languages(by_language) == 0.5


def test_scores_of_nothing_are_refused():
  with pytest.raises(ValueError, match="'fr' has no query"):
    bitext.accuracy_by_language({'fr': np.array([], np.int64)})
  with pytest.raises(ValueError, match='no language'):
    bitext.mean_over_languages({})
