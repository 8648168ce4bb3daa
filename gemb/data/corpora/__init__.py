"""The corpora: TFDS builders of (query, positive, negatives) text.

Importing this package imports TensorFlow. The text itself is read in
`gemb.data.harvest`, which does not.
"""

import contextlib
import difflib
import fcntl
import io
import pathlib
import shutil
from collections.abc import Iterator

import tensorflow_datasets as tfds

from gemb.data import archives
from gemb.data.cleaning import Drop
from gemb.data.corpora import catalogues, docstrings, home_assistant

CORPORA: dict[str, type[tfds.core.GeneratorBasedBuilder]] = {
  builder.name: builder
  for builder in (
    home_assistant.HomeAssistant,
    catalogues.DjangoCatalogues,
    catalogues.WagtailCatalogues,
    catalogues.AllauthCatalogues,
    docstrings.PythonDocstrings,
    docstrings.NetworkxDocstrings,
  )
}

# Never trained on; their split is 'test'.
HELD_OUT = (
  'wagtail_catalogues',
  'allauth_catalogues',
  'networkx_docstrings',
)


def folder() -> pathlib.Path:
  """Returns the TFDS data folder of the corpora."""
  return archives.data_dir() / 'corpora'


def prepare(name: str) -> tfds.core.GeneratorBasedBuilder:
  """Returns the builder of a corpus, prepared on disk.

  What is prepared already is not made again. A corpus is made in a folder of
  its own and moved into place when it is whole; what a killed process left is
  removed first.

  Args:
    name: a key of CORPORA.

  Raises:
    ValueError: there is no such corpus, or its archive is corrupt.
    RuntimeError: pip could not download the archive.
    OSError: the data folder cannot be written.
  """
  if name not in CORPORA:
    near = difflib.get_close_matches(name, CORPORA, n=1) or sorted(CORPORA)
    raise ValueError(
      f'There is no corpus {name!r}. Did you mean {" or ".join(near)}?'
    )
  archives.make_folder(folder())
  with _alone(name), _quiet():
    builder = CORPORA[name](data_dir=folder())
    for left in builder.data_path.parent.glob('incomplete.*'):
      shutil.rmtree(left)
    builder.download_and_prepare(file_format='tfrecord')
  return builder


def table() -> str:
  """Returns what was kept and dropped, as a Markdown table.

  Corpora that are not prepared yet are prepared.
  """
  reasons = [reason.value for reason in Drop]
  head = ['corpus', 'licence', 'languages', 'kept', *reasons]
  lines = [head, ['---'] * 2 + ['---:'] * (len(head) - 2)]
  for name in CORPORA:
    info = prepare(name).info
    counts = info.metadata
    dropped = [counts['dropped'].get(reason, 0) for reason in reasons]
    numbers = [counts['languages'], counts['kept'], *dropped]
    lines.append(
      [name, info.redistribution_info.license, *(f'{n:,}' for n in numbers)]
    )
  return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


@contextlib.contextmanager
def _alone(name: str) -> Iterator[None]:
  """Makes a second process that prepares the same corpus wait for the first."""
  with (folder() / f'.{name}.lock').open('w') as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    yield


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
  """Silences the bars and the banner that TFDS prints to standard output."""
  tfds.disable_progress_bar()
  try:
    with contextlib.redirect_stdout(io.StringIO()):
      yield
  finally:
    tfds.enable_progress_bar()
