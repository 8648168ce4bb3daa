"""A task's examples as text, in JSON lines on disk; no TensorFlow.

Where TensorFlow ends: tokenizer, records and evaluators start from these
files, whichever seqio source, library or language they came from.
"""

import dataclasses
import hashlib
import json
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

from gemb import files
from gemb.data.archives import data_dir

_ROOM_FOR_COUNTS = 64  # characters, in the first line


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Example:
  """A query, the positive that answers it, and its hard negatives.

  Attributes:
    id: readable, unique within the task.
    language: BCP-47 tag of the query; 'python' for docstring and function.
    query: a translation, a question, a docstring.
    positive: the text to be found for it.
    negatives: texts like the positive that do not answer the query.
    label: where not empty, examples with the same one are never contrasted
      with each other, whatever their positives are: another text of a class
      answers for the whole class.
  """

  id: str
  language: str
  query: str
  positive: str
  negatives: tuple[str, ...] = ()
  label: str = ''


def texts_path(task: str) -> pathlib.Path:
  """Returns where the texts of a task lie, or will."""
  return data_dir() / 'texts' / f'{task}.jsonl'


def texts_source(task: str) -> str | None:
  """Returns what a task's texts were read from; None if they were not yet."""
  path = texts_path(task)
  if not path.is_file():
    return None
  with path.open(encoding='utf-8') as file:
    return json.loads(file.readline())['source']


def write_texts(
  task: str,
  source: str,
  examples: Iterable[Example],
  counts: Mapping[str, int] | None = None,
) -> None:
  """Writes a task's texts: a first line about them, then one an example.

  Args:
    task: name of the seqio Task.
    source: what the examples are read from.
    examples: all of them.
    counts: told in the first line too, as they are once all examples passed.
  """
  head = {'task': task, 'source': source}
  width = len(json.dumps(head)) + (0 if counts is None else _ROOM_FOR_COUNTS)
  with (
    files.write_path(texts_path(task)) as path,
    path.open('w', encoding='utf-8') as file,
  ):
    file.write(' ' * width + '\n')
    for example in examples:
      values = dataclasses.asdict(example)
      file.write(json.dumps(values, ensure_ascii=False) + '\n')
    file.seek(0)
    file.write(json.dumps(head | dict(counts or {})).ljust(width))


def texts_sha256(task: str) -> str:
  """Returns the sha256 of a task's examples: of its texts but the first line.

  Raises:
    FileNotFoundError: if `gemb cache` has not written them yet.
  """
  with _open_texts(task) as file:
    file.readline()
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
      digest.update(block)
  return digest.hexdigest()


def read_texts(
  task: str, start: int = 0, stop: int | None = None
) -> Iterator[Example]:
  """Yields the examples of a task, in the order they were written.

  Args:
    task: name of the seqio Task.
    start: the byte at which the first of them begins; 0: the file's first.
    stop: the byte before which the last one begins; None: the file's last.

  Raises:
    FileNotFoundError: if `gemb cache` has not written them yet.
    ValueError: if the file is damaged.
  """
  return (example for _, example in read_places(task, start, stop))


def read_places(
  task: str, start: int = 0, stop: int | None = None
) -> Iterator[tuple[int, Example]]:
  """Yields the same, each with the byte at which its line begins."""
  path = texts_path(task)
  with _open_texts(task) as file:
    position = file.seek(start) or len(file.readline())
    for number, line in enumerate(file, start=1 if start else 2):
      if stop is not None and position >= stop:
        break
      try:
        yield position, parse(line)
      except ValueError as error:
        after = f' after byte {start}' if start else ''
        raise ValueError(
          f'Line {number}{after} of {path} is damaged ({error}). Delete that '
          'file and run `gemb cache` again.'
        ) from error
      position += len(line)


def parse(line: bytes) -> Example:
  """Returns the example of a line.

  Raises:
    ValueError: if it is damaged.
  """
  values = json.loads(line)
  return Example(**values | {'negatives': tuple(values['negatives'])})


def _open_texts(task: str) -> BinaryIO:
  path = texts_path(task)
  if not path.is_file():
    raise FileNotFoundError(
      f'The texts of task {task!r} are not at {path}; run `gemb cache` with '
      'the same --gin_file.'
    )
  return path.open('rb')


def normalise(text: str) -> str:
  """Returns a text's letters and digits in lower case, single-spaced.

  Two texts with the same are taken for one when training data is cleared of
  held-out texts.

  >>> normalise('Sign in, please…') == normalise('sign in please')
  True
  """
  return ' '.join(re.findall(r'\w+', text.casefold()))


def text_key(text: str) -> str:
  """Returns what a text has in common with those that are taken for the same.

  That is what `normalise` leaves of it; signs alone are told apart as they are.
  """
  return normalise(text) or text
