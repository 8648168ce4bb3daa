"""JSON lines (also gzipped) and Parquet, one file after another.

No more is held than a line, or a group of Parquet's rows.
"""

import contextlib
import difflib
import glob
import gzip
import hashlib
import io
import json
import pathlib
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from gemb.data.readers.row import AT_ONCE, Row, library, not_utf8

_ENDINGS = ('.jsonl', '.jsonl.gz', '.parquet')
_LONGEST_LINE = 2**24  # bytes; of a longer one no more than this is held
_HASHED_WHOLE = 10**9  # bytes


class Files:
  """The rows of one file, or of all that match a pattern, in sorted order."""

  def __init__(self, pattern: str):
    """Finds the files.

    Raises:
      FileNotFoundError: if there is none.
      ValueError: if one is of no kind that is read.
    """
    self.paths = _find(pattern)
    for path in self.paths:
      if path.is_dir() or not path.name.endswith(_ENDINGS):
        raise ValueError(_not_read(path))

  def names(self) -> list[str]:
    """Returns the fields of the first row; none if there is no row."""
    for path in self.paths:
      if path.name.endswith('.parquet'):
        with _open_parquet(path) as file:
          return file.schema_arrow.names
      for row in _json_lines(path):
        if not row.problem:
          return list(row.values)
    return []

  def rows(self, fields: Sequence[str]) -> Iterator[Row]:
    """Yields the rows of all files.

    Raises:
      ValueError: if a file is damaged, so that no more can be read of it.
    """
    for path in self.paths:
      if path.name.endswith('.parquet'):
        yield from _parquet(path, fields)
      else:
        yield from _json_lines(path)

  def content(self) -> str:
    """Returns a checksum of the files' bytes.

    Of more than a gigabyte in all, a checksum of names, sizes and times of
    change, since reading them would take longer than it saves.
    """
    whole = hashlib.sha256()
    large = sum(path.stat().st_size for path in self.paths) > _HASHED_WHOLE
    for path in self.paths:
      found = path.stat()
      with path.open('rb') as file:
        part = (
          repr((path.name, found.st_size, found.st_mtime_ns)).encode()
          if large
          else hashlib.file_digest(file, 'sha256').digest()
        )
      whole.update(hashlib.sha256(part).digest())
    return f'{"times" if large else "sha256"} {whole.hexdigest()[:32]}'


def table_rows(table: Any) -> list[dict[str, Any]]:
  """Returns the rows of an Arrow table; text that is not UTF-8 as bytes."""
  try:
    return table.to_pylist()
  except UnicodeDecodeError:
    return table.cast(_as_bytes(table.schema)).to_pylist()


def _find(pattern: str) -> list[pathlib.Path]:
  path = pathlib.Path(pattern).expanduser()
  if path.exists():  # whatever characters its name has
    return [path]
  if found := sorted(glob.glob(str(path), recursive=True)):
    return [pathlib.Path(name) for name in found]
  if glob.has_magic(pattern):
    raise FileNotFoundError(f'No file matches {path}; mend the pattern.')
  beside = [p.name for p in path.parent.glob('*') if p.name.endswith(_ENDINGS)]
  near = difflib.get_close_matches(path.name, beside, n=3, cutoff=0)
  raise FileNotFoundError(
    f'There is no file {path}; the nearest are {near}. A path is relative to '
    f'the working directory, which is {pathlib.Path.cwd()}.'
  )


def _not_read(path: pathlib.Path) -> str:
  if path.is_dir():
    return (
      f'{path} is a folder; write {path}/*.jsonl for the files in it, or '
      f'hf:{path} if `save_to_disk` wrote it.'
    )
  return f'{path} is not read; wanted a file that ends in {list(_ENDINGS)}.'


def _json_lines(path: pathlib.Path) -> Iterator[Row]:
  opened = gzip.open if path.name.endswith('.gz') else open
  with opened(path, 'rb') as file:
    for number, line in enumerate(_lines(path, file), start=1):
      if number == 1:
        line = line.removeprefix(b'\xef\xbb\xbf')  # as some editors begin
      if not line.strip():
        continue
      row = _json_row(f'{path}:{number}', line)
      # What gemb's own files of rows begin with (gemb.curation.journal).
      if number > 1 or row.values.keys() != {'about'}:
        yield row


def _lines(path: pathlib.Path, file: io.BufferedIOBase) -> Iterator[bytes]:
  """Yields lines, of which a longer one than can be is cut."""
  number = 0
  try:
    while line := file.readline(_LONGEST_LINE):
      number += 1
      rest = line
      while len(rest) == _LONGEST_LINE and not rest.endswith(b'\n'):
        rest = file.readline(_LONGEST_LINE)
      yield line
  except (EOFError, zlib.error, gzip.BadGzipFile) as error:
    raise ValueError(
      f'{path} is damaged after line {number:,} ({error}); perhaps it was not '
      'copied whole.'
    ) from error


def _json_row(place: str, line: bytes) -> Row:
  try:
    values = json.loads(line.decode().rstrip())
  except UnicodeDecodeError as error:
    problem = not_utf8(error, 'the line')
  except json.JSONDecodeError as error:
    problem = f'not JSON at column {error.colno:,} ({error.msg})'
  except (ValueError, RecursionError) as error:  # huge numbers, deep nesting
    problem = f'not JSON that can be read ({error})'
  else:
    if isinstance(values, dict):
      return Row(place, values)
    problem = f'a JSON {type(values).__name__} where an object was wanted'
  if len(line) == _LONGEST_LINE:
    problem = f'the line is longer than {_LONGEST_LINE:,} bytes'
  return Row(place, {}, problem)


def _parquet(path: pathlib.Path, fields: Sequence[str]) -> Iterator[Row]:
  with _open_parquet(path) as file:
    known = [name for name in fields if name in file.schema_arrow.names]
    number = 0
    for batch in file.iter_batches(batch_size=AT_ONCE, columns=known):
      for values in table_rows(batch):
        number += 1
        yield Row(f'{path}, row {number:,}', values)


@contextlib.contextmanager
def _open_parquet(path: pathlib.Path) -> Iterator[Any]:
  arrow = library('pyarrow', extra='data')
  parquet = library('pyarrow.parquet', extra='data')
  try:
    with parquet.ParquetFile(path) as file:
      yield file
  except (arrow.ArrowException, OSError) as error:
    raise ValueError(
      f'{path} is no Parquet file, or a damaged one ({error}); perhaps it was '
      'not copied whole.'
    ) from error


def _as_bytes(schema: Any) -> Any:
  """Returns the schema with bytes for text, also in lists of texts."""
  arrow = library('pyarrow', extra='data')

  def convert(kind: Any) -> Any:
    if arrow.types.is_string(kind) or arrow.types.is_large_string(kind):
      return arrow.large_binary()
    if arrow.types.is_list(kind) or arrow.types.is_large_list(kind):
      return arrow.large_list(convert(kind.value_type))
    return kind

  return arrow.schema([(each.name, convert(each.type)) for each in schema])
