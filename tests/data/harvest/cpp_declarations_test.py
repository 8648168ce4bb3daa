import pytest

from gemb.data.harvest import cpp_declarations

SHAPE = """\
// Copyright.

#ifndef SHAPE_H_
#include "a.h"
namespace shapes {

// A shape has a rank.
class Shape : public Base {
 public:
  // Returns the rank.
  int rank() const { return rank_ ? rank_ : '{'; }

  /* Says whether
     it is flat. */
  bool flat(
      int x = f({1})) const;

  // The rank.
  int rank_;
};

/// The kinds
/// of shapes.
enum class Kind {
  // A line.
  kLine = 1,
  kPlane,
};

// Adds the ranks.
template <typename T>
int Add(const T& a, Shape b);

}  // namespace shapes
#endif
"""


def read(source):
  return list(cpp_declarations.declarations(source))


def test_documented_functions_and_types_are_found():
  found = [(d.name, d.within, d.source) for d in read(SHAPE)]
  assert found == [
    ('Shape::rank', 'class Shape', '  int rank() const'),
    (
      'Shape::flat',
      'class Shape',
      '  bool flat(\n      int x = f({1})) const;',
    ),
    ('Shape', '', 'class Shape : public Base'),
    (
      'Kind',
      '',
      'enum class Kind {\n  // A line.\n  kLine = 1,\n  kPlane,\n}',
    ),
    ('Add', '', 'template <typename T>\nint Add(const T& a, Shape b);'),
  ]


def test_the_comment_directly_above_belongs_to_a_declaration():
  assert [d.comment for d in read(SHAPE)] == [
    '// Returns the rank.',
    '/* Says whether\n     it is flat. */',
    '// A shape has a rank.',
    '/// The kinds\n/// of shapes.',
    '// Adds the ranks.',
  ]


@pytest.mark.parametrize(
  'source',
  [
    '// One.\n\nint f();\n',
    '// One.\n#if X\nint f();\n',
    'int x;  // One.\nint f();\n',
    '// One.\nint x;\nint f();\n',
    'void g() {\n  // One.\n  int f();\n}\n',
    'class A {\n  // One.\n public:\n  int f();\n};\n',
    '// One.\n#define F(x) \\\n  f(x);\n',
    '// One.\nclass A;\n',
    '// One.\nnamespace a {\n}\n',
  ],
)
def test_no_other_comment_does(source):
  assert read(source) == []


def test_a_type_has_its_members_where_none_has_a_comment():
  source = '// One.\nstruct A {\n  int x;\n  int f();\n};\n'
  [found] = read(source)
  assert found.source == 'struct A {\n  int x;\n  int f();\n}'


def test_a_long_type_has_its_head_alone():
  fields = '  int x;\n' * 40
  [found] = read(f'// One.\nstruct A {{\n{fields}}};\n')
  assert found.source == 'struct A'


def test_a_type_in_a_type_is_named_after_both():
  source = 'struct A {\n  struct B {\n    // One.\n    int f();\n  };\n};\n'
  [found] = read(source)
  assert (found.name, found.within) == ('A::B::f', 'struct A::B')


def test_what_is_unbalanced_does_not_break_what_follows():
  source = 'MACRO(\n}\n)\n// One.\nint f();\n'
  assert [found.name for found in read(source)] == ['f']


def test_brackets_in_texts_are_none():
  source = 'auto s = R"x({)" "\\"{")x"; int n = 1\'000;\n// One.\nint f();\n'
  assert [found.name for found in read(source)] == ['f']
