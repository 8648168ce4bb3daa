"""A task's examples as text, in JSON lines on disk; no TensorFlow.

Where TensorFlow ends: tokenizer, records and evaluators start from these
files, whichever seqio source, library or language they came from.
"""

import dataclasses
import json
import pathlib
import re
from collections.abc import Iterable, Iterator

from gemb import files
from gemb.data.archives import data_dir


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Example:
  """A query, the positive that answers it, and its hard negatives.

  Attributes:
    id: readable, unique within the task.
    language: BCP-47 tag of the query; 'python' for docstring and function.
    query: a translation, a question, a docstring.
    positive: the text to be found for it.
    negatives: texts like the positive that do not answer the query.
  """

  id: str
  language: str
  query: str
  positive: str
  negatives: tuple[str, ...] = ()


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


def write_texts(task: str, source: str, examples: Iterable[Example]) -> None:
  """Writes a task's texts: a first line about them, then one an example."""
  with (
    files.write_path(texts_path(task)) as path,
    path.open('w', encoding='utf-8') as file,
  ):
    file.write(json.dumps({'task': task, 'source': source}) + '\n')
    for example in examples:
      values = dataclasses.asdict(example)
      file.write(json.dumps(values, ensure_ascii=False) + '\n')


def read_texts(task: str) -> Iterator[Example]:
  """Yields the examples of a task, in the order they were written.

  Raises:
    FileNotFoundError: if `gemb cache` has not written them yet.
    ValueError: if the file is damaged.
  """
  path = texts_path(task)
  if not path.is_file():
    raise FileNotFoundError(
      f'The texts of task {task!r} are not at {path}; run `gemb cache` with '
      'the same --gin_file.'
    )
  with path.open(encoding='utf-8') as file:
    file.readline()
    for number, line in enumerate(file, start=2):
      try:
        values = json.loads(line)
      except json.JSONDecodeError as error:
        raise ValueError(
          f'Line {number} of {path} is damaged ({error}). Delete that file and '
          'run `gemb cache` again.'
        ) from error
      values['negatives'] = tuple(values['negatives'])
      yield Example(**values)


def normalise(text: str) -> str:
  """Returns a text's letters and digits in lower case, single-spaced.

  Two texts with the same are taken for one when training data is cleared of
  held-out texts.

  >>> normalise('Sign in, please…') == normalise('sign in please')
  True
  """
  return ' '.join(re.findall(r'\w+', text.casefold()))
