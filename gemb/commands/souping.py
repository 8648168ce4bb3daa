"""gemb soup: several checkpoints become one model."""

import argparse
import pathlib

from gemb.commands.arguments import add_command


def add(to) -> None:
  """Adds this command."""
  command = add_command(
    to,
    soup,
    'soup',
    'Average the parameters of checkpoints, of one run or of several. The '
    'result is a work folder as that of a run, with each ingredient beside the '
    'soup in soup.md.',
    '--gin_file=configs/run/03_soup.gin --output=runs/soup '
    '--gin.Soup.method="\'greedy\'" --gin.Soup.line=9',
    files=True,
  )
  command.add_argument(
    '--output', required=True, metavar='DIR', help='the work folder to write'
  )


def soup(options: argparse.Namespace) -> None:
  """Averages checkpoints."""
  from gemb import config
  from gemb.soup.making import make_soup

  recipe, _ = config.load(options.gin_file, options.gin, root='Soup')
  made = make_soup(recipe, options.output)
  folder = pathlib.Path(options.output)
  print(f'\n{(folder / "soup.md").read_text()}')
  print(f'Soup: {folder}' if made else f'{folder} is there, by this recipe.')
