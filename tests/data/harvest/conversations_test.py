import pytest

from gemb.data.cleaning import Drop
from gemb.data.harvest import conversations
from gemb.data.harvest.pairs import Pair
from gemb.data.labels import Labelled

FOOD = """categories:
- food
conversations:
- - What is good to eat?
  - Probably pizza.
  - Or soup.
- - 'What is 1 + 1?'
  - 2
"""


def read(write_wheel, content, *, name='english/food'):
  wheel = write_wheel({f'chatterbot_corpus/data/{name}.yml': content})
  return list(conversations.read(wheel))


def test_a_file_is_read_as_conversations_on_its_topic(write_wheel):
  first, second = read(write_wheel, FOOD)
  assert first == conversations.Conversation(
    id='english/food:0',
    language='en',
    topic='food',
    utterances=('What is good to eat?', 'Probably pizza.', 'Or soup.'),
  )
  assert second.utterances == ('What is 1 + 1?', '2')


@pytest.mark.parametrize(
  ('name', 'language', 'topic'),
  [
    ('spanish/dinero', 'es', 'money'),
    ('traditionalchinese/ai', 'zh-Hant', 'artificial intelligence'),
    ('portuguese/history_brasil', 'pt', 'history'),
    ('english/tech_support', 'en', 'tech support'),
  ],
)
def test_a_topic_has_one_name_in_all_languages(
  write_wheel, name, language, topic
):
  for found in read(write_wheel, FOOD, name=name):
    assert (found.language, found.topic) == (language, topic)


def test_the_first_two_utterances_are_question_and_answer(write_wheel):
  content = f'{FOOD}- Alone\n'
  assert list(conversations.answers(read(write_wheel, content))) == [
    Pair(
      id='english/food:0',
      group='english/food',
      language='en',
      query='What is good to eat?',
      positive='Probably pizza.',
    ),
    Drop.NEAR_EMPTY,
    Drop.UNANSWERED,
  ]


def test_every_utterance_of_some_length_has_the_topic(write_wheel):
  rows = list(conversations.topics(read(write_wheel, FOOD)))
  assert rows[0] == Labelled(
    id='english/food:0.0',
    language='en',
    text='What is good to eat?',
    label='food',
  )
  assert [row if isinstance(row, Drop) else row.id for row in rows] == [
    'english/food:0.0',
    'english/food:0.1',
    Drop.SHORT_TEXT,
    'english/food:1.0',
    Drop.SHORT_TEXT,
  ]


def test_a_file_cannot_make_objects(write_wheel):
  content = 'conversations: !!python/object/apply:os.getcwd []'
  with pytest.raises(conversations.yaml.YAMLError, match='could not determine'):
    read(write_wheel, content)


def test_a_language_without_a_tag_is_an_error(write_wheel):
  with pytest.raises(KeyError, match='klingon'):
    read(write_wheel, FOOD, name='klingon/food')
