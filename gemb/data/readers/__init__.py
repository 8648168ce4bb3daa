"""Rows out of one's own data, whatever format or library holds them.

No TensorFlow here until a TFDS data set is opened, and no `datasets` until one
of Hugging Face's is.
"""

from gemb.data.readers.files import Files
from gemb.data.readers.libraries import HuggingFace, Tfds
from gemb.data.readers.row import Reader, Row
from gemb.data.sources import SourceConfig

__all__ = ['Reader', 'Row', 'open_reader']


def open_reader(config: SourceConfig) -> Reader:
  """Returns what reads a source's rows.

  Raises:
    FileNotFoundError: there is no such file, nor one that matches.
    ValueError: the kind of file is not known, the data set cannot be had or has
      no such split, or a package is missing.
  """
  if config.kind == 'tfds':
    return Tfds(config.name, config.split)
  if config.kind == 'hf':
    return HuggingFace(config.name, config.split)
  return Files(config.name)
