"""Runs that are one run but for a few values, each in a folder of its own."""

import contextlib
import dataclasses
import hashlib
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gemb import config, files
from gemb.config_values import literal
from gemb.data import locks
from gemb.data.tokenizer import load_tokenizer
from gemb.run import Run
from gemb.train.checkpoints import differences
from gemb.train.metrics import is_evaluated, read_metrics
from gemb.workdir import make_workdir

POINTS = 'points'  # the folder of those that have no name but their values


@dataclasses.dataclass(frozen=True, kw_only=True)
class Family:
  """A folder of runs.

  base.gin        the run that all are made from
  NAME/point.gin  what is other in this one
  NAME/           its work folder: `gemb train --gin_file=base.gin
                  --gin_file=NAME/point.gin --workdir=NAME` repeats it

  Attributes:
    root: the folder.
    run: that all are made from.
    program: the gin program of it, as it is in base.gin.
  """

  root: pathlib.Path
  run: Run
  program: str

  @property
  def base(self) -> pathlib.Path:
    """The gin file of the run that all are made from."""
    return self.root / 'base.gin'

  def files(self, name: str) -> list[str]:
    """Returns the gin files of one run, in order."""
    return [str(self.base), str(self._point(name))]

  def name_of(self, changes: Mapping[str, Any]) -> str:
    """Returns the folder of a run that is known by its values alone.

    Args:
      changes: in the form that equal ones have (`resolving.whole_names`).
    """
    text = self.program + gin_text(changes)
    key = hashlib.blake2b(text.encode(), digest_size=5).hexdigest()
    return f'{POINTS}/{key}'

  def begin(self, name: str, changes: Mapping[str, Any]) -> tuple[Run, str]:
    """Begins the folder of one run, or opens it; returns it and its program.

    Args:
      name: of its folder.
      changes: {the whole name of a value: the value}.

    Raises:
      ValueError: if the folder holds another run, or this one cannot be.
    """
    make_workdir(self.root / name)
    point, text = self._point(name), gin_text(changes)
    if point.is_file() and point.read_text(encoding='utf-8') != text:
      raise ValueError(
        f'{point} holds other values than this run is to have; delete its '
        'folder, or choose another --workdir.'
      )
    files.write_file(point, text)
    return config.load(self.files(name))

  def load(self, name: str) -> Run:
    """Returns one run that has begun."""
    return config.load(self.files(name))[0]

  def has_begun(self, name: str) -> bool:
    """Returns whether a run's folder is there, and not deleted since."""
    return self._point(name).is_file()

  def has_ended(self, name: str, run: Run) -> bool:
    """Returns whether a run has its last checkpoint, and its evaluation."""
    folder = self.root / name
    return (folder / 'checkpoints' / str(run.steps)).is_dir() and (
      not run.evaluation.tasks or is_evaluated(folder, run.steps)
    )

  def scores(self, name: str, run: Run) -> dict[str, float]:
    """Returns what the evaluation at the end of a run has found."""
    return {
      key.removeprefix('eval/'): value
      for line in read_metrics(self.root / name)
      if line['step'] == run.steps
      for key, value in line.items()
      if key.startswith('eval/')
    }

  def _point(self, name: str) -> pathlib.Path:
    return self.root / name / 'point.gin'


@contextlib.contextmanager
def open_family(
  folder: pathlib.Path, run: Run, program: str
) -> Iterator[Family]:
  """Begins the folder of a family, or opens it, and keeps others out of it.

  Args:
    folder: of the family.
    run: that all are made from.
    program: the gin program of it.

  Yields:
    The family.

  Raises:
    FileNotFoundError: if `gemb cache` has not made the run's tokenizer.
    ValueError: if it was begun with another run, or another process is in it.
  """
  # The first to begin would train one on its own tasks alone, for all.
  load_tokenizer(run.data.tokenizer)
  root = make_workdir(folder).root
  with locks.claim(root, 'swept'):
    family = plan_family(root, run, program)
    if not family.base.is_file():
      files.write_file(family.base, family.program)
    yield family


def plan_family(folder: pathlib.Path, run: Run, program: str) -> Family:
  """Returns the family that `open_family` opens; writes nothing.

  Raises:
    ValueError: if it was begun with another run.
  """
  root = folder.absolute()
  if not (root / 'base.gin').is_file():
    return Family(root=root, run=run, program=program)
  family = find_family(root)
  if family.run != run:
    found = differences(dataclasses.asdict(family.run), dataclasses.asdict(run))
    more = f', and {len(found) - 3} more' if len(found) > 3 else ''
    raise ValueError(
      f'{root} was begun with another run, that of {family.base}: '
      f'{"; ".join(found[:3])}{more}. Give the same gin files and bindings, or '
      'choose another --workdir.'
    )
  return family


def find_family(folder: pathlib.Path) -> Family:
  """Returns a family that has begun.

  Raises:
    FileNotFoundError: if the folder holds none.
  """
  root = folder.absolute()
  base = root / 'base.gin'
  if not base.is_file():
    raise FileNotFoundError(
      f'{root} holds no sweep (no base.gin); give the --workdir of a `gemb '
      'sweep`.'
    )
  program = base.read_text(encoding='utf-8')
  return Family(root=root, run=config.load([str(base)])[0], program=program)


def gin_text(changes: Mapping[str, Any], about: Iterable[str] = ()) -> str:
  """Returns a gin program that gives values.

  Args:
    changes: {the whole name of a value: the value}.
    about: lines of comment above it.

  Raises:
    ValueError: if gin cannot write a value.
  """
  modules = sorted({_module(name) for name in changes})
  lines = [f'# {line}' for line in about]
  lines += ['from __gin__ import dynamic_registration']
  lines += [f'import {module}' for module in modules] + ['']
  for name, value in changes.items():
    if not literal(value):
      raise ValueError(f'{name} is {value!r}, which gin cannot write.')
    if isinstance(value, dict):
      items = [f'    {key!r}: {literal(each)},' for key, each in value.items()]
      lines += [f'{name} = {{', *items, '}']
    else:
      lines.append(f'{name} = {literal(value)}')
  return '\n'.join(lines) + '\n'


def _module(name: str) -> str:
  """Returns the module of a value's whole name, without its scope."""
  return name.rpartition('/')[2].rsplit('.', 2)[0]
