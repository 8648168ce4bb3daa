import collections

import pytest

from gemb.curation import prompts
from gemb.curation.synthesis.classes import CLASSES, draw_scenes, write_texts
from gemb.data import intake
from gemb.data.sources import SourceConfig

PERSONS = 'a diver\n6. a judge\n7. a baker\n8. a tailor\n9. a monk'
MOVIES = 'The Bowl\n2. The Lamp\n3. The Rope\n4. The Sieve\n5. The Jar'


@pytest.fixture
def model(scripted):
  return scripted(
    {
      'A list of 5 people': PERSONS,
      'Person: a tailor\nMovies': MOVIES,
      'Person: a monk\nMovies': MOVIES.replace('The', 'My'),
      'Person: a baker\nMovies': None,
      'Feeling: positive\nSaid:': 'I laughed until the lights came on.',
      'Feeling: neutral\nSaid:': 'It was shot in May.',
      'Feeling: negative\nSaid:': 'What a fine evening.',
    },
    {
      'Said: I laughed': [0.75, 0.125, 0.125],
      'Said: It was shot': [0.25, 0.5, 0.25],
      'Said: What a fine': [0.75, 0.125, 0.125],
    },
  )


@pytest.mark.parametrize('name', CLASSES)
def test_each_kind_has_prompts_of_its_own(name):
  found = CLASSES[name]
  assert prompts.load('persons_v1').fields == {'items'}
  assert prompts.load(f'{found.things}_v1').fields == {'items', 'person'}
  asking = prompts.load(f'{name}_v1')
  assert asking.fields == {'person', 'thing', 'label'}
  rating = prompts.load(f'{name}_rating_v1')
  assert rating.fields == {'text'}
  # The auto-rater sees an example of each class, at the end of a line.
  assert all(f': {word}\n' in rating.text for word in found.labels.values())


def test_persons_and_things_are_of_the_tails_and_labels_take_turns(
  model, small, tmp_path
):
  config = small(most=30, tail=0.4)  # two of five persons, and of five movies
  scenes = draw_scenes(config, model, 'sentiment', tmp_path)
  assert {(row['person'], row['thing']) for row in scenes} == {
    ('a tailor', 'The Sieve'),
    ('a tailor', 'The Jar'),
    ('a monk', 'My Sieve'),
    ('a monk', 'My Jar'),
  }


def test_a_person_without_a_list_is_left_out(model, small, tmp_path):
  config = small(most=30, tail=0.6)
  scenes = draw_scenes(config, model, 'sentiment', tmp_path)
  assert collections.Counter(row['label'] for row in scenes) == {
    'positive': 10,
    'neutral': 10,
    'negative': 10,
  }
  assert {row['person'] for row in scenes} == {'a tailor', 'a monk'}


def test_texts_are_written_rated_and_kept_with_what_made_them(
  model, small, rows_of, tmp_path
):
  write_texts(small(most=3, tail=0.2), model, 'sentiment', tmp_path)
  first, second = rows_of(tmp_path / 'synthetic_sentiment.jsonl')
  assert 0 <= first.pop('seed') < 2**31
  assert first == {
    'id': 'sentiment:0',
    'language': 'en',
    'query': 'I laughed until the lights came on.',
    'label': 'positive',
    'person': 'a monk',
    'thing': 'My Jar',
    'model': {'model': 'scripted'},
    'prompt': [
      'persons_v1',
      'movies_v1',
      'sentiment_v1',
      'sentiment_rating_v1',
    ],
    'rating': 0.75,
  }
  assert (second['label'], second['rating']) == ('neutral', 0.5)
  dropped = rows_of(tmp_path / 'written_sentiment.jsonl')[2]
  assert (dropped['dropped'], dropped['rating']) == ('rated low', 0.125)


def test_the_rows_are_a_source_of_classified_texts(model, small, tmp_path):
  write_texts(small(most=6, min_label=0.0), model, 'sentiment', tmp_path)
  source = SourceConfig(
    task='sentiment',
    path=str(tmp_path / 'synthetic_sentiment.jsonl'),
    label='label',
    id='id',
  )
  intake.check(source)
  found = {example.query: example for example in intake.read(source)}
  assert {text: example.label for text, example in found.items()} == {
    'I laughed until the lights came on.': 'positive',
    'It was shot in May.': 'neutral',
    'What a fine evening.': 'negative',
  }


def test_a_model_that_writes_no_list_is_told_of(scripted, small, tmp_path):
  model = scripted({'A list of 5 people': '...'})
  with pytest.raises(ValueError, match='wrote no list of persons'):
    write_texts(small(), model, 'review', tmp_path)
  assert (tmp_path / 'listed_persons.jsonl').is_file()


def test_a_model_that_writes_lists_of_persons_alone_is_told_of(
  scripted, small, tmp_path
):
  model = scripted({'A list of 5 people': PERSONS, 'Things:\n1.': ''})
  with pytest.raises(ValueError, match='wrote no list of products'):
    write_texts(small(), model, 'review', tmp_path)
