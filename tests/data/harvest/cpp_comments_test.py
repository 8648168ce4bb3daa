import pytest

from gemb.data.cleaning import Drop
from gemb.data.harvest import cpp_comments

SHAPE = """\
class Shape {
 public:
  // Returns the number of dimensions.
  int rank(int start) const;

  // Returns the number of dimensions after one.
  int rank(Shape other) const;
};
"""


def read(source):
  return list(cpp_comments.read([('a/shape.h', source)]))


def test_a_comment_is_paired_with_its_declaration():
  first, second = read(SHAPE)
  assert first.id == 'a/shape.h:Shape::rank'
  assert (first.group, first.language) == ('a/shape.h', 'c++')
  assert first.query == 'Returns the number of dimensions.'
  assert first.positive == '// class Shape\nint rank(int start) const;'
  assert second.id == 'a/shape.h:Shape::rank#2'


@pytest.mark.parametrize(
  ('source', 'reason'),
  [
    ('// Returns one.\nint f(int x);\n', Drop.SHORT_DOCSTRING),
    ('// Steps up one parallel level.\nvoid Up();\n', Drop.SHORT_BODY),
    ('// TODO(me): make this much faster.\nint f(int x);\n', Drop.NO_PROSE),
    ('// Licensed under the Apache License.\nint f(int x);\n', Drop.NO_PROSE),
    ('// ---- All that is internal ----\nint f(int x);\n', Drop.NO_PROSE),
    ('// if (x) { return y; }\nint f(int x);\n', Drop.NO_PROSE),
  ],
)
def test_bad_comments_are_dropped_with_the_reason(source, reason):
  assert read(source) == [reason]


@pytest.mark.parametrize(
  ('comment', 'said'),
  [
    ('// One\n  // two.\n  //\n  // Three.', 'One two.'),
    ('/** One\n * two.\n *\n * Three. */', 'One two.'),
    ('/// \\brief Number of `rows`.\n/// \\param x no', 'Number of rows.'),
    ('/// \\class Table\n/// \\brief One two.', 'One two.'),
    ('/// @ingroup core\n/// One \\c two.', 'One two.'),
    ('// Adds them.\n//\n// Args:\n//   x: one', 'Adds them.'),
    ('// Adds them.\n// Args:\n//   x: one', 'Adds them.'),
    ('// Adds them. TODO(me): why?', 'Adds them.'),
    ('// NOTE(me): This is slow.', 'This is slow.'),
    ('// Adds them.  // NOLINT', 'Adds them.'),
    ('// Args:\n//   x: one', ''),
    ('//', ''),
  ],
)
def test_the_first_paragraph_is_plain_text(comment, said):
  assert cpp_comments.prose(comment) == said


def test_headers_are_read_without_tests_copies_and_generated_ones(tmp_path):
  for name in [
    'a.h',
    'a.cc',
    'a.pb.h',
    'a_test.h',
    'b/c.h',
    'third_party/d.h',
  ]:
    path = tmp_path / 'include' / 'x' / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(name)
  assert list(cpp_comments.headers(tmp_path / 'include' / 'x')) == [
    ('x/a.h', 'a.h'),
    ('x/b/c.h', 'b/c.h'),
  ]
