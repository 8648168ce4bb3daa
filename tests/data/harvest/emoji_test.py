import json

from gemb.data.cleaning import Drop
from gemb.data.harvest import emoji
from gemb.data.harvest.pairs import Pair

ENGLISH = {
  '🍕': ':pizza:',
  '🍝': ':spaghetti:',
  '👋🏿': ':waving_hand_dark_skin_tone:',
  '👋': ':waving_hand:',
}


def read(write_wheel, **languages):
  files = {f'emoji_{name}': names for name, names in languages.items()}
  files['emoji'] = {key: {'en': name} for key, name in ENGLISH.items()}
  return list(
    emoji.read(
      write_wheel(
        {
          f'emoji/unicode_codes/{name}.json': json.dumps(content)
          for name, content in files.items()
        }
      )
    )
  )


def test_a_name_is_paired_with_the_english_one(write_wheel):
  assert read(write_wheel, de={'👋': ':winkende_hand:'}) == [
    Pair(
      id='1f44b:de',
      group='7d1',
      language='de',
      query='winkende hand',
      positive='waving hand',
    )
  ]


def test_neighbours_in_unicode_are_of_one_group(write_wheel):
  names = {'🍝': ':スパゲッティ:', '👋': ':手を振る:', '🍕': ':ピザ:'}
  groups = [pair.group for pair in read(write_wheel, ja=names)]
  assert groups[0] == groups[2] != groups[1]


def test_skin_tones_and_equal_names_are_dropped(write_wheel):
  names = {'👋🏿': ':winkende_hand_dunkle_hautfarbe:', '🍕': ':pizza:'}
  assert read(write_wheel, de=names) == [Drop.SKIN_TONE, Drop.IDENTICAL]
