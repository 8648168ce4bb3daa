"""gemb rates and search: the mixture of a run's tasks."""

import argparse
import functools
import pathlib
from typing import Any

from gemb.commands.arguments import add_command, load_run

_RUN = '--gin_file=configs/run/02_finetune_task.gin'


def add(to) -> None:
  """Adds these commands."""
  add_command(
    to,
    rates,
    'rates',
    "Train on each task of a run's mixture alone, and propose rates in "
    'proportion to the steps in which each converges: rates.gin, rates.json '
    'and rates.svg. The same command goes on where it stopped.',
    f'{_RUN} --gin.Run.steps=200 --workdir=runs/rates',
    files=True,
    workdir='the runs, and of the rates',
  )
  command = add_command(
    to,
    search,
    'search',
    'Train a run with its own mixture, with random ones around it, and with '
    'those that Optuna suggests, and write the best: best.gin, search.json and '
    'search.svg. The same command goes on where it stopped.',
    f'{_RUN} --gin_file=runs/rates/rates.gin --points=10 --trials=20 '
    '--workdir=runs/mixture',
    files=True,
    workdir='the runs, and of what is found',
  )
  command.add_argument(
    '--metric',
    action='append',
    metavar='NAME',
    help="a metric of an evaluation, such as 'bitext/accuracy@256'; of several "
    "the mean is taken; by default the run's CheckpointConfig.best_metric",
  )
  for name, value, text in (
    ('--points', 10, 'how many mixtures to draw at random (10)'),
    ('--trials', 20, 'how many mixtures Optuna suggests (20)'),
    ('--seed', 0, 'seed of draws and suggestions (0)'),
  ):
    command.add_argument(name, type=int, default=value, help=text)
  command.add_argument(
    '--concentration',
    type=float,
    default=20.0,
    help="how near to the run's rates mixtures are drawn, from a Dirichlet "
    'distribution: the larger, the nearer (20)',
  )


def rates(options: argparse.Namespace) -> None:
  """Measures the steps to convergence, and writes rates."""
  from gemb.mixing import rates as rates_lib
  from gemb.sweep.family import open_family

  run, text = load_run(options)
  with open_family(pathlib.Path(options.workdir), run, text) as family:
    curves = rates_lib.measure(family, _say)
    proposed = rates_lib.write_rates(family.root, curves)
  _say(f'{family.root / "rates.gin"} has the rates {proposed}.')


def search(options: argparse.Namespace) -> None:
  """Searches a mixture."""
  from gemb.mixing import search as search_lib
  from gemb.mixing.points import write_found
  from gemb.mixing.training import train_mixture
  from gemb.sweep.family import open_family

  run, text = load_run(options)
  settings = search_lib.Settings(
    metrics=_metrics(run, options.metric),
    points=options.points,
    trials=options.trials,
    concentration=options.concentration,
    seed=options.seed,
  )
  search_lib.check(run.data.rates, settings)
  with open_family(pathlib.Path(options.workdir), run, text) as family:
    tried = search_lib.search(
      run.data.rates,
      settings,
      functools.partial(train_mixture, family),
      family.root / 'results.jsonl',
      _say,
    )
    best = write_found(family.root, tried, settings.metrics)
  _say(f'Best: {best.describe(settings.metrics)}')
  _say(f'{family.root / "best.gin"} has its rates.')


def _metrics(run: Any, given: list[str] | None) -> tuple[str, ...]:
  """Returns the metrics that are searched by."""
  from gemb.evals import suite

  metrics = given or [run.checkpoints.best_metric]
  known = suite.score_names(run.evaluation, run.loss.prefixes)
  if unknown := sorted(set(metrics) - set(known)):
    raise ValueError(
      f'--metric names {unknown}, which no evaluation of the run gives; choose '
      f'of {known}.'
    )
  return tuple(metrics)


def _say(line: str) -> None:
  print(line, flush=True)
