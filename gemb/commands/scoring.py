"""gemb score and filter: what a language model says of mined neighbours."""

import argparse
import pathlib

from gemb.commands.arguments import add_command, load_curation


def add(to) -> None:
  """Adds these commands."""
  example = '--gin_file=configs/curation/small.gin --folder=curated'
  for name, run, text in (
    (
      'score',
      score,
      'Let a language model grade the neighbours that `gemb mine` found, order '
      'them, and choose hard negatives by that order: ScoringConfig. Started '
      'again it goes on where it stopped.',
    ),
    (
      'filter',
      filter_scored,
      'Drop the examples and the neighbours that `gemb score` shows to be '
      'wrong, and those that a language model judges to be bad: '
      'FilteringConfig. Other thresholds ask it nothing anew.',
    ),
  ):
    command = add_command(to, run, name, text, example, files=True)
    command.add_argument(
      '--folder', required=True, metavar='DIR', help='the folder of `gemb mine`'
    )


def score(options: argparse.Namespace) -> None:
  """Scores the mined neighbours of each task."""
  from gemb.curation import models, scoring

  curation = load_curation(options)
  folder = pathlib.Path(options.folder)
  scoring.score(curation, folder, models.open_model(curation))


def filter_scored(options: argparse.Namespace) -> None:
  """Filters the scored examples of each task."""
  from gemb.curation import filtering, models

  curation = load_curation(options)
  folder = pathlib.Path(options.folder)
  asks = curation.filtering.min_quality > 0
  model = models.open_model(curation) if asks else None
  filtering.filter_tasks(curation, folder, model)
