"""sweep.json: what was asked for, and the values of every point."""

import ast
import dataclasses
import json
import pathlib
from typing import Any

from gemb import files
from gemb.config_values import literal


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
  """What a folder's points are.

  Attributes:
    given: the sweep's file, as it was last.
    metric: what a search looks for; '': there is none.
    points: {name: {whole name of a value: the value}}, in the order in which
      they came.
  """

  given: str = ''
  metric: str = ''
  points: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)


def read_record(folder: pathlib.Path) -> Record:
  """Returns what a folder's points are; an empty record if it is new."""
  path = folder / 'sweep.json'
  if not path.is_file():
    return Record()
  content = json.loads(path.read_text(encoding='utf-8'))
  points = {
    name: {key: ast.literal_eval(text) for key, text in values.items()}
    for name, values in content['points'].items()
  }
  return Record(given=content['given'], metric=content['metric'], points=points)


def write_record(folder: pathlib.Path, record: Record) -> None:
  """Writes it; values as gin does, for JSON knows no tuples."""
  points = {
    name: {key: literal(value) for key, value in values.items()}
    for name, values in record.points.items()
  }
  content = dataclasses.asdict(record) | {'points': points}
  files.write_file(folder / 'sweep.json', json.dumps(content, indent=1) + '\n')
