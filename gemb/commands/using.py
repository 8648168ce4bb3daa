"""gemb encode and export: a model at work."""

import argparse
import pathlib

from gemb import prompts
from gemb.commands.arguments import add_command, add_step, find_run


def add(to) -> None:
  """Adds these commands."""
  _add_encode(to)
  _add_export(to)


def _add_encode(to) -> None:
  command = add_command(
    to,
    encode,
    'encode',
    'Embed the lines of a text file; write a .npy of unit vectors.',
    "--workdir=runs/mine --input=texts.txt --output=vectors.npy --task='code "
    "retrieval' --prefix=64",
    workdir='the run',
  )
  add_step(command)
  command.add_argument(
    '--input',
    required=True,
    metavar='FILE',
    help='a UTF-8 file, each line of which is a text',
  )
  command.add_argument(
    '--output', required=True, metavar='FILE', help='the .npy to write'
  )
  command.add_argument(
    '--task',
    default='search result',
    metavar='NAME',
    help='what the vectors are for (search result); one of '
    + ', '.join(prompts.ASYMMETRIC + prompts.SYMMETRIC),
  )
  command.add_argument(
    '--passages',
    action='store_true',
    help='the texts are what is searched, and no queries',
  )
  command.add_argument(
    '--prefix', type=int, help='how many dimensions to keep; by default all'
  )


def _add_export(to) -> None:
  command = add_command(
    to,
    export,
    'export',
    'Write a folder that sentence-transformers loads.',
    '--workdir=runs/mine --output=exported --dtype=bfloat16',
    workdir='the run',
  )
  add_step(command)
  command.add_argument(
    '--output', required=True, metavar='DIR', help='the folder to write'
  )
  command.add_argument(
    '--dtype',
    choices=('float32', 'bfloat16'),
    default='float32',
    help='type of the weights (float32)',
  )
  command.add_argument(
    '--truncate_dim',
    type=int,
    help='how many dimensions users get unless they say so; by default all',
  )
  command.add_argument(
    '--max_length',
    type=int,
    help='how many tokens of a text are read; by default as trained',
  )


def encode(options: argparse.Namespace) -> None:
  """Embeds the lines of a file."""
  import numpy as np

  from gemb import files, trained
  from gemb.evals.retrieval import truncate

  run, found = find_run(options)
  prompt = prompts.make_prompt(options.task)
  dress = prompt.dress_passage if options.passages else prompt.dress_query
  texts = _read_lines(pathlib.Path(options.input))
  encoder, step = trained.load_encoder(run, found, step=options.step)
  vectors = encoder.encode([dress(text) for text in texts])
  width = run.model.embedding_width
  prefix = width if options.prefix is None else options.prefix
  vectors = truncate(vectors, prefix)
  with files.write_path(options.output) as path, path.open('wb') as file:
    np.save(file, vectors)
  print(
    f'{len(vectors):,} unit vectors of width {vectors.shape[1]}, from step '
    f'{step}, in {options.output}'
  )


def export(options: argparse.Namespace) -> None:
  """Writes a sentence-transformers folder."""
  from gemb.data import weights
  from gemb.export.folder import export

  run, found = find_run(options)
  licence = None
  if run.pretrained is not None:
    licence = weights.licence_of(weights.find(run.pretrained.path))
  step = export(
    run,
    found,
    options.output,
    step=options.step,
    dtype=options.dtype,
    truncate_dim=options.truncate_dim,
    max_length=options.max_length,
    licence=licence,
  )
  print(f'Step {step} is in {options.output}, and reads back the same.')


def _read_lines(path: pathlib.Path) -> list[str]:
  try:
    texts = path.read_text(encoding='utf-8').splitlines()
  except (OSError, UnicodeDecodeError) as error:
    raise ValueError(
      f'--input={path} cannot be read ({error}); give a UTF-8 file.'
    ) from error
  if not texts:
    raise ValueError(f'--input={path} has no line; give a text a line.')
  return texts
