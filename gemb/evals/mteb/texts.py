"""The texts of local evaluation files, to keep training data clear of them."""

import pathlib
from collections.abc import Iterator

from gemb.evals.mteb.files import TRAIN, Table, read_table, set_name

# Columns that hold texts; a title alone is often that of many passages.
_TEXTS = ('sentence1', 'sentence2', 'text', 'query')


def read_texts(path: pathlib.Path) -> dict[str, list[str]]:
  """Returns the texts of a file, or of all files of a folder, by set.

  What is scored, and the passages that are searched; splits `train` are not,
  for they are there to be trained on.

  Args:
    path: of files as `gemb evaluate --data` takes them; in a folder, others
      are left alone.

  Raises:
    FileNotFoundError: if there is no such path, or nothing to read in it.
    ValueError: if a file is damaged, or fits no kind of task.
  """
  paths = sorted(path.iterdir()) if path.is_dir() else [path]
  named = [(set_name(file), file) for file in paths if file.is_file()]
  found: dict[str, list[str]] = {}
  for name, file in named:
    if name and (texts := list(_scored(read_table(file)))):
      found.setdefault(name, []).extend(texts)
  if not found:
    raise FileNotFoundError(
      f'{path} holds no .jsonl or .csv file (also .gz) of evaluation texts.'
    )
  return found


def _scored(table: Table) -> Iterator[str]:
  for row in table.rows:
    if row['split'] != TRAIN:
      yield from (row[column] for column in _TEXTS if column in row)
