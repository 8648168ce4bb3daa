"""The command line: what there is to say, and how mistakes are told."""

import argparse
import os
import sys
from collections.abc import Sequence

from gemb import commands

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
  to = parser.add_subparsers(required=True, metavar='COMMAND')
  _add_training(to)
  _add_showing(to)
  _add_clearing(to)
  _add_judging(to)
  _add_using(to)
  return parser


def _add_training(to) -> None:
  """The commands that take gin files."""
  _add(
    to,
    commands.train,
    'train',
    'Train from gin files, or go on where the same command stopped.',
    f'--gin_file={_EXAMPLE} --gin.Run.steps=100 --workdir=runs/try',
    files=True,
    workdir=True,
  )
  command = _add(
    to,
    commands.cache,
    'cache',
    'Get the corpora of a run, train its tokenizer, tokenise its tasks. '
    'The data folder is $GEMB_DATA, or ~/.cache/gemb; machines that share it '
    'share the work.',
    f'--gin_file={_EXAMPLE} --processes=4 --shard=0/8',
    files=True,
  )
  command.add_argument(
    '--processes', type=_positive, help='that tokenise at once; one a core'
  )
  command.add_argument(
    '--shard',
    default='0/1',
    metavar='I/N',
    help='make every N-th shard, from I = 0; run it once for every I',
  )
  command.add_argument(
    '--prepare',
    action='store_true',
    help='leave the tokenising to python -m gemb.data.caching.beam',
  )
  command = _add(
    to,
    commands.weights,
    'weights',
    'Fetch pretrained weights into the data folder. Their terms are shown '
    'first, and have to be accepted.',
    'gemma3_270m --accept_gemma_terms',
  )
  command.add_argument('name', help='such as gemma3_270m')
  command.add_argument(
    '--accept_gemma_terms',
    action='store_true',
    help='you have read the terms of Gemma and accept them',
  )
  _add(
    to,
    commands.init,
    'init',
    'Begin a work folder without training, to check, evaluate or export the '
    'model of step 0.',
    f'--gin_file={_EXAMPLE} --workdir=runs/untrained',
    files=True,
    workdir=True,
  )


def _add_clearing(to) -> None:
  """The command that keeps training data clear of evaluation sets."""
  command = _add(
    to,
    commands.decontaminate,
    'decontaminate',
    'Find the training examples that evaluation sets have too: the held-out '
    'tasks, and files. `gemb cache` drops them where DataConfig.contaminated '
    'names the report.',
    f'--gin_file={_EXAMPLE} --data=evaluation --output=contamination.json',
    files=True,
  )
  command.add_argument(
    '--data',
    action='append',
    default=[],
    metavar='PATH',
    help='a file, or a folder of files, as `gemb evaluate --data` takes them; '
    'may be repeated',
  )
  command.add_argument(
    '--output', required=True, metavar='FILE', help='the report to write'
  )


def _add_showing(to) -> None:
  """The commands that tell what there is to train on."""
  text = 'Tell what there is to train on.'
  to = to.add_parser('data', help=text, description=text).add_subparsers(
    required=True, metavar='list|show'
  )
  command = _add(
    to,
    commands.list_data,
    'list',
    'List the corpora, with licence and counts; or, with --gin_file, the tasks '
    'of a run, with what their caches hold.',
    f'--gin_file={_EXAMPLE}',
  )
  command.add_argument(
    '--gin_file', action='append', default=[], metavar='FILE', help='of a run'
  )
  command = _add(
    to,
    commands.show_data,
    'show',
    'Show a task of a run: counts, and examples as the model reads them, with '
    'prompts, token ids, padding and, where texts are packed, segments.',
    f'home_assistant --gin_file={_EXAMPLE}',
    files=True,
  )
  command.add_argument(
    'task', metavar='TASK', help='one that the run trains on'
  )
  command.add_argument(
    '--examples', type=_positive, default=3, help='how many to show (3)'
  )


def _add_judging(to) -> None:
  """The commands that say how good a model is."""
  command = _add(
    to,
    commands.check,
    'check',
    'Prove on the real parameters that they encode in both directions, and '
    'that padding and other rows leave no trace; `gemb train` does it too.',
    '--workdir=runs/try',
    workdir=True,
  )
  _add_step(command)
  command = _add(
    to,
    commands.evaluate,
    'evaluate',
    'Evaluate a model on the held-out tasks, and write report.html; or, with '
    '--mteb or --data, with the evaluators of MTEB.',
    '--workdir=runs/try --mteb="MTEB(Multilingual, v2)"',
    workdir=True,
  )
  _add_step(command)
  command.add_argument(
    '--plots', metavar='DIR', help='write the plots of the report there too'
  )
  command.add_argument(
    '--mteb',
    action='append',
    default=[],
    metavar='NAME',
    help='a benchmark or a task of MTEB; may be repeated',
  )
  command.add_argument(
    '--data', metavar='DIR', help='evaluate on the files of a folder'
  )
  command.add_argument(
    '--prefix',
    type=int,
    action='append',
    default=[],
    help='dimensions to keep, with --mteb and --data; may be repeated',
  )


def _add_using(to) -> None:
  """The commands that use a model."""
  command = _add(
    to,
    commands.encode,
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
  command = _add(
    to,
    commands.export,
    'export',
    'Write a folder that sentence-transformers loads.',
    '--workdir=runs/try --output=exported --dtype=bfloat16',
    workdir=True,
  )
  _add_step(command)
  command.add_argument(
    '--output', required=True, metavar='DIR', help='the folder to write'
  )
  command.add_argument(
    '--dtype',
    choices=('float32', 'bfloat16'),
    default='float32',
    help='of the weights (float32)',
  )
  command.add_argument(
    '--truncate_dim', type=int, help='dimensions that users get by default'
  )
  command.add_argument(
    '--max_length', type=int, help='longest text in tokens; as trained'
  )


def _positive(text: str) -> int:
  """Returns a number of at least 1; argparse tells of any other."""
  if not text.isdecimal() or int(text) < 1:
    raise argparse.ArgumentTypeError(f'{text!r} is not a number of at least 1')
  return int(text)


def _add(
  to,
  command,
  name: str,
  text: str,
  example: str,
  *,
  files: bool = False,
  workdir: bool = False,
) -> argparse.ArgumentParser:
  parser = to.add_parser(
    name,
    help=text,
    description=text,
  )
  parser.epilog = (
    f'example: {parser.prog} {example}    '
    'Any value of the config is overridden by --gin.NAME=VALUE.'
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
    '--step',
    type=int,
    help='checkpoint; the last by default, 0 for the model as it begins',
  )


if __name__ == '__main__':
  sys.exit(main())
