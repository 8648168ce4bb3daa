"""Runs that are one run but for a few values, each in a folder of its own."""

import dataclasses
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from gemb import config, files, loop
from gemb.data.tokenizer import load_tokenizer
from gemb.mixing.mixture import Mixture, rates_of
from gemb.run import Run
from gemb.train.metrics import read_metrics
from gemb.workdir import make_workdir

RATES = 'gemb.data.config.DataConfig.rates'


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
  """

  root: pathlib.Path
  run: Run

  def train(self, name: str, changes: Mapping[str, Any]) -> list[dict]:
    """Trains one, or goes on, unless it has ended; returns its metrics.

    Args:
      name: of its folder.
      changes: {the whole name of a value: the value}.

    Raises:
      ValueError: if the folder holds another run, or this one cannot be.
      FloatingPointError: if its loss is no longer finite.
    """
    workdir = make_workdir(self.root / name)
    point, text = workdir.root / 'point.gin', gin_text(changes)
    if point.is_file() and point.read_text(encoding='utf-8') != text:
      raise ValueError(
        f'{point} holds other values than this run is to have; delete its '
        'folder, or choose another --workdir.'
      )
    files.write_file(point, text)
    run, program = config.load([str(self.root / 'base.gin'), str(point)])
    if not (workdir.checkpoints / str(run.steps)).is_dir():
      loop.train(run, workdir, config_text=program)
    return read_metrics(workdir.root)

  def train_mixture(self, name: str, mixture: Mixture) -> dict[str, float]:
    """Trains a mixture in points/NAME; returns the scores of its end."""
    *_, last = (
      line
      for line in self.train(f'points/{name}', {RATES: rates_of(mixture)})
      if line['step'] == self.run.steps
    )
    return {
      key.removeprefix('eval/'): value
      for key, value in last.items()
      if key.startswith('eval/')
    }


def open_family(folder: pathlib.Path, run: Run, program: str) -> Family:
  """Begins the folder of a family, or opens it.

  Args:
    folder: of the family.
    run: that all are made from.
    program: the gin program of it.

  Raises:
    FileNotFoundError: if `gemb cache` has not made the run's tokenizer.
    ValueError: if it was begun with another run.
  """
  # The first to begin would train one on its own tasks alone, for all.
  load_tokenizer(run.data.tokenizer)
  root = make_workdir(folder).root
  base = root / 'base.gin'
  if base.is_file() and config.load([str(base)])[0] != run:
    raise ValueError(
      f'{root} was begun with another run, that of {base}; give the same gin '
      'files and bindings, or choose another --workdir.'
    )
  if not base.is_file():
    files.write_file(base, program)
  return Family(root=root, run=run)


def gin_text(changes: Mapping[str, Any], about: Iterable[str] = ()) -> str:
  """Returns a gin program that gives values.

  Args:
    changes: {the whole name of a value: the value}.
    about: lines of comment above it.
  """
  modules = sorted({name.rsplit('.', 2)[0] for name in changes})
  lines = [f'# {line}' for line in about]
  lines += ['from __gin__ import dynamic_registration']
  lines += [f'import {module}' for module in modules] + ['']
  for name, value in changes.items():
    if isinstance(value, dict):
      items = [f'    {key!r}: {each!r},' for key, each in value.items()]
      lines += [f'{name} = {{', *items, '}']
    else:
      lines.append(f'{name} = {value!r}')
  return '\n'.join(lines) + '\n'
