"""Data sets of TensorFlow Datasets and of Hugging Face's `datasets`."""

import difflib
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gemb.data.readers.files import table_rows
from gemb.data.readers.row import AT_ONCE, Row, library


class Tfds:
  """The rows of a data set of TFDS, which is prepared if it is not yet."""

  def __init__(self, name: str, split: str):
    """Opens the data set.

    Args:
      name: as `tfds.load` knows it, or the folder of one that is prepared.
      split: which it must have.

    Raises:
      ValueError: if there is no such data set or split.
    """
    self._tfds = library('tensorflow_datasets', extra='data')
    is_folder = pathlib.Path(name).is_dir()
    try:
      self._builder = (
        self._tfds.builder_from_directory(name)
        if is_folder
        else self._tfds.builder(name)
      )
      self._builder.download_and_prepare()
    except (OSError, ValueError) as error:
      first = str(error).strip().split('\n')[0]
      raise ValueError(
        f'tfds:{name} cannot be had ({first}); name a data set of TFDS, or the '
        'folder of one that is prepared, down to its version.'
      ) from error
    _check_split(f'tfds:{name}', split, self._builder.info.splits)
    self._split = split

  def names(self) -> list[str]:
    """Returns the data set's features."""
    return list(self._builder.info.features)

  def rows(self, fields: Sequence[str]) -> Iterator[Row]:
    """Yields the rows of the split, in the order of its files."""
    # One file after another: which row a number means must not depend on the
    # machine.
    dataset = self._builder.as_dataset(
      split=self._split,
      shuffle_files=False,
      read_config=self._tfds.ReadConfig(interleave_cycle_length=1),
    )
    features = self._builder.info.features
    known = [field for field in fields if field in features]
    dataset = dataset.map(lambda row: {field: row[field] for field in known})
    batches = map(batch_rows, dataset.ragged_batch(AT_ONCE))
    yield from _number(batches, features, self.content())

  def content(self) -> str:
    """Returns name, version and split."""
    return f'tfds {self._builder.info.full_name} {self._split}'


class HuggingFace:
  """The rows of a data set of Hugging Face, downloaded if it is not yet."""

  def __init__(self, name: str, split: str):
    """Opens the data set.

    Args:
      name: as the hub knows it, with `:CONFIGURATION` where it has several, or
        a folder that `save_to_disk` wrote.
      split: which it must have, unless the folder has no splits.

    Raises:
      ValueError: if there is no such data set or split.
    """
    datasets = library('datasets', extra='huggingface')
    hub_name, _, configuration = name.partition(':')
    try:
      found = (
        datasets.load_from_disk(name)
        if pathlib.Path(name).is_dir()
        else datasets.load_dataset(hub_name, configuration or None)
      )
    except (OSError, ValueError) as error:
      first = str(error).strip().split('\n')[0]
      raise ValueError(
        f'hf:{name} cannot be had ({first}); name a data set of the hub, or a '
        'folder that `save_to_disk` wrote.'
      ) from error
    if isinstance(found, dict):
      _check_split(f'hf:{name}', split, found)
      found = found[split]
    self._name, self._dataset = name, found

  def names(self) -> list[str]:
    """Returns the data set's columns."""
    return self._dataset.column_names

  def rows(self, fields: Sequence[str]) -> Iterator[Row]:
    """Yields the rows of the split."""
    features = self._dataset.features
    known = [field for field in fields if field in features]
    tables = self._dataset.select_columns(known).with_format('arrow')
    batches = map(table_rows, tables.iter(AT_ONCE))
    yield from _number(batches, features, f'hf:{self._name}')

  def content(self) -> str:
    """Returns the fingerprint by which `datasets` caches what it computes."""
    return f'hf {self._dataset._fingerprint}'


def batch_rows(batch: dict[str, Any]) -> list[dict[str, Any]]:
  """Returns the rows of a batch of TensorFlow's; text as bytes."""
  columns = [
    # Only what is ragged has it.
    column.to_list() if hasattr(column, 'to_list') else column.numpy().tolist()
    for column in batch.values()
  ]
  return [
    dict(zip(batch, values, strict=True))
    for values in zip(*columns, strict=True)
  ]


def _number(
  batches: Iterable[list[dict[str, Any]]], features: Any, where: str
) -> Iterator[Row]:
  """Yields rows with their numbers, and classes by their names."""
  number = 0
  classes = {
    field: feature.names
    for field, feature in features.items()
    if hasattr(feature, 'int2str')
  }
  for batch in batches:
    for values in batch:
      number += 1
      for field in classes.keys() & values.keys():
        names, value = classes[field], values[field]
        # What has no class is -1 in many a data set.
        known = value is not None and 0 <= value < len(names)
        values[field] = names[value] if known else None
      yield Row(f'{where}, row {number:,}', values)


def _check_split(where: str, split: str, known: Iterable[str]) -> None:
  if split not in known:
    near = difflib.get_close_matches(split, known, n=3, cutoff=0)
    raise ValueError(
      f'{where} has no split {split!r}; the nearest are {near}. Name one in '
      'SourceConfig.split.'
    )
