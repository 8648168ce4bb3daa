import io
import tarfile

import pytest

from gemb.data.cleaning import Drop
from gemb.data.harvest import sections

LONG = 'A cache keeps what took long to compute, so that it is there at once.'
CACHE = f"""\
=====
Cache
=====

.. _cache:

{LONG}

Redis
-----

Use :setting:`CACHES`. {LONG}
"""


def paragraphs(text):
  return list(sections.paragraphs(text.split('\n')))


def test_a_title_is_paired_with_the_text_up_to_the_next():
  first, second = sections.read([('topics/cache', CACHE)])
  assert first.id == 'topics/cache:0-cache'
  assert (first.group, first.language) == ('topics/cache', 'en')
  assert (first.query, first.positive) == ('Cache', LONG)
  assert second.id == 'topics/cache:1-redis'
  assert second.query == 'Cache: Redis'
  assert second.positive == f'Use CACHES. {LONG}'


def test_a_section_of_few_words_is_dropped():
  assert list(sections.read([('a', 'Title\n=====\n\nSee below.\n')])) == [
    Drop.SHORT_TEXT
  ]


def test_a_long_section_is_cut():
  text = f'Title\n=====\n\n{f"{LONG} " * 40}\n'
  [found] = sections.read([('a', text)])
  assert 1000 < len(found.positive) <= 2000
  assert found.positive.endswith('at once.')


def test_a_document_without_a_title_has_no_pairs():
  assert list(sections.read([('a', f'{LONG}\n'), ('b', '')])) == []


def test_only_a_rule_as_long_as_the_title_makes_one():
  text = 'Title\n=====\nName  Size\n====  ====\n\nLonger title\n---\n'
  assert [title for title, _ in sections.sections(text)] == ['Title']


@pytest.mark.parametrize(
  ('text', 'read'),
  [
    ('One\ntwo.\n\nThree.', ['One two.', 'Three.']),
    ('* one\n  two\n* three', ['* one two', '* three']),
    ('* one\n\n  two', ['* one', 'two']),
    ('For example::\n\n  a = 1\n\n  b = 2', ['For example:', 'a = 1\n\nb = 2']),
    ('.. code-block:: python\n   :caption: x\n\n   a = 1', ['a = 1']),
    ('.. note:: Take\n   *care*.', ['Take care.']),
    ('.. versionadded:: 5.0\n\n   The ``x`` option.', ['The x option.']),
    ('.. function:: f(x)\n\n   Adds.', ['f(x)', 'Adds.']),
    ('.. setting:: CACHES', []),
    ('.. setting:: CACHES\n\n   All caches.', ['CACHES', 'All caches.']),
    ('.. image:: a.png\n   :alt: A picture\n\nText.', ['Text.']),
    ('.. _label:\n\n.. comment\n   goes on\n\n__ https://a.b\n\nA.', ['A.']),
    (':orphan:\n\nText.', ['Text.']),
    ('====  ====\na     b\n====  ====\n\nText.', ['Text.']),
    ('Redis__ is fast [1]_.', ['Redis is fast.']),
  ],
)
def test_paragraphs_are_what_a_reader_sees(text, read):
  assert paragraphs(text) == read


def test_the_documents_of_a_source_archive_are_read(tmp_path):
  path = tmp_path / 'tiny-1.0.tar.gz'
  with tarfile.open(path, 'w:gz') as archive:
    for name in 'docs/a/b.txt', 'docs/conf.py', 'docs.txt', 'tests/docs/c.txt':
      member = tarfile.TarInfo(f'tiny-1.0/{name}')
      member.size = len(name)
      archive.addfile(member, io.BytesIO(name.encode()))
  assert list(sections.documents(path, folder='docs', suffix='.txt')) == [
    ('a/b', 'docs/a/b.txt')
  ]
