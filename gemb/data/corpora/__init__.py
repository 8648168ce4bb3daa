"""The corpora: TFDS builders of (query, positive, negatives) text.

Each module holds a table of corpora, which `building` makes builders of.
Importing this package imports TensorFlow. The text itself is read in
`gemb.data.harvest`, which does not.
"""

import contextlib
import difflib
import io
import pathlib
import shutil
from collections.abc import Iterator

import tensorflow_datasets as tfds

from gemb.data import archives, locks
from gemb.data.corpora import (
  aws_commands,
  building,
  catalogues,
  conversations,
  cpp_comments,
  docstrings,
  home_assistant,
  passages,
  services,
  short_phrases,
)

_CORPORA: tuple[building.Corpus, ...] = (
  *home_assistant.CORPORA,
  *catalogues.CORPORA,
  *short_phrases.CORPORA,
  *conversations.CORPORA,
  *services.CORPORA,
  *docstrings.CORPORA,
  *cpp_comments.CORPORA,
  *aws_commands.CORPORA,
  *passages.CORPORA,
)
CORPORA: dict[str, type[tfds.core.GeneratorBasedBuilder]] = {
  corpus.name: building.builder(corpus) for corpus in _CORPORA
}

# Never trained on.
HELD_OUT = tuple(corpus.name for corpus in _CORPORA if corpus.split == 'test')


def folder() -> pathlib.Path:
  """Returns the TFDS data folder of the corpora."""
  return archives.data_dir() / 'corpora'


def infos() -> list[tfds.core.DatasetInfo]:
  """Returns what is known of each corpus; the counts only if it is prepared."""
  return [builder(data_dir=folder()).info for builder in CORPORA.values()]


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
  # A second process that prepares the same corpus waits for the first.
  with locks.hold(folder() / f'.{name}.lock'), _quiet():
    builder = CORPORA[name](data_dir=folder())
    for left in builder.data_path.parent.glob('incomplete.*'):
      shutil.rmtree(left)
    builder.download_and_prepare(file_format='tfrecord')
  return builder


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
  """Silences the bars and the banner that TFDS prints to standard output."""
  tfds.disable_progress_bar()
  try:
    with contextlib.redirect_stdout(io.StringIO()):
      yield
  finally:
    tfds.enable_progress_bar()
