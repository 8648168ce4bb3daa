import json

from gemb.data.cleaning import Drop
from gemb.data.harvest import home_assistant
from gemb.data.harvest.pairs import Pair

FOLDER = 'homeassistant/components/moon/translations'


def test_a_translation_is_paired_with_the_english_text_of_its_path(write_wheel):
  wheel = write_wheel(
    {
      f'{FOLDER}/en.json': json.dumps({'config': {'title': 'Moon'}}),
      f'{FOLDER}/de.json': json.dumps({'config': {'title': 'Mond'}}),
      f'{FOLDER}/sensor.en.json': json.dumps({'state': {'full': 'Full moon'}}),
      f'{FOLDER}/sensor.pt-BR.json': json.dumps({'state': {'full': 'Cheia'}}),
      'homeassistant/components/moon/manifest.json': '{"domain": "moon"}',
    }
  )
  assert list(home_assistant.read(wheel)) == [
    Pair(
      id='moon:config.title:de',
      group='moon',
      language='de',
      query='Mond',
      positive='Moon',
    ),
    Pair(
      id='moon:sensor.state.full:pt-BR',
      group='moon',
      language='pt-BR',
      query='Cheia',
      positive='Full moon',
    ),
  ]


def test_a_text_without_an_english_one_is_dropped(write_wheel):
  wheel = write_wheel(
    {
      f'{FOLDER}/en.json': json.dumps({'title': 'Moon'}),
      f'{FOLDER}/de.json': json.dumps({'old': 'Alt'}),
      f'{FOLDER}/select.de.json': json.dumps({'state': 'Auswahl'}),
    }
  )
  assert list(home_assistant.read(wheel)) == [Drop.UNPAIRED, Drop.UNPAIRED]


def test_english_variants_are_no_translations(write_wheel):
  wheel = write_wheel(
    {
      f'{FOLDER}/en.json': json.dumps({'title': 'Color'}),
      f'{FOLDER}/en-GB.json': json.dumps({'title': 'Colour'}),
    }
  )
  assert list(home_assistant.read(wheel)) == [Drop.ENGLISH]
