"""Local files for MTEB's evaluators: one file, and what its columns mean.

A folder holds files `NAME.jsonl` (an object a line) or `NAME.csv` (a header,
then rows), which may be gzipped (`.gz`). `NAME_train`, `NAME_dev`,
`NAME_validation` and `NAME_test` are splits of the set NAME; a column `split`
says the same of single rows; where neither does, it is `test`. All splits but
`train` are scored. The columns tell what kind of task it is:

  sentence1, sentence2         bitext: each sentence1 is to find its sentence2
  sentence1, sentence2, score  similarity: the greater the more alike
  sentence1, sentence2, label  pairs: 1 for those that belong together, else 0
  text, label                  classification, learned from `train`
  text, cluster                clustering
  query, id                    retrieval: a row for each relevant passage, with
                               its `score` where relevance has grades
  id, text                     in NAME_corpus: the passages; may have a `title`

Other names for them: `sentence` and `english` for the sides of a bitext,
`category` for a label, `code` for the text of a passage (which is then dressed
for code retrieval), and any name that ends in `_id` for an id. With a column
`language` each language is scored alone, and the set has their mean. A column
of any other name is refused, lest a misspelt one be passed over.
"""

import csv
import dataclasses
import gzip
import io
import json
import math
import pathlib
import re
from collections.abc import Iterator
from typing import Any

# A line of a file, by the names of columns in the table above.
Row = dict[str, Any]

TRAIN = 'train'
CORPUS = 'corpus'
RETRIEVAL = 'Retrieval'
CLASSIFICATION = 'Classification'
NO_LANGUAGE = 'default'  # MTEB's word for the only subset

_SPLITS = (TRAIN, 'dev', 'validation', 'test')
_PAIRS = 'PairClassification'
_FILE = re.compile(
  rf'(?P<name>[^.].*?)(_(?P<part>{"|".join(_SPLITS)}|{CORPUS}))?'
  r'\.(?P<format>jsonl|csv)(\.gz)?'
)
_ALIASES = {
  'sentence': 'sentence1',
  'english': 'sentence2',
  'category': 'label',
  'code': 'text',
}
# The columns of each of MTEB's types of task, and those that may be missing.
_COLUMNS = {
  'BitextMining': ({'sentence1', 'sentence2'}, set()),
  'STS': ({'sentence1', 'sentence2', 'score'}, set()),
  _PAIRS: ({'sentence1', 'sentence2', 'label'}, set()),
  CLASSIFICATION: ({'text', 'label'}, set()),
  'Clustering': ({'text', 'cluster'}, set()),
  RETRIEVAL: ({'query', 'id'}, {'score'}),
  CORPUS: ({'id', 'text'}, {'title'}),
}
_OF_ANY = {'language', 'split'}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
  """The content of one file.

  Attributes:
    path: of the file.
    kind: MTEB's type of task that the columns fit, or `CORPUS`.
    rows: each with the columns of its kind, and language and split.
    programming: whether its texts are code.
  """

  path: pathlib.Path
  kind: str
  rows: list[Row]
  programming: bool


def set_name(path: pathlib.Path) -> str | None:
  """Returns the NAME of the set that a file belongs to; None: to none.

  >>> set_name(pathlib.Path('cosqa_corpus.jsonl.gz'))
  'cosqa'
  >>> set_name(pathlib.Path('README.md'))
  """
  match = _FILE.fullmatch(path.name)
  return match and match['name']


def read_table(path: pathlib.Path) -> Table:
  """Reads one file.

  Raises:
    ValueError: if it is damaged, or its columns fit no kind of task.
  """
  match = _FILE.fullmatch(path.name)
  if not match:
    raise ValueError(f'{path} is neither .jsonl nor .csv (also .gz).')
  read = _read_json_lines if match['format'] == 'jsonl' else _read_csv
  try:
    content = path.read_bytes()
    if path.suffix == '.gz':
      content = gzip.decompress(content)
    raw = list(read(content.decode('utf-8-sig')))
  except (OSError, EOFError, ValueError, csv.Error) as error:
    raise ValueError(f'{path} cannot be read: {error}.') from error
  if not raw:
    raise ValueError(f'{path} has no row; remove it or fill it.')
  names = {column: _rename(column) for column in raw[0]}
  kind = _kind(path, names)
  part = match['part'] if match['part'] in _SPLITS else 'test'
  rows: list[Row] = []
  for number, values in enumerate(raw, start=1):
    if values.keys() != names.keys():
      raise ValueError(
        f'Row {number} of {path} has the columns {list(values)}, and the first '
        f'has {list(names)}; give all rows the same.'
      )
    row = {'language': NO_LANGUAGE, 'split': part}
    row |= {names[column]: value for column, value in values.items()}
    rows.append(_convert(row, kind, f'Row {number} of {path}'))
  return Table(path=path, kind=kind, rows=rows, programming='code' in names)


def _read_json_lines(text: str) -> Iterator[Row]:
  # By '\n' alone: a text may hold the other line breaks of Unicode.
  for number, line in enumerate(text.split('\n'), start=1):
    if line.strip():
      row = json.loads(line)
      if not isinstance(row, dict):
        raise ValueError(f'line {number} is no JSON object')
      yield row


def _read_csv(text: str) -> Iterator[Row]:
  for row in csv.DictReader(io.StringIO(text, newline=''), strict=True):
    # Fields too many stand under None, and fields too few are None.
    yield {str(k): v for k, v in row.items() if v is not None}


def _rename(column: str) -> str:
  return 'id' if column.endswith('_id') else _ALIASES.get(column, column)


def _kind(path: pathlib.Path, names: dict[str, str]) -> str:
  columns = set(names.values())
  for kind, (needed, optional) in _COLUMNS.items():
    fits = needed <= columns <= needed | optional | _OF_ANY
    if fits and len(columns) == len(names):  # not two names of one
      return kind
  wanted = [', '.join(sorted(needed)) for needed, _ in _COLUMNS.values()]
  raise ValueError(
    f'{path} has the columns {", ".join(names)}, which fit no kind of task; '
    f'wanted are those of one: {"; ".join(wanted)} (language and split may be '
    'there too).'
  )


def _convert(row: Row, kind: str, where: str) -> Row:
  """Makes scores numbers, and labels and ids texts; checks all."""
  for column, value in row.items():
    if column == 'score':
      wanted = 'a whole number' if kind == RETRIEVAL else 'a number'
      fits = _is_number(value, whole=kind == RETRIEVAL)
      row[column] = float(value) if fits else value
    elif column == 'label' and kind == _PAIRS:
      wanted, fits = '1 or 0', str(value) in ('1', '0')
      row[column] = int(value) if fits else value
    elif column in ('id', 'label', 'cluster'):
      wanted, fits = 'a text or whole number', isinstance(value, str | int)
      row[column] = str(value)
    elif column == 'split':
      wanted, fits = f'one of {_SPLITS}', value in _SPLITS
    else:
      wanted, fits = 'a text', isinstance(value, str)
    if not fits:
      raise ValueError(
        f'{where} has {value!r} as {column}; give {wanted} instead.'
      )
  return row


def _is_number(value: Any, *, whole: bool) -> bool:
  try:
    number = float(value)
  except (TypeError, ValueError):
    return False
  return number.is_integer() if whole else math.isfinite(number)
