import gettext
import io

import pytest

from gemb.data.cleaning import Drop
from gemb.data.harvest import catalogues


def read(write_wheel, files):
  return list(catalogues.read(write_wheel(files)))


def test_a_message_is_paired_with_its_translation(
  write_wheel, compiled_catalogue
):
  content = compiled_catalogue({'Sign in': 'Anmelden'})
  [found] = read(
    write_wheel, {'site/admin/locale/zh_Hans/LC_MESSAGES/django.mo': content}
  )
  assert found.id.startswith('site.admin/django:sign-in-')
  assert found.id.endswith(':zh-Hans')
  assert found.group == 'site.admin'
  assert found.language == 'zh-Hans'
  assert (found.query, found.positive) == ('Anmelden', 'Sign in')


def test_the_test_catalogues_are_what_gettext_reads(compiled_catalogue):
  content = compiled_catalogue({'Sign in': 'Anmelden', 'Über': 'Über uns'})
  standard = gettext.GNUTranslations(io.BytesIO(content))
  for message in catalogues.messages(content):
    assert standard.gettext(message.english) == message.translation


def test_the_last_form_of_a_plural_is_paired_with_the_english_plural(
  compiled_catalogue,
):
  content = compiled_catalogue({'%d page\0%d pages': '%d Seite\0%d Seiten'})
  assert list(catalogues.messages(content)) == [
    catalogues.Message(context='', english='%d pages', translation='%d Seiten')
  ]


def test_a_context_tells_two_equal_messages_apart(
  write_wheel, compiled_catalogue
):
  content = compiled_catalogue({'May': 'Mai', 'verb\x04May': 'dürfen'})
  found = read(write_wheel, {'site/locale/de/LC_MESSAGES/django.mo': content})
  assert [pair.positive for pair in found] == ['May', 'May']
  assert len({pair.id for pair in found}) == 2


@pytest.mark.parametrize('locale', ['en', 'en_GB', 'en_AU'])
def test_english_variants_are_no_translations(
  write_wheel, compiled_catalogue, locale
):
  content = compiled_catalogue({'Color': 'Colour'})
  files = {f'site/locale/{locale}/LC_MESSAGES/django.mo': content}
  assert read(write_wheel, files) == [Drop.ENGLISH]


def test_other_files_are_not_read(write_wheel):
  assert read(write_wheel, {'site/locale/de/LC_MESSAGES/django.po': ''}) == []


@pytest.mark.parametrize(
  ('locale', 'tag'),
  [
    ('de', 'de'),
    ('pt_BR', 'pt-BR'),
    ('zh_Hans', 'zh-Hans'),
    ('sr@latin', 'sr-Latn'),
    ('es_419', 'es-419'),
    ('ca@valencia', 'ca-valencia'),
  ],
)
def test_locales_become_language_tags(locale, tag):
  assert catalogues.language_tag(locale) == tag


@pytest.mark.parametrize('content', [b'', b'#: po file' * 3])
def test_a_file_that_is_no_catalogue_is_an_error(content):
  with pytest.raises(ValueError, match=f'got {len(content)} bytes'):
    list(catalogues.messages(content))
