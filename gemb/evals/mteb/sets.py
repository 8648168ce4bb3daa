"""Local files as evaluation sets: all files of one NAME together."""

import dataclasses
import hashlib
import pathlib
from collections.abc import Iterable

from gemb.evals.mteb.files import (
  CLASSIFICATION,
  CORPUS,
  NO_LANGUAGE,
  RETRIEVAL,
  TRAIN,
  Row,
  Table,
  read_table,
  set_name,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvalSet:
  """The rows of one NAME.

  Attributes:
    name: as the files have it.
    kind: MTEB's type of task.
    rows: by language and split; each language has all that are scored.
    corpus: the passages of a retrieval set, by language.
    programming: whether its texts are code.
    revision: a hash of the files.
  """

  name: str
  kind: str
  rows: dict[str, dict[str, list[Row]]]
  corpus: dict[str, list[Row]]
  programming: bool
  revision: str

  @property
  def scored(self) -> list[str]:
    """The splits that are scored."""
    splits = dict.fromkeys(s for parts in self.rows.values() for s in parts)
    return [split for split in splits if split != TRAIN]

  def passages(self, language: str) -> list[Row]:
    """Returns what the queries of a language are searched in."""
    return self.corpus.get(language) or self.corpus.get(NO_LANGUAGE, [])


def read_sets(folder: pathlib.Path) -> list[EvalSet]:
  """Reads all sets of a folder, by name; other files are left alone.

  Raises:
    FileNotFoundError: if there is no such folder, or nothing to read in it.
    ValueError: if a file is damaged, fits no kind of task, or does not go
      together with the others of its NAME.
  """
  paths: dict[str, list[pathlib.Path]] = {}
  for path in sorted(folder.iterdir()) if folder.is_dir() else ():
    if name := set_name(path):
      paths.setdefault(name, []).append(path)
  if not paths:
    raise FileNotFoundError(
      f'{folder} holds no .jsonl or .csv file (also .gz) to evaluate on.'
    )
  return [_read_set(name, of_name) for name, of_name in paths.items()]


def _read_set(name: str, paths: list[pathlib.Path]) -> EvalSet:
  tables = [read_table(path) for path in paths]
  found = EvalSet(
    name=name,
    kind=_kind(name, tables),
    rows=_by_split(table for table in tables if table.kind != CORPUS),
    corpus=_by_language(table for table in tables if table.kind == CORPUS),
    programming=any(table.programming for table in tables),
    revision=_hash(paths),
  )
  _check_splits(found)
  if found.kind == RETRIEVAL:
    _check_passages(found)
  return found


def _kind(name: str, tables: list[Table]) -> str:
  kinds = {table.kind for table in tables}
  tasks = kinds - {CORPUS}
  if len(tasks) != 1 or (RETRIEVAL in tasks) != (CORPUS in kinds):
    said = ', '.join(f'{table.path.name} ({table.kind})' for table in tables)
    raise ValueError(
      f'The files of {name!r} do not make a set: {said}; give files of one '
      f'kind of task, and {name}_corpus to queries.'
    )
  return tasks.pop()


def _by_split(tables: Iterable[Table]) -> dict[str, dict[str, list[Row]]]:
  found: dict[str, dict[str, list[Row]]] = {}
  came_from: dict[str, pathlib.Path] = {}
  for table in tables:
    for row in table.rows:
      language, split = row.pop('language'), row.pop('split')
      if came_from.setdefault(split, table.path) != table.path:
        raise ValueError(
          f'{came_from[split]} and {table.path.name} both have rows of the '
          f'split {split!r}; keep one.'
        )
      found.setdefault(language, {}).setdefault(split, []).append(row)
  return found


def _by_language(tables: Iterable[Table]) -> dict[str, list[Row]]:
  found: dict[str, list[Row]] = {}
  for table in tables:
    for row in table.rows:
      del row['split']
      found.setdefault(row.pop('language'), []).append(row)
  return found


def _check_splits(found: EvalSet) -> None:
  needed = set(found.scored) or {'test'}
  if found.kind == CLASSIFICATION:
    needed.add(TRAIN)
  for language, splits in found.rows.items():
    if missing := sorted(needed - splits.keys()):
      of = '' if language == NO_LANGUAGE else f' of language {language!r}'
      raise ValueError(
        f'The set {found.name!r} has rows{of} in {sorted(splits)}, and none in '
        f'{missing}; add them, as {found.name}_{missing[0]} or in the column '
        'split.'
      )


def _check_passages(found: EvalSet) -> None:
  for rows in found.corpus.values():
    if len({row['id'] for row in rows}) < len(rows):
      raise ValueError(f'{found.name}_corpus has passages with the same id.')
  for language, splits in found.rows.items():
    ids = {row['id'] for row in found.passages(language)}
    named = [row['id'] for rows in splits.values() for row in rows]
    if missing := [name for name in named if name not in ids]:
      raise ValueError(
        f'{len(missing)} of {len(named)} rows of {found.name!r} name passages '
        f'that {found.name}_corpus does not have, such as {missing[0]!r}.'
      )


def _hash(paths: list[pathlib.Path]) -> str:
  digest = hashlib.sha256()
  for path in paths:
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    digest.update(f'{path.name} {content}\n'.encode())
  return digest.hexdigest()[:16]
