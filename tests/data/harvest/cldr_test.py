import pickle

import pytest

from gemb.data.cleaning import Drop
from gemb.data.harvest import cldr
from gemb.data.harvest.pairs import Pair

ENGLISH = {
  'languages': {'de': 'German', 'fr': 'French'},
  'scripts': {'Arab': 'Arabic'},
  'territories': {'JP': 'Japan'},
  'currency_names': {'JPY': 'Japanese Yen'},
}


class Sneaky:
  """Calls a function when it is unpickled."""

  def __reduce__(self):
    return print, ('called',)


@pytest.fixture
def locales(write_wheel):
  """Writes a wheel of locales beside English."""

  def write(**names):
    names = {'en': ENGLISH, 'root': {}, **names}
    return write_wheel(
      {
        f'babel/locale-data/{locale}.dat': pickle.dumps(content)
        for locale, content in names.items()
      }
    )

  return write


def test_a_name_is_paired_with_the_english_one_of_the_same_code(locales):
  wheel = locales(pt_BR={'languages': {'de': 'alemão'}, 'scripts': {}})
  assert list(cldr.read(wheel, kinds=cldr.NAMES)) == [
    Pair(
      id='languages:de:pt-BR',
      group='languages',
      language='pt-BR',
      query='alemão',
      positive='German',
    )
  ]


def test_currencies_are_read_apart(locales):
  names = {'currency_names': {'JPY': 'Yen japonais'}, 'scripts': {'Arab': 'x'}}
  [found] = cldr.read(locales(fr=names), kinds=cldr.CURRENCIES)
  assert (found.query, found.positive) == ('Yen japonais', 'Japanese Yen')


def test_names_that_are_no_pair_are_counted(locales):
  names = {'territories': {'JP': 'Japan', 'XX': 'Nirgends'}}
  british = {'territories': {'JP': 'Japan'}}
  found = cldr.read(locales(de=names, en_GB=british), kinds=cldr.NAMES)
  assert list(found) == [Drop.IDENTICAL, Drop.UNPAIRED, Drop.ENGLISH]


@pytest.mark.parametrize(
  'made',
  [b"cbabel.localedata\nAlias\n(S'de'\ntR", b'cbabel.plural\nPluralRule\n)R}b'],
)
def test_babels_own_classes_are_read_as_empty_ones(made):
  found = cldr.load(b"}S'name'\n" + made + b's.')
  assert isinstance(found['name'], cldr._Empty)


def test_nothing_that_a_file_names_is_called(capsys):
  content = pickle.dumps({'languages': Sneaky()})
  with pytest.raises(pickle.UnpicklingError, match=r'names builtins\.print;'):
    cldr.load(content)
  assert capsys.readouterr().out == ''
