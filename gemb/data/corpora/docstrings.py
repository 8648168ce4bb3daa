"""Docstring and function: Python and SymPy to train on; networkx held out."""

import dataclasses
import hashlib
import importlib.metadata
import importlib.util
import pathlib
import platform
import sys
import sysconfig
from collections.abc import Iterable, Iterator

import tensorflow_datasets as tfds

from gemb.data import archives, pinned
from gemb.data.corpora.building import Corpus
from gemb.data.harvest import docstrings, pairs

_KIND = 'docstring and function'
PACKAGES = ('flax', 'jax', 'numpy', 'optax', 'scipy')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Installed:
  """The versions that the corpus of this interpreter is read from.

  Attributes:
    versions: name to version, 'python' first.
  """

  versions: dict[str, str]

  @property
  def name(self) -> str:
    """Python's version and a checksum of all versions: 'py3.11-1f0c2b9a'."""
    digest = hashlib.sha256(str(self).encode()).hexdigest()[:8]
    return f'py{sys.version_info.major}.{sys.version_info.minor}-{digest}'

  def __str__(self) -> str:
    return ', '.join(f'{name} {v}' for name, v in self.versions.items())


def installed() -> Installed:
  """Returns the versions of this interpreter and of the packages read."""
  packages = {name: importlib.metadata.version(name) for name in PACKAGES}
  return Installed(versions={'python': platform.python_version(), **packages})


def installed_modules() -> Iterator[tuple[str, bytes]]:
  """Yields (dotted name, source) of the standard library and the packages."""
  library = pathlib.Path(sysconfig.get_path('stdlib'))
  yield from docstrings.folder_modules(library, package='')
  for package in PACKAGES:
    yield from docstrings.folder_modules(_folder(package), package=package)


def _folder(package: str) -> pathlib.Path:
  """Returns where a package lies, without importing it."""
  spec = importlib.util.find_spec(package)
  if spec is None or not spec.submodule_search_locations:
    raise ModuleNotFoundError(
      f'The package {package} is not installed, whose docstrings are part of '
      'python_docstrings. Install gemb with its dependencies.'
    )
  return pathlib.Path(spec.submodule_search_locations[0])


def _harvest(modules: Iterable[tuple[str, bytes]]) -> pairs.Harvest:
  return pairs.harvest(docstrings.read(modules), one_sided=True)


def _harvest_wheel(archive: pinned.Archive) -> pairs.Harvest:
  return _harvest(docstrings.wheel_modules(archives.fetch(archive)))


def _description(project: str) -> str:
  return (
    'The first paragraph of a docstring and the source of its function, '
    f'without the docstring, of {project}. The negatives are other functions '
    'of the same module.'
  )


CORPORA = (
  Corpus(
    name='python_docstrings',
    kind=_KIND,
    split='train',
    description=_description(str(installed())),
    homepage='https://docs.python.org/3/library',
    citation='The authors of CPython, JAX, Flax, Optax, NumPy and SciPy.',
    licence='PSF-2.0 AND Apache-2.0 AND BSD-3-Clause',
    harvest=lambda: _harvest(installed_modules()),
    config=tfds.core.BuilderConfig(
      name=installed().name, description=f'{installed()}.'
    ),
  ),
  Corpus(
    name='sympy_docstrings',
    kind=_KIND,
    split='train',
    description=_description('sympy 1.14.0'),
    homepage='https://www.sympy.org',
    citation='SymPy Development Team, sympy 1.14.0.',
    licence='BSD-3-Clause',
    harvest=lambda: _harvest_wheel(pinned.SYMPY),
  ),
  Corpus(
    name='networkx_docstrings',
    kind=_KIND,
    split='test',
    description=_description('networkx 3.6.1'),
    homepage='https://networkx.org',
    citation='NetworkX developers, networkx 3.6.1.',
    licence='BSD-3-Clause',
    harvest=lambda: _harvest_wheel(pinned.NETWORKX),
  ),
)
