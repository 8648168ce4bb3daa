"""The BM25 baseline: tokens, scores and ties."""

import math
import subprocess
import sys

import bm25s
import numpy as np
import pytest

from gemb.evals import bm25

_PASSAGES = ['the cat sat', 'the dog sat', 'the cat saw the dog', 'a bird']


@pytest.mark.parametrize(
  ('text', 'tokens'),
  [
    ('Hello, World!', ['hello', 'world']),
    ('read_csv', ['read', 'csv']),
    ('__init__', ['init']),
    ('readCsvFile', ['read', 'csv', 'file']),
    ('HTTPServer', ['http', 'server']),
    ('sha256Hash', ['sha256', 'hash']),
    ('Conv2D conv2d', ['conv2d', 'conv2d']),
    ('Änderungen über Straße', ['änderungen', 'über', 'straße']),
    ('Привет мир 你好', ['привет', 'мир', '你好']),
    ('... -- ', []),
    ('', []),
  ],
)
def test_tokens_are_lower_cased_words_and_parts_of_identifiers(text, tokens):
  assert bm25.tokenize(text) == tokens


def test_the_passage_with_the_words_of_the_query_comes_first():
  ranks = bm25.bm25_ranks(
    ['Cat sat?', 'the dog sat', 'bird'], _PASSAGES, np.array([0, 1, 3])
  )
  assert ranks.tolist() == [1, 1, 1]


def test_scores_are_those_of_lucene_by_hand():
  # 'bird' stands in 1 of 4 passages, once, in one of 2 words; the mean length
  # is 3.25 words. The order of passages alone would hide a wrong formula.
  inverse_frequency = math.log(1 + (4 - 1 + 0.5) / (1 + 0.5))
  saturation = 1 / (1 + 1.5 * (1 - 0.75 + 0.75 * 2 / 3.25))
  np.testing.assert_allclose(
    bm25._make_scorer(_PASSAGES)('bird'),
    [0, 0, 0, inverse_frequency * saturation],
    rtol=1e-6,
  )


def test_equally_good_passages_go_before_the_positive():
  ranks = bm25.bm25_ranks(['bird'], ['bird a', 'bird b', 'c'], np.array([0]))
  assert ranks.tolist() == [2]


@pytest.mark.parametrize('query', ['zebra', '', '!!'])
def test_a_query_without_known_tokens_gets_the_worst_rank(query):
  assert bm25.bm25_ranks([query], _PASSAGES, np.array([0])).tolist() == [4]


def test_a_positive_that_shares_no_word_gets_the_worst_rank():
  assert bm25.bm25_ranks(['bird'], _PASSAGES, np.array([0])).tolist() == [4]


def test_passages_without_any_token_do_not_break_it():
  assert bm25.bm25_ranks(['cat'], ['!!', '?'], np.array([1])).tolist() == [2]


def test_permuting_the_passages_changes_no_rank():
  rng = np.random.default_rng(0)
  words = np.array([f'w{n}' for n in range(30)])
  passages = [' '.join(rng.choice(words, 6)) for _ in range(40)]
  queries = [' '.join(rng.choice(words, 3)) for _ in range(300)]
  positive = rng.integers(0, 40, size=300)
  order = rng.permutation(40)
  np.testing.assert_array_equal(
    bm25.bm25_ranks(queries, passages, positive),
    bm25.bm25_ranks(
      queries, [passages[n] for n in order], np.argsort(order)[positive]
    ),
  )


def test_ranks_agree_with_the_order_of_the_library():
  queries = ['the cat', 'dog saw', 'a bird sat']
  index = bm25s.BM25()
  index.index([bm25.tokenize(p) for p in _PASSAGES], show_progress=False)
  for query in queries:
    scores = index.get_scores(bm25.tokenize(query))
    best = int(np.argmax(scores))
    ranks = bm25.bm25_ranks([query], _PASSAGES, np.array([best]))
    assert ranks.tolist() == [1]


def test_it_prints_nothing(capfd):
  bm25.bm25_ranks(['cat'], _PASSAGES, np.array([0]))
  captured = capfd.readouterr()
  assert captured.out == captured.err == ''


def test_importing_it_does_not_start_jax():
  # bm25s does on import; a run on several hosts must join them first.
  program = (
    'import sys, gemb.evals.bm25, gemb.evals.report;'
    "print({'bm25s', 'jax'} & set(sys.modules))"
  )
  printed = subprocess.run(
    [sys.executable, '-c', program], capture_output=True, text=True, check=True
  )
  assert printed.stdout == 'set()\n'


def test_searching_in_nothing_is_refused():
  with pytest.raises(ValueError, match='no passage to search'):
    bm25.bm25_ranks(['cat'], [], np.array([0]))


def test_an_index_that_points_at_no_passage_is_named():
  with pytest.raises(ValueError, match='Query 0 names passage 4'):
    bm25.bm25_ranks(['cat'], _PASSAGES, np.array([4]))
