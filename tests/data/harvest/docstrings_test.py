import pathlib
import textwrap

import pytest

from gemb.data.cleaning import Drop
from gemb.data.harvest import docstrings

ADD = '''
class Sum:
  @property
  def total(self):
    """Return the total of
    all ``values``.

    More about it.
    """

    # A comment stays.
    total = 0
    for value in self.values:
      total += value
    return total
'''

ADD_WITHOUT_DOCSTRING = """\
@property
def total(self):
  # A comment stays.
  total = 0
  for value in self.values:
    total += value
  return total"""


def read(source, module='sums'):
  return list(docstrings.read([(module, source.encode())]))


def function(lines, docstring='Do one thing after another.'):
  body = ''.join(f'  x = {i}\n' for i in range(lines - 1))
  return f'def f():\n  """{docstring}"""\n{body}'


def test_a_docstring_is_paired_with_its_function():
  [found] = read(ADD)
  assert found.id == 'sums:Sum.total'
  assert found.group == 'sums'
  assert found.language == 'python'
  assert found.query == 'Return the total of all values.'
  assert found.positive == ADD_WITHOUT_DOCSTRING


def test_functions_in_functions_and_second_definitions_are_found():
  source = (
    function(5)
    + 'if True:\n'
    + textwrap.indent(function(6), '  ')
    + 'async def g():\n'
    + textwrap.indent(function(7), '  ')
  )
  assert [pair.id for pair in read(source)] == [
    'sums:f',
    'sums:f#2',
    'sums:g.f',
  ]


def test_columns_are_counted_in_bytes():
  source = function(4, docstring='Zähle die Wörter im „Text“.')
  [found] = read(source)
  assert found.query == 'Zähle die Wörter im „Text“.'
  assert found.positive == 'def f():\n  x = 0\n  x = 1\n  x = 2'


def test_a_docstring_on_the_line_of_the_function_is_cut_out():
  [found] = read('def f(a,\n      b,\n\n    c): "Do this, that and more."\n')
  assert found.positive == 'def f(a,\n      b,\n\n    c):'


@pytest.mark.parametrize(
  ('source', 'reason'),
  [
    (function(3), Drop.SHORT_BODY),
    (function(201), Drop.LONG_BODY),
    (function(9, docstring='Do a thing.'), Drop.SHORT_DOCSTRING),
    (function(9, docstring='>>> f() and no prose'), Drop.SHORT_DOCSTRING),
    ('def f(:', Drop.UNREADABLE),
  ],
)
def test_bad_functions_are_dropped_with_the_reason(source, reason):
  assert read(source) == [reason]


@pytest.mark.parametrize('lines', [4, 200])
def test_four_to_two_hundred_lines_are_kept(lines):
  [found] = read(function(lines))
  assert len(found.positive.splitlines()) == lines


def test_functions_without_a_docstring_are_no_pairs():
  assert read('def f():\n  return 1\n') == []


def test_invalid_escapes_of_others_are_not_our_warning():
  [found] = read(function(4, docstring=r'Match one of \d digits.'))
  assert found.query == r'Match one of \d digits.'


def test_a_file_in_another_encoding_is_dropped():
  assert list(docstrings.read([('m', b'"\xe4"')])) == [Drop.UNREADABLE]


@pytest.mark.parametrize(
  ('docstring', 'paragraph'),
  [
    ('One\n  line.\n\n  Two.', 'One line.'),
    ('Return :class:`~a.Foo` or ``x``.', 'Return a.Foo or x.'),
    ('See :func:`the docs <a.b>` of `x`_.', 'See the docs of x.'),
    ('An *important* and **bold** word.', 'An important and bold word.'),
    ('Multiply a * b * c and **kwargs.', 'Multiply a * b * c and **kwargs.'),
    ('Title\n=====\nText.', 'Title Text.'),
    ('>>> f()', ''),
    ('.. deprecated:: 1.0', ''),
    (':param x: the value', ''),
  ],
)
def test_first_paragraph_is_plain_text(docstring, paragraph):
  assert docstrings.first_paragraph(docstring) == paragraph


def test_modules_of_a_folder_are_read_without_tests(tmp_path):
  for name in [
    '__init__.py',
    'a.py',
    'a_test.py',
    'b/__init__.py',
    'b/tests/c.py',
    'site-packages/d.py',
    'data.txt',
  ]:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(name.encode())
  assert list(docstrings.folder_modules(tmp_path, package='p')) == [
    ('p', b'__init__.py'),
    ('p.a', b'a.py'),
    ('p.b', b'b/__init__.py'),
  ]


def test_modules_of_the_standard_library_have_no_package(tmp_path):
  pathlib.Path(tmp_path / 'abc.py').write_bytes(b'')
  assert list(docstrings.folder_modules(tmp_path, package='')) == [('abc', b'')]


def test_modules_of_a_wheel_are_read_without_tests(write_wheel):
  wheel = write_wheel(
    {'p/__init__.py': '1', 'p/a.py': '2', 'p/tests/b.py': '3', 'p/c.txt': '4'}
  )
  assert list(docstrings.wheel_modules(wheel)) == [
    ('p', b'1'),
    ('p.a', b'2'),
  ]
