"""What readers share: a row, what a reader must do, and what can fail."""

import dataclasses
import importlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

AT_ONCE = 256  # rows; one at a time is far slower, and more are more memory


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
  """A row as it was found.

  Attributes:
    place: where it is, for people.
    values: by field.
    problem: why there are no values; empty where there are.
  """

  place: str
  values: dict[str, Any]
  problem: str = ''


@runtime_checkable
class Reader(Protocol):
  """Reads the rows of a source, always in the same order."""

  def names(self) -> list[str]:
    """Returns the fields of the first row; none if there is no row."""
    ...

  def rows(self, fields: Sequence[str]) -> Iterator[Row]:
    """Yields all rows, with at least those of `fields` that they have."""
    ...

  def content(self) -> str:
    """Returns what changes when the rows do, wherever they lie."""
    ...


def not_utf8(error: UnicodeDecodeError, where: str) -> str:
  """Says which byte of what is wrong, counted from one."""
  byte = error.object[error.start]
  return f'byte {error.start + 1:,} of {where} is {byte:#04x}: not UTF-8'


def library(module: str, *, extra: str) -> Any:
  """Imports what only some sources need.

  By its name at run time, so that nothing else comes to depend on it.

  Raises:
    ValueError: if it is not installed, with the extra that brings it.
  """
  try:
    return importlib.import_module(module)
  except ModuleNotFoundError as error:
    if not f'{module}.'.startswith(f'{error.name}.'):
      raise
    raise ValueError(
      f'This source needs {error.name}, which is not installed: pip install '
      f"-e '.[{extra}]'."
    ) from error
