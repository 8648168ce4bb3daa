"""Trains a run of a family in this process, one after another."""

from collections.abc import Mapping
from typing import Any

from gemb import loop
from gemb.mixing.mixture import RATES, Mixture, rates_of
from gemb.sweep.family import POINTS, Family
from gemb.train.metrics import read_metrics
from gemb.workdir import Workdir


def train(family: Family, name: str, changes: Mapping[str, Any]) -> list[dict]:
  """Trains one, or goes on, unless it has ended; returns its metrics.

  Args:
    family: whose it is.
    name: of its folder.
    changes: {the whole name of a value: the value}.

  Raises:
    ValueError: if the folder holds another run, or this one cannot be.
    FloatingPointError: if its loss is no longer finite.
  """
  run, program = family.begin(name, changes)
  folder = family.root / name
  if not family.has_ended(name, run):
    loop.train(run, Workdir(folder), config_text=program)
  return read_metrics(folder)


def train_mixture(
  family: Family, name: str, mixture: Mixture
) -> dict[str, float]:
  """Trains a mixture in points/NAME; returns the scores of its end."""
  folder = f'{POINTS}/{name}'
  train(family, folder, {RATES: rates_of(mixture)})
  return family.scores(folder, family.run)
