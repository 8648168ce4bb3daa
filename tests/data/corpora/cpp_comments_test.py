import pytest

from gemb.data import corpora
from gemb.data.corpora import cpp_comments

HEADER = '// Returns the number of dimensions.\nint rank(int start);\n'


@pytest.mark.parametrize(
  ('name', 'headers', 'config'),
  [
    ('cpp_comments', 'tensorflow_headers', 'tensorflow-'),
    ('arrow_cpp_comments', 'arrow_headers', 'pyarrow-'),
  ],
)
def test_a_corpus_is_named_after_the_version(
  read, monkeypatch, name, headers, config
):
  monkeypatch.setattr(cpp_comments, headers, lambda: [('a/b.h', HEADER)])
  [row] = read(name)
  assert corpora.prepare(name).builder_config.name.startswith(config)
  assert row['id'] == b'a/b.h:rank'
  assert row['query'] == b'Returns the number of dimensions.'
  assert row['positive'] == b'int rank(int start);'
  assert row['language'] == b'c++'


def test_headers_of_tensorflow_alone_are_read_and_each_once(
  tmp_path, monkeypatch
):
  for name in (
    'tensorflow/a.h',
    'tensorflow/compiler/xla/b.h',
    'tensorflow/tsl/c.h',
    'xla/b.h',
    'tsl/c.h',
    'Eigen/d.h',
  ):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(name)
  monkeypatch.setattr(cpp_comments, '_include', lambda package: tmp_path)
  assert [path for path, _ in cpp_comments.tensorflow_headers()] == [
    'tensorflow/a.h',
    'xla/b.h',
    'tsl/c.h',
  ]


def test_the_installed_headers_are_found():
  path, text = next(cpp_comments.arrow_headers())
  assert path.startswith('arrow/')
  assert 'namespace arrow' in text


@pytest.mark.parametrize('package', ['no_such_package', 'json'])
def test_a_package_without_headers_is_an_error(package):
  with pytest.raises(ModuleNotFoundError, match=f'{package} is not installed'):
    cpp_comments._include(package)
