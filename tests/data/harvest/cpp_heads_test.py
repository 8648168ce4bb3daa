import pytest

from gemb.data.harvest import cpp_heads


@pytest.mark.parametrize(
  ('head', 'plain'),
  [
    ('int  f(\n  int x)', 'int f( int x)'),
    ('template <typename T, typename = a<b<T>>>\nT f()', 'T f()'),
    ('template <>\ntemplate <int N> void f()', 'void f()'),
    ('[[nodiscard]] int f()', 'int f()'),
    ('DEPRECATED("Use g().")\nint f()', 'int f()'),
    ('// Why.\nint f() /* what */', 'int f()'),
  ],
)
def test_a_head_is_made_plain(head, plain):
  assert cpp_heads.plain(head) == plain


@pytest.mark.parametrize('head', ['namespace', 'namespace a::b', 'extern "C"'])
def test_a_namespace_is_known(head):
  assert cpp_heads.is_namespace(head)


@pytest.mark.parametrize('head', ['class A', 'extern "C" int f()', 'int f()'])
def test_all_else_is_no_namespace(head):
  assert not cpp_heads.is_namespace(head)


@pytest.mark.parametrize(
  ('head', 'name'),
  [
    ('class Shape', ('class', 'Shape')),
    ('struct EXPORT Shape final : public Base<int>', ('struct', 'Shape')),
    ('enum class Kind : int8_t', ('enum class', 'Kind')),
    ('struct Hash<Shape>', ('struct', 'Hash')),
    ('typedef struct Shape', ('struct', 'Shape')),
    ('enum', None),
    ('struct tm Now()', None),
    ('struct Shape shape =', None),
    ('int f()', None),
  ],
)
def test_a_type_has_a_keyword_and_a_name(head, name):
  assert cpp_heads.type_name(head) == name


@pytest.mark.parametrize(
  ('head', 'name'),
  [
    ('int Add(int x)', 'Add'),
    ('static std::pair<int, bool> Extent(const A& a)', 'Extent'),
    ('Shape()', 'Shape'),
    ('explicit Shape(int rank = f(0)) : rank_(rank)', 'Shape'),
    ('virtual ~Shape()', '~Shape'),
    ('bool operator==(const Shape& other) const', 'operator=='),
    ('void operator()(int x)', 'operator()'),
    ('operator bool() const', 'operator bool'),
    ('EXPORT extern int Add(int x)', 'Add'),
    ('Status Visit(std::function<void(int)> f)', 'Visit'),
  ],
)
def test_a_function_has_a_name(head, name):
  assert cpp_heads.function_name(head, of='Shape') == name


@pytest.mark.parametrize(
  'head',
  [
    '',
    'int size_',
    'int size_ GUARDED_BY(mu_)',
    'std::function<void(int)> callback_',
    'int x = f(3)',
    'using F = int(int)',
    'friend void f(int)',
    'static_assert(true)',
    'return f(x)',
    'a.f(x)',
    'Call(x)',
    'REGISTER(Shape)',
  ],
)
def test_what_is_no_function_has_no_name(head):
  assert cpp_heads.function_name(head, of='Shape') == ''
