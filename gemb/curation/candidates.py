"""An example with its neighbours: the row that curation's stages pass on."""

import dataclasses
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from gemb.curation import journal
from gemb.data import examples


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
  """A passage, and what is known of how well it answers the query.

  Attributes:
    text: of the passage, without prompt.
    similarity: cosine to the query.
    grade: expected grade of relevance by a language model, from 0; None: not
      graded, or the model gave no answer.
    likelihood: log-probability of the query after the passage, in nats; None:
      the same.
  """

  text: str
  similarity: float
  grade: float | None = None
  likelihood: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Mined:
  """An example, its neighbours, and the hard negatives chosen from them.

  Attributes:
    id: of the example, unique within its task.
    language: of the query.
    query: its text, without prompt.
    positive: that answers it.
    candidates: its neighbours; as mined in falling similarity, as scored in
      falling order of the fused ranks.
    negatives: texts of those that are chosen, the first choice first.
  """

  id: str
  language: str
  query: str
  positive: Candidate
  candidates: tuple[Candidate, ...]
  negatives: tuple[str, ...]


def to_row(mined: Mined) -> dict[str, Any]:
  """Returns what a line of a file holds."""
  return dataclasses.asdict(mined)


def from_row(row: Mapping[str, Any]) -> Mined:
  """Returns what `to_row` was given.

  Raises:
    TypeError: if the row has other fields.
  """
  fields: dict[str, Any] = {
    **row,
    'positive': Candidate(**row['positive']),
    'candidates': tuple(Candidate(**each) for each in row['candidates']),
    'negatives': tuple(row['negatives']),
  }
  return Mined(**fields)


def stage_path(folder: pathlib.Path, task: str, kind: str) -> pathlib.Path:
  """Returns where a stage's rows of a task lie: 'mined', 'scored', ..."""
  return folder / f'{task}.{kind}.jsonl'


def read(path: pathlib.Path, start: int = 0) -> Iterator[Mined]:
  """Yields the rows of a stage, from number `start` on.

  Raises:
    OSError: if the file cannot be read.
    ValueError: if a line is damaged, or no such row.
  """
  for number, row in enumerate(journal.read_rows(path, start), start + 2):
    try:
      yield from_row(row)
    except (TypeError, KeyError) as error:
      raise ValueError(
        f'Line {number} of {path} is no row of `gemb mine` ({error}); delete '
        'the file and run the command that made it again.'
      ) from error


def origin(
  folder: pathlib.Path, task: str, kind: str, command: str
) -> dict[str, Any]:
  """Returns what a stage is to tell of the one before, once that is checked.

  Args:
    folder: of all stages.
    task: of the rows.
    kind: of the stage before, such as 'mined'.
    command: that makes it.

  Raises:
    FileNotFoundError: if it is not there, or the task's texts are not.
    ValueError: if it is another task's, or of other texts than the task has.
  """
  path = stage_path(folder, task, kind)
  again = f'run `gemb {command}` with the same --gin_file and --folder'
  if not path.is_file():
    raise FileNotFoundError(f'There is no {path}; {again} first.')
  about = journal.read_about(path)
  texts = examples.texts_sha256(task)
  wanted = {'kind': kind, 'task': task, 'texts': texts}
  for name, value in wanted.items():
    if about.get(name) != value:
      raise ValueError(
        f'{path} was made of other {name} ({about.get(name)!r}) than task '
        f'{task!r} has now ({value!r}); delete it and {again}.'
      )
  return {'task': task, 'texts': texts, kind: about}
