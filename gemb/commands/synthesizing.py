"""gemb synthesize: training data that a language model writes."""

import argparse
import pathlib

from gemb.commands.arguments import add_command, load_curation


def add(to) -> None:
  """Adds this command."""
  command = add_command(
    to,
    synthesize,
    'synthesize',
    'Have a language model write queries for the passages of '
    'SynthesisConfig.queries, and texts of the kinds of classes in '
    'SynthesisConfig.classes. Each becomes a file synthetic_NAME.jsonl for '
    'SourceConfig.path; written_NAME.jsonl has what was dropped too, and why.',
    '--gin_file=configs/curation/small.gin --folder=curation',
    files=True,
  )
  command.add_argument(
    '--folder', required=True, metavar='DIR', help='the folder to write'
  )


def synthesize(options: argparse.Namespace) -> None:
  """Writes the queries and texts that a curation names."""
  from gemb.curation.models import open_model
  from gemb.curation.synthesis import classes, queries

  curation = load_curation(options)
  config = curation.synthesis
  if not config.queries and not config.classes:
    raise ValueError(
      'SynthesisConfig.queries and SynthesisConfig.classes are empty, so that '
      'nothing is to be written; set one, as in SynthesisConfig.classes='
      "('sentiment',)."
    )
  folder = pathlib.Path(options.folder)
  model = open_model(curation)
  for task in config.queries:
    queries.write_queries(config, model, task, folder)
  for name in config.classes:
    classes.write_texts(config, model, name, folder)
