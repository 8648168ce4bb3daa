"""The command line: `gemb train`, `cache`, `evaluate` and `encode`.

Heavy imports wait until a command is known: `gemb --help` is instant, and
only `gemb cache` ever imports TensorFlow.
"""

import argparse
import os
import pathlib
import sys
from collections.abc import Sequence

_EXAMPLE = 'configs/run/00_quickstart.gin'


def main(arguments: Sequence[str] | None = None) -> int:
  """Runs one command; returns the exit status.

  What the user can mend is one sentence on standard error and status 2 (1 for
  a run that broke down); GEMB_DEBUG=1 shows where it came from.
  """
  options = _parser().parse_args(arguments)
  # Before TensorFlow or JAX are imported: they greet on standard error.
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '0')
  try:
    options.command(options)
  except (ValueError, OSError, RuntimeError, FloatingPointError) as error:
    if os.environ.get('GEMB_DEBUG'):
      raise
    print(f'gemb: {error}', file=sys.stderr)
    return 1 if isinstance(error, FloatingPointError) else 2
  except KeyboardInterrupt:
    print('gemb: stopped; the same command goes on.', file=sys.stderr)
    return 130
  return 0


def _train(options: argparse.Namespace) -> None:
  run, text = _load(options)
  from gemb import loop, workdir

  loop.train(run, workdir.make_workdir(options.workdir), config_text=text)


def _cache(options: argparse.Namespace) -> None:
  run, _ = _load(options)
  try:
    from gemb.data import cache
  except ModuleNotFoundError as error:
    raise ValueError(
      f'Making caches needs {error.name}, which is not installed: pip install '
      '"gemb[data]". Caches made elsewhere can be copied into the data folder.'
    ) from error
  cache.build(run.data)


def _evaluate(options: argparse.Namespace) -> None:
  from gemb import config, evaluation, workdir
  from gemb.evals import report
  from gemb.evals.results import markdown_table
  from gemb.train.metrics import read_metrics

  found = workdir.find_workdir(options.workdir)
  run, _ = config.load([str(found.config)], options.gin)
  results = evaluation.evaluate(run, found, step=options.step)
  if options.plots:
    metrics = read_metrics(found.root)
    report.save_plots(options.plots, results=results, metrics=metrics)
  print(f'\n{markdown_table(results)}\nReport: {found.report}')


def _encode(options: argparse.Namespace) -> None:
  import numpy as np

  from gemb import config, files, prompts, trained, workdir
  from gemb.evals.retrieval import truncate

  found = workdir.find_workdir(options.workdir)
  run, _ = config.load([str(found.config)], options.gin)
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


def _load(options: argparse.Namespace):
  from gemb import config

  return config.load(options.gin_file, options.gin)


class _Parser(argparse.ArgumentParser):
  """Collects every --gin.NAME=VALUE, as T5X spells them, in `gin`."""

  def parse_args(self, args=None, namespace=None):
    args = list(sys.argv[1:] if args is None else args)
    bindings = [a.removeprefix('--gin.') for a in args if _is_binding(a)]
    rest = [a for a in args if not _is_binding(a)]
    found = super().parse_args(rest, namespace)
    found.gin = bindings
    return found


def _is_binding(argument: str) -> bool:
  return argument.startswith('--gin.')


def _parser() -> argparse.ArgumentParser:
  parser = _Parser(
    prog='gemb',
    description='Train text embedding models, and use them.',
    epilog=f'example: gemb train --gin_file={_EXAMPLE} --workdir=runs/try',
  )
  commands = parser.add_subparsers(required=True, metavar='COMMAND')
  _add(
    commands,
    _train,
    'train',
    'Train from gin files, or go on where the same command stopped.',
    f'--gin_file={_EXAMPLE} --gin.Run.steps=100 --workdir=runs/try',
    files=True,
    workdir=True,
  )
  _add(
    commands,
    _cache,
    'cache',
    'Get the corpora of a run, train its tokenizer, tokenise its tasks. '
    'The data folder is $GEMB_DATA, or ~/.cache/gemb.',
    f'--gin_file={_EXAMPLE}',
    files=True,
  )
  command = _add(
    commands,
    _evaluate,
    'evaluate',
    'Evaluate a trained model on the held-out tasks, and write report.html.',
    '--workdir=runs/try',
    workdir=True,
  )
  _add_step(command)
  command.add_argument(
    '--plots', metavar='DIR', help='write the plots of the report there too'
  )
  command = _add(
    commands,
    _encode,
    'encode',
    'Embed the lines of a text file; write a .npy of unit vectors.',
    "--workdir=runs/try --input=texts.txt --output=vectors.npy --task='code "
    "retrieval' --prefix=64",
    workdir=True,
  )
  _add_step(command)
  command.add_argument('--input', required=True, help='a text a line')
  command.add_argument('--output', required=True, help='the .npy to write')
  command.add_argument(
    '--task', default='search result', help='task string of the prompt'
  )
  command.add_argument(
    '--passages', action='store_true', help='the texts are searched, not asked'
  )
  command.add_argument('--prefix', type=int, help='dimensions to keep')
  return parser


def _add(
  commands,
  command,
  name: str,
  text: str,
  example: str,
  *,
  files: bool = False,
  workdir: bool = False,
) -> argparse.ArgumentParser:
  parser = commands.add_parser(
    name,
    help=text,
    description=text,
    epilog=f'example: gemb {name} {example}    '
    'Any value of the config is overridden by --gin.NAME=VALUE.',
  )
  parser.set_defaults(command=command)
  if files:
    parser.add_argument(
      '--gin_file',
      action='append',
      required=True,
      metavar='FILE',
      help='a gin file; several are read in order',
    )
  if workdir:
    parser.add_argument(
      '--workdir', required=True, metavar='DIR', help='folder of the run'
    )
  return parser


def _add_step(parser: argparse.ArgumentParser) -> None:
  parser.add_argument(
    '--step', type=int, help='checkpoint; the last by default'
  )


if __name__ == '__main__':
  sys.exit(main())
