"""gemb train, cache, weights and init: they take gin files."""

import argparse
import re

from gemb.commands.arguments import (
  EXAMPLE,
  add_command,
  add_processes,
  add_profile,
  load_run,
  meet,
  positive,
)


def add(to) -> None:
  """Adds these commands."""
  command = add_command(
    to,
    train,
    'train',
    'Train from gin files, or go on where the same command stopped.',
    f'--gin_file={EXAMPLE} --gin.Run.steps=100 --workdir=runs/short',
    files=True,
    workdir='the run',
  )
  add_profile(command)
  add_processes(command)
  _add_cache(to)
  command = add_command(
    to,
    weights,
    'weights',
    'Fetch pretrained weights into the data folder. Their terms are shown '
    'first, and have to be accepted.',
    'gemma3_270m --accept_gemma_terms',
    config=False,
  )
  command.add_argument(
    'name', metavar='NAME', help='of the weights, such as gemma3_270m'
  )
  command.add_argument(
    '--accept_gemma_terms',
    action='store_true',
    help='say that you have read the terms of Gemma, and accept them',
  )
  add_command(
    to,
    init,
    'init',
    'Begin a work folder without training, to check, evaluate or export the '
    'model of step 0.',
    f'--gin_file={EXAMPLE} --workdir=runs/untrained',
    files=True,
    workdir='the run',
  )


def _add_cache(to) -> None:
  command = add_command(
    to,
    cache,
    'cache',
    'Get the corpora of a run, train its tokenizer, tokenise its tasks. '
    'The data folder is $GEMB_DATA, or ~/.cache/gemb; machines that share it '
    'share the work.',
    f'--gin_file={EXAMPLE} --processes=4 --shard=0/8',
    files=True,
  )
  command.add_argument(
    '--processes',
    type=positive,
    help='how many processes tokenise at once; by default one for each core',
  )
  command.add_argument(
    '--shard',
    default='0/1',
    metavar='I/N',
    help='make every N-th shard only, from shard I on; give the command once '
    'for each I from 0 to N - 1 (0/1)',
  )
  command.add_argument(
    '--prepare',
    action='store_true',
    help='leave the tokenising to python -m gemb.data.caching.beam',
  )


def train(options: argparse.Namespace) -> None:
  """Trains, or goes on."""
  meet(options)
  from gemb import distributed, loop, workdir
  from gemb.profile.window import parse_window

  window = None
  with distributed.together():
    run, text = load_run(options)
    if options.profile is not None:
      window = parse_window(options.profile, run.steps)
    made = workdir.make_workdir(options.workdir)
  loop.train(run, made, config_text=text, window=window)


def cache(options: argparse.Namespace) -> None:
  """Makes corpora, tokenizer and caches."""
  machine, machines = _share(options.shard)
  run, _ = load_run(options)
  try:
    from gemb.data import cache
  except ModuleNotFoundError as error:
    raise ValueError(
      f'Making caches needs {error.name}, which is not installed: pip install '
      "-e '.[data]'. Caches made elsewhere can be copied into the data folder."
    ) from error
  if options.prepare:
    for job in cache.prepare(run.data):
      print(f'{job.spec.task}: prepared; gemb.data.caching.beam makes it')
    return
  cache.build(
    run.data,
    processes=options.processes,
    machine=machine,
    machines=machines,
  )


def weights(options: argparse.Namespace) -> None:
  """Fetches pretrained weights, once their terms are accepted."""
  from gemb.data import weights

  folder = weights.fetch(options.name, accepted=options.accept_gemma_terms)
  print(f'{options.name} is in {folder}')


def init(options: argparse.Namespace) -> None:
  """Begins a work folder without training: the model of step 0."""
  from gemb import provenance, workdir
  from gemb.data.tokenizer import load_tokenizer

  run, text = load_run(options)
  tokenizer = load_tokenizer(run.data.tokenizer)
  made = workdir.make_workdir(options.workdir)
  if made.config.is_file():
    raise ValueError(
      f'{made.root} holds a run already (config.gin); choose another --workdir.'
    )
  made.write_tokenizer(tokenizer)
  made.write_run(text, provenance.about_run())
  print(f'{made.root} is the model of step 0: use it with --step=0.')


def _share(text: str) -> tuple[int, int]:
  """Returns which part of the work is done here, of how many."""
  found = re.fullmatch(r'(\d+)/(\d+)', text)
  number, count = map(int, found.groups()) if found else (0, 0)
  if number >= count:
    raise ValueError(
      f'--shard={text} is no part of the work; give a number from 0 and how '
      'many there are, such as --shard=0/8 to --shard=7/8.'
    )
  return number, count
