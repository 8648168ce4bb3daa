import pytest

from gemb.curation.synthesis.queries import (
  draw_passages,
  read_query,
  write_queries,
)
from gemb.data import intake
from gemb.data.sources import SourceConfig

POSITIVES = {
  'tea': 'Tea is steeped for three minutes.',
  'rain': 'Rain fell\non nine days.',
  'twice': 'Tea is steeped for three minutes.',
  'moss': 'Moss has no roots.',
}


@pytest.mark.parametrize(
  ('line', 'row'),
  [
    ('web search | who drank tea', ('web search', 'who drank tea')),
    ('web search |', ('web search', '')),
    ('a | b | c', None),
    ('who drank tea', None),
    ('| who drank tea', None),
  ],
)
def test_an_answer_has_the_kind_of_search_and_the_words(line, row):
  wanted = row and {'search': row[0], 'query': row[1]}
  assert read_query(line) == wanted


def test_a_passage_is_drawn_once_whichever_examples_have_it(texts):
  texts({**POSITIVES, 'blank': ' '})
  drawn = draw_passages('notes', most=9, seed=0)
  assert {example.id for example in drawn} == {'tea', 'rain', 'moss'}


def test_what_is_drawn_is_the_beginning_of_what_more_would_be(texts):
  texts({str(number): f'Passage {number}.' for number in range(40)})
  many = [example.id for example in draw_passages('notes', most=20, seed=0)]
  few = [example.id for example in draw_passages('notes', most=3, seed=0)]
  assert few == many[:3] and len(set(many)) == 20
  assert few != [e.id for e in draw_passages('notes', most=3, seed=1)]


@pytest.fixture
def model(scripted):
  return scripted(
    {
      'Passage: Tea': 'fact lookup | how long to brew',
      'Passage: Rain': 'web search | Rain fell on nine days.',
      'Passage: Moss': 'web search | weather today',
    },
    {'how long to brew': [0.75, 0.25], 'weather today': [0.25, 0.75]},
  )


def test_queries_are_written_rated_and_kept_with_what_made_them(
  texts, model, small, rows_of, tmp_path
):
  texts(POSITIVES)
  write_queries(small(), model, 'notes', tmp_path)
  (row,) = rows_of(tmp_path / 'synthetic_notes.jsonl')
  assert 0 <= row.pop('seed') < 2**31
  assert row == {
    'id': 'tea',
    'language': 'en',
    'query': 'how long to brew',
    'positive': 'Tea is steeped for three minutes.',
    'search': 'fact lookup',
    'model': {'model': 'scripted'},
    'prompt': ['query_v1', 'query_rating_v1'],
    'rating': 0.75,
  }
  dropped = {
    row['id']: row['dropped']
    for row in rows_of(tmp_path / 'written_notes.jsonl')
  }
  assert dropped == {'tea': None, 'rain': 'echo', 'moss': 'rated low'}
  asked = next(prompt for prompt in model.asked if 'Rain' in prompt)
  assert asked.endswith(
    'Language: en\nPassage: Rain fell on nine days.\nSearch:'
  )


def test_of_a_long_passage_the_prompt_has_the_beginning(
  texts, scripted, small, rows_of, tmp_path
):
  texts({'long': 'word ' * 200})
  model = scripted({'word': 'web search | a b c'})
  write_queries(small(min_rating=0.0), model, 'notes', tmp_path)
  assert model.asked[0].endswith(f'Passage: {("word " * 120)}\nSearch:')
  (row,) = rows_of(tmp_path / 'synthetic_notes.jsonl')
  assert row['positive'] == 'word ' * 200


def test_the_rows_are_a_source_of_examples(texts, model, small, tmp_path):
  texts(POSITIVES)
  write_queries(small(), model, 'notes', tmp_path)
  source = SourceConfig(
    task='synthetic',
    path=str(tmp_path / 'synthetic_*.jsonl'),
    id='id',
    language='language',
  )
  intake.check(source)
  (example,) = intake.read(source)
  assert (example.id, example.language) == ('tea', 'en')
  assert example.query == 'how long to brew'
  assert example.positive == 'Tea is steeped for three minutes.'


def test_queries_for_other_texts_are_refused(texts, model, small, tmp_path):
  texts(POSITIVES)
  write_queries(small(), model, 'notes', tmp_path)
  texts({'tea': 'Tea is steeped for three minutes.'})
  with pytest.raises(ValueError, match='texts was '):
    write_queries(small(), model, 'notes', tmp_path)
