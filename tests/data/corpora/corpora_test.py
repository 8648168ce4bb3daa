"""All tests that build with TFDS: importing it takes seconds."""

import json
import re

import pytest

from gemb.data import archives, corpora
from gemb.data.corpora import docstrings

MOON = 'homeassistant/components/moon/translations'
ENGLISH = {'full': 'Full moon', 'new': 'New moon {x}', 'ok': 'OK'}
GERMAN = {'full': 'Vollmond', 'new': 'Neumond {x}', 'ok': 'OK', 'old': 'Alt'}

ADD = 'def add(a, b):\n  """Add one number to another."""\n  c = a\n  c += b\n'
ADD_CODE = 'def add(a, b):\n  c = a\n  c += b\n  return c'


@pytest.fixture
def data(tmp_path, monkeypatch):
  monkeypatch.setenv('GEMB_DATA', str(tmp_path / 'data'))
  return tmp_path / 'data' / 'corpora'


@pytest.fixture
def wheels(data, monkeypatch, write_wheel, compiled_catalogue):
  """Serves tiny archives in the place of the pinned ones."""
  catalogue = compiled_catalogue({'Sign in': 'Entrar', 'Log out': 'Sair'})
  moon = {'en': ENGLISH, 'de': GERMAN, 'en-GB': {'full': 'Full moon'}}
  files = {
    archives.HOME_ASSISTANT: {
      f'{MOON}/{language}.json': json.dumps(texts)
      for language, texts in moon.items()
    },
    archives.NETWORKX: {'networkx/add.py': f'{ADD}  return c\n'},
  }
  for archive in archives.DJANGO, archives.WAGTAIL, archives.ALLAUTH:
    files[archive] = {
      f'{archive.package}/locale/pt_BR/LC_MESSAGES/django.mo': catalogue
    }
  served = {
    archive: write_wheel(content, name=archive.filename)
    for archive, content in files.items()
  }
  monkeypatch.setattr(archives, 'fetch', served.__getitem__)
  modules = [('sums', f'{ADD}  return c\n'.encode())]
  monkeypatch.setattr(docstrings, 'installed_modules', lambda: modules)


def rows(builder, split):
  found = builder.as_dataset(split=split, shuffle_files=True)
  return sorted(found.as_numpy_iterator(), key=lambda row: row['id'])


def test_a_corpus_holds_the_kept_pairs_and_its_counts(wheels):
  builder = corpora.prepare('home_assistant')
  assert [
    (row['id'], row['query'], row['positive'], *row['negatives'])
    for row in rows(builder, 'train')
  ] == [
    (b'moon:full:de', b'Vollmond', b'Full moon', b'New moon'),
    (b'moon:new:de', b'Neumond', b'New moon', b'Full moon'),
  ]
  reloaded = corpora.CORPORA['home_assistant'](data_dir=corpora.folder())
  assert dict(reloaded.info.metadata) == {
    'kept': 2,
    'dropped': {
      'English variant': 1,
      'identical sides': 1,
      'no English text': 1,
    },
    'languages': 1,
  }
  assert reloaded.info.redistribution_info.license == 'Apache-2.0'


@pytest.mark.parametrize(
  ('name', 'split'),
  [
    ('django_catalogues', 'train'),
    ('wagtail_catalogues', 'test'),
    ('allauth_catalogues', 'test'),
  ],
)
def test_catalogues_give_translation_and_message(wheels, name, split):
  builder = corpora.prepare(name)
  assert list(builder.info.splits) == [split]
  assert {
    (row['language'], row['query'], row['positive'], *row['negatives'])
    for row in rows(builder, split)
  } == {
    (b'pt-BR', b'Entrar', b'Sign in', b'Log out'),
    (b'pt-BR', b'Sair', b'Log out', b'Sign in'),
  }


@pytest.mark.parametrize(
  ('name', 'split', 'key'),
  [
    ('python_docstrings', 'train', b'sums:add'),
    ('networkx_docstrings', 'test', b'networkx.add:add'),
  ],
)
def test_docstrings_give_the_function_without_them(wheels, name, split, key):
  builder = corpora.prepare(name)
  assert list(builder.info.splits) == [split]
  [row] = rows(builder, split)
  assert row['id'] == key
  assert row['query'] == b'Add one number to another.'
  assert row['positive'] == ADD_CODE.encode()
  assert row['language'] == b'python'
  assert row['negatives'].shape == (0,)


def test_a_prepared_corpus_is_not_made_again(wheels, monkeypatch):
  corpora.prepare('allauth_catalogues')

  def fail(archive):
    raise AssertionError('The archive was read again.')

  monkeypatch.setattr(archives, 'fetch', fail)
  assert rows(corpora.prepare('allauth_catalogues'), 'test')


def test_a_failed_preparation_leaves_nothing_behind(data, wheels, monkeypatch):
  def corrupt(archive):
    raise ValueError('The archive is corrupt.')

  with monkeypatch.context() as patch:
    patch.setattr(archives, 'fetch', corrupt)
    with pytest.raises(ValueError, match='The archive is corrupt'):
      corpora.prepare('allauth_catalogues')
  assert list((data / 'allauth_catalogues').iterdir()) == []
  assert rows(corpora.prepare('allauth_catalogues'), 'test')


def test_what_a_killed_preparation_left_is_removed(data, wheels):
  left = data / 'allauth_catalogues' / 'incomplete.ABC123_1.0.0'
  left.mkdir(parents=True)
  (left / 'half.tfrecord').write_bytes(b'half')
  assert rows(corpora.prepare('allauth_catalogues'), 'test')
  names = [path.name for path in (data / 'allauth_catalogues').iterdir()]
  assert names == ['1.0.0']


def test_preparing_prints_nothing(wheels, capfd):
  corpora.prepare('allauth_catalogues')
  assert capfd.readouterr().out == ''


def test_an_unknown_corpus_is_an_error_with_the_nearest_name(data):
  wanted = "no corpus 'wagtail_catalogue'. Did you mean wagtail_catalogues?"
  with pytest.raises(ValueError, match=re.escape(wanted)):
    corpora.prepare('wagtail_catalogue')
  with pytest.raises(ValueError, match='allauth_catalogues or django_cat'):
    corpora.prepare('xyz')


def test_the_table_has_a_row_a_corpus(wheels):
  lines = corpora.table().splitlines()
  assert len(lines) == 2 + len(corpora.CORPORA)
  head, row = (line.strip('| ').split(' | ') for line in (lines[0], lines[2]))
  counts = dict(zip(head, row, strict=True))
  assert counts['corpus'] == 'home_assistant'
  assert counts['licence'] == 'Apache-2.0'
  assert (counts['languages'], counts['kept']) == ('1', '2')
  assert (counts['identical sides'], counts['duplicate']) == ('1', '0')


def test_a_corpus_of_other_versions_has_another_name():
  old = docstrings.Installed(versions={'python': '3.11.7', 'jax': '0.10.1'})
  new = docstrings.Installed(versions={'python': '3.11.7', 'jax': '0.10.2'})
  assert re.fullmatch(r'py3\.\d+-[0-9a-f]{8}', new.name)
  assert old.name != new.name


def test_the_configuration_lists_the_versions_it_was_read_from(data):
  builder = corpora.CORPORA['python_docstrings'](data_dir=data)
  assert builder.builder_config.name == docstrings.installed().name
  assert f'jax {docstrings.installed().versions["jax"]}' in (
    builder.builder_config.description
  )


def test_the_standard_library_and_the_packages_are_read():
  names = {name.split('.')[0] for name, _ in docstrings.installed_modules()}
  assert {'argparse', 'json', 'jax', 'optax', 'scipy'} <= names


def test_a_package_that_is_not_installed_is_an_error(monkeypatch):
  monkeypatch.setattr(docstrings, 'PACKAGES', ('no_such_package',))
  with pytest.raises(ModuleNotFoundError, match='no_such_package is not inst'):
    list(docstrings.installed_modules())
