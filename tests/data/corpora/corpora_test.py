"""All tests that build with TFDS: importing it takes seconds."""

import json
import pickle
import re

import pytest
import tensorflow_datasets as tfds

from gemb.data import archives, corpora, pinned
from gemb.data.corpora import __main__ as command
from gemb.data.corpora import building, docstrings, tables

MOON = 'homeassistant/components/moon/translations'
ENGLISH = {'full': 'Full moon', 'new': 'New moon {x}', 'ok': 'OK'}
GERMAN = {'full': 'Vollmond', 'new': 'Neumond {x}', 'ok': 'OK', 'old': 'Alt'}

ADD = 'def add(a, b):\n  """Add one number to another."""\n  c = a\n  c += b\n'
ADD_CODE = 'def add(a, b):\n  c = a\n  c += b\n  return c'

LOCALES = {
  'en': {
    'languages': {'de': 'German', 'fr': 'French'},
    'scripts': {},
    'territories': {},
    'currency_names': {'JPY': 'Japanese Yen'},
  },
  'es': {
    'languages': {'de': 'alemán'},
    'currency_names': {'JPY': 'yen japonés'},
  },
}
EMOJI = {'': {'🐄': {'en': ':cow:'}}, '_de': {'🐄': ':kuh:'}}
CONVERSATIONS = {
  'food': [['What is good to eat?', 'Probably pizza.']],
  'movies': [['Who made this film?']],
  'money': [['What is money?', 'Paper and numbers.']],
}
OPERATIONS = {
  'ec2': 'Creates a virtual machine.',
  'sqs': 'Creates a message queue.',
  'cloud9': 'Creates a development environment.',
}


@pytest.fixture
def data(data_folder):
  return data_folder / 'corpora'


@pytest.fixture
def wheels(data, monkeypatch, write_wheel, compiled_catalogue):
  """Serves tiny archives in the place of the pinned ones."""
  catalogue = compiled_catalogue({'Sign in': 'Entrar', 'Log out': 'Sair'})
  moon = {'en': ENGLISH, 'de': GERMAN, 'en-GB': {'full': 'Full moon'}}
  files = {
    pinned.HOME_ASSISTANT: {
      f'{MOON}/{language}.json': json.dumps(texts)
      for language, texts in moon.items()
    },
    pinned.NETWORKX: {'networkx/add.py': f'{ADD}  return c\n'},
    pinned.SYMPY: {'sympy/add.py': f'{ADD}  return c\n'},
    pinned.BABEL: {
      f'babel/locale-data/{locale}.dat': pickle.dumps(names)
      for locale, names in LOCALES.items()
    },
    pinned.EMOJI: {
      f'emoji/unicode_codes/emoji{language}.json': json.dumps(names)
      for language, names in EMOJI.items()
    },
    pinned.CHATTERBOT: {
      f'chatterbot_corpus/data/english/{topic}.yml': json.dumps(
        {'conversations': conversations}
      )
      for topic, conversations in CONVERSATIONS.items()
    },
    pinned.BOTOCORE: {
      f'botocore/data/{service}/2026-01-01/service-2.json': json.dumps(
        {
          'metadata': {'serviceFullName': f'AWS {service}'},
          'operations': {'CreateIt': {'documentation': f'<p>{text}</p>'}},
        }
      )
      for service, text in OPERATIONS.items()
    },
  }
  for archive in (
    pinned.DJANGO,
    pinned.REST_FRAMEWORK,
    pinned.SPHINX,
    pinned.WAGTAIL,
    pinned.ALLAUTH,
  ):
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


def test_a_corpus_holds_the_kept_pairs_and_its_counts(wheels, read):
  assert [
    (row['id'], row['query'], row['positive'], *row['negatives'])
    for row in read('home_assistant')
  ] == [
    (b'moon:full:de', b'Vollmond', b'Full moon', b'New moon'),
    (b'moon:new:de', b'Neumond', b'New moon', b'Full moon'),
  ]
  reloaded = corpora.CORPORA['home_assistant'](data_dir=corpora.folder())
  assert dict(reloaded.info.metadata) == {
    'kind': 'sentence and translation',
    'kept': 2,
    'with_negatives': 2,
    'dropped': {
      'English variant': 1,
      'identical sides': 1,
      'no English text': 1,
    },
    'languages': 1,
    'sample': {
      'id': 'moon:new:de',
      'language': 'de',
      'query': 'Neumond',
      'positive': 'New moon',
      'negatives': ['Full moon'],
      'label': '',
    },
  }
  assert reloaded.info.redistribution_info.license == 'Apache-2.0'


@pytest.mark.parametrize(
  'project', ['django', 'rest_framework', 'sphinx', 'wagtail', 'allauth']
)
def test_catalogues_give_translation_and_message(wheels, read, project):
  assert {
    (row['language'], row['query'], row['positive'], *row['negatives'])
    for row in read(f'{project}_catalogues')
  } == {
    (b'pt-BR', b'Entrar', b'Sign in', b'Log out'),
    (b'pt-BR', b'Sair', b'Log out', b'Sign in'),
  }


@pytest.mark.parametrize(
  ('name', 'expected'),
  [
    ('cldr_names', {('alemán', 'German', '')}),
    ('cldr_currencies', {('yen japonés', 'Japanese Yen', '')}),
    ('emoji_names', {('kuh', 'cow', '')}),
    ('conversations', {('What is good to eat?', 'Probably pizza.', '')}),
    ('conversations_held_out', {('What is money?', 'Paper and numbers.', '')}),
    (
      'conversation_topics',
      {
        ('What is good to eat?', 'food', 'food'),
        ('What is good to eat?', 'Probably pizza.', 'food'),
        ('Probably pizza.', 'food', 'food'),
        ('Probably pizza.', 'What is good to eat?', 'food'),
        ('Who made this film?', 'movies', 'movies'),
      },
    ),
    (
      'aws_operations',
      {
        ('Creates a virtual machine.', 'AWS ec2', 'AWS ec2'),
        ('Creates a message queue.', 'AWS sqs', 'AWS sqs'),
      },
    ),
    (
      'aws_operations_held_out',
      {('Creates a development environment.', 'AWS cloud9', 'AWS cloud9')},
    ),
  ],
)
def test_a_corpus_has_its_pairs(wheels, read, name, expected):
  assert {
    tuple(row[key].decode() for key in ('query', 'positive', 'label'))
    for row in read(name)
  } == expected


def test_what_is_held_out_stays_held_out():
  assert corpora.HELD_OUT == (
    'wagtail_catalogues',
    'allauth_catalogues',
    'cldr_currencies',
    'conversations_held_out',
    'aws_operations_held_out',
    'networkx_docstrings',
    'arrow_cpp_comments',
    'aws_commands_held_out',
    'sphinx_documentation',
  )


def test_any_user_of_tfds_finds_a_corpus_by_its_name(data):
  found = tfds.builder('allauth_catalogues', data_dir=data)
  assert type(found) is corpora.CORPORA['allauth_catalogues']
  assert found.info.full_name == 'allauth_catalogues/2.0.0'
  assert found.info.module_name == 'gemb.data.corpora.catalogues'


def test_two_corpora_of_one_name_are_an_error():
  corpus = corpora.CORPORA['allauth_catalogues'].CORPUS
  with pytest.raises(ValueError, match='allauth_catalogues already registered'):
    building.builder(corpus)


@pytest.mark.parametrize(
  ('name', 'key'),
  [
    ('python_docstrings', b'sums:add'),
    ('sympy_docstrings', b'sympy.add:add'),
    ('networkx_docstrings', b'networkx.add:add'),
  ],
)
def test_docstrings_give_the_function_without_them(wheels, read, name, key):
  [row] = read(name)
  assert row['id'] == key
  assert row['query'] == b'Add one number to another.'
  assert row['positive'] == ADD_CODE.encode()
  assert row['language'] == b'python'
  assert row['negatives'].shape == (0,)


def test_a_prepared_corpus_is_not_made_again(wheels, read, monkeypatch):
  corpora.prepare('allauth_catalogues')

  def fail(archive):
    raise AssertionError('The archive was read again.')

  monkeypatch.setattr(archives, 'fetch', fail)
  assert read('allauth_catalogues')


def test_a_failed_preparation_leaves_nothing_behind(
  data, wheels, read, monkeypatch
):
  def corrupt(archive):
    raise ValueError('The archive is corrupt.')

  with monkeypatch.context() as patch:
    patch.setattr(archives, 'fetch', corrupt)
    with pytest.raises(ValueError, match='The archive is corrupt'):
      corpora.prepare('allauth_catalogues')
  assert list((data / 'allauth_catalogues').iterdir()) == []
  assert read('allauth_catalogues')


def test_what_a_killed_preparation_left_is_removed(data, wheels, read):
  left = data / 'allauth_catalogues' / 'incomplete.ABC123_2.0.0'
  left.mkdir(parents=True)
  (left / 'half.tfrecord').write_bytes(b'half')
  assert read('allauth_catalogues')
  names = [path.name for path in (data / 'allauth_catalogues').iterdir()]
  assert names == ['2.0.0']


def test_preparing_prints_nothing(wheels, capfd):
  corpora.prepare('allauth_catalogues')
  assert capfd.readouterr().out == ''


def test_an_unknown_corpus_is_an_error_with_the_nearest_name(data):
  wanted = "no corpus 'wagtail_catalogue'. Did you mean wagtail_catalogues?"
  with pytest.raises(ValueError, match=re.escape(wanted)):
    corpora.prepare('wagtail_catalogue')
  with pytest.raises(ValueError, match='allauth_catalogues or '):
    corpora.prepare('xyz')


@pytest.fixture
def infos(wheels):
  names = 'home_assistant', 'allauth_catalogues'
  return [corpora.prepare(name).info for name in names]


def cells(line):
  return [cell.strip() for cell in line.strip('| ').split(' | ')]


def test_the_tables_have_a_row_a_corpus(infos):
  kept, dropped, samples = (
    [cells(line) for line in table.splitlines()]
    for table in tables.markdown(infos).split('\n\n')
  )
  assert [row[0] for row in kept[2:]] == [
    'home_assistant',
    'allauth_catalogues',
  ]
  assert dict(zip(kept[0], kept[2], strict=True)) == {
    'corpus': 'home_assistant',
    'kind': 'sentence and translation',
    'licence': 'Apache-2.0',
    'split': 'train',
    'languages': '1',
    'examples': '2',
    'with hard negatives': '100.0%',
    'dropped': '3',
  }
  assert kept[3][3] == 'held out'
  head = ['corpus', 'English variant', 'no English text', 'identical sides']
  assert dropped[0] == head
  assert dropped[2] == ['home_assistant', '1', '1', '1']
  assert samples[2] == ['home_assistant', 'Neumond', 'New moon', 'Full moon']


def test_a_sample_is_short_and_means_nothing_to_markdown():
  assert tables._short('`x`|*y*\n<b> [z]') == r'\`x\`\|\*y\* \<b\> \[z\]'
  assert tables._short('word ' * 30) == 'word ' * 19 + 'word…'


def test_the_tables_take_the_place_of_the_old_ones(tmp_path):
  path = tmp_path / 'README.md'
  path.write_text(f'Before.\n{tables.BEGIN}\nold\n{tables.END}\nAfter.\n')
  tables.write('| new |', path)
  tables.write('| newer |', path)
  assert path.read_text() == (
    f'Before.\n{tables.BEGIN}\n\n| newer |\n\n{tables.END}\nAfter.\n'
  )


def test_a_file_without_a_place_for_the_tables_is_an_error(tmp_path):
  path = tmp_path / 'README.md'
  path.write_text(f'Before.\n{tables.BEGIN}\n')
  with pytest.raises(ValueError, match='has no place for the tables'):
    tables.write('| new |', path)
  assert path.read_text() == f'Before.\n{tables.BEGIN}\n'


def test_the_readme_has_a_row_for_each_corpus():
  text = tables.README.read_text(encoding='utf-8')
  written = text.split(tables.BEGIN)[1].split(tables.END)[0]
  kept, *_ = written.strip().split('\n\n')
  names = [cells(line)[0] for line in kept.splitlines()[2:]]
  assert names == list(corpora.CORPORA)


@pytest.mark.parametrize('write', [False, True])
def test_the_command_prepares_the_corpora_and_shows_them(
  wheels, monkeypatch, capsys, tmp_path, write
):
  readme = tmp_path / 'README.md'
  readme.write_text(f'{tables.BEGIN}\n{tables.END}\n')
  monkeypatch.setattr(tables, 'README', readme)
  name = 'allauth_catalogues'
  monkeypatch.setattr(corpora, 'CORPORA', {name: corpora.CORPORA[name]})
  command.main(['--write'] if write else [])
  printed = capsys.readouterr()
  assert f'1/1 {name}: 2 examples' in printed.err
  shown = readme.read_text() if write else printed.out
  assert f'| {name} | sentence and translation | MIT | held out |' in shown
  assert bool(printed.out) != write


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
