"""Comment and C++ declaration: TensorFlow to train on; Arrow held out.

Both libraries are there where corpora are made, with their headers. What is
installed differs between machines, so a configuration is named after the
version: a copy made from another is never mistaken for this one.
"""

import importlib.metadata
import importlib.util
import pathlib
from collections.abc import Iterable, Iterator

import tensorflow as tf
import tensorflow_datasets as tfds

from gemb.data.corpora.building import Corpus
from gemb.data.harvest import cpp_comments, pairs

_KIND = 'comment and declaration'
_ARROW = importlib.metadata.version('pyarrow')

# TensorFlow's own; Eigen, Abseil and others lie beside them.
_TENSORFLOW_FOLDERS = ('tensorflow', 'xla', 'tsl')
_COPIES = ('tensorflow/compiler/xla/', 'tensorflow/tsl/')


def tensorflow_headers() -> Iterator[tuple[str, str]]:
  """Yields (path, text) of the headers of TensorFlow, XLA and TSL."""
  folder = _include('tensorflow')
  for name in _TENSORFLOW_FOLDERS:
    for path, text in cpp_comments.headers(folder / name):
      if not path.startswith(_COPIES):
        yield path, text


def arrow_headers() -> Iterator[tuple[str, str]]:
  """Yields (path, text) of the headers of Arrow and Parquet."""
  folder = _include('pyarrow')
  for name in 'arrow', 'parquet':
    yield from cpp_comments.headers(folder / name)


def _include(package: str) -> pathlib.Path:
  """Returns where the headers of a package lie, without importing it."""
  spec = importlib.util.find_spec(package)
  found = spec.submodule_search_locations if spec else None
  folder = pathlib.Path(found[0]) / 'include' if found else None
  if folder is None or not folder.is_dir():
    raise ModuleNotFoundError(
      f'The package {package} is not installed with its C++ headers, which are '
      "read for their comments. Install gemb with its extra 'data'."
    )
  return folder


def _harvest(headers: Iterable[tuple[str, str]]) -> pairs.Harvest:
  return pairs.harvest(cpp_comments.read(headers), one_sided=True)


def _description(project: str) -> str:
  return (
    'The first paragraph of a comment and the C++ declaration below it, of '
    f'{project}. The negatives are other declarations of the same header.'
  )


CORPORA = (
  Corpus(
    name='cpp_comments',
    kind=_KIND,
    split='train',
    description=_description(f'TensorFlow {tf.__version__}, XLA and TSL'),
    homepage='https://www.tensorflow.org',
    citation=f'The TensorFlow Authors, TensorFlow {tf.__version__}.',
    licence='Apache-2.0',
    harvest=lambda: _harvest(tensorflow_headers()),
    config=tfds.core.BuilderConfig(
      name=f'tensorflow-{tf.__version__}',
      description=f'TensorFlow {tf.__version__}.',
    ),
  ),
  Corpus(
    name='arrow_cpp_comments',
    kind=_KIND,
    split='test',
    description=_description(f'Apache Arrow (pyarrow {_ARROW})'),
    homepage='https://arrow.apache.org',
    citation=f'The Apache Software Foundation, pyarrow {_ARROW}.',
    licence='Apache-2.0',
    harvest=lambda: _harvest(arrow_headers()),
    config=tfds.core.BuilderConfig(
      name=f'pyarrow-{_ARROW}', description=f'pyarrow {_ARROW}.'
    ),
  ),
)
