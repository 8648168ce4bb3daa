"""Training speed beside sentence-transformers; tools/bench_train starts it.

Both begin with the same parameters and read the same texts in the same batches,
each in a process of its own on the same cores. They take turns step by step, so
that a noisy machine disturbs one as much as the other. That they compute the
same is checked by the first step's loss.
"""

import argparse
import contextlib
import dataclasses
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from bench_encode import PEER, RANDOM_MODEL, run_gemb
from bench_train_sides import Step, open_run

from gemb.data.harvest import docstrings
from gemb.data.harvest.pairs import Pair

ROOT = pathlib.Path(__file__).parents[1]
SIDES = ROOT / 'tools/bench_train_sides.py'
QUICKSTART = ROOT / 'configs/run/00_quickstart.gin'
# Installed with gemb, with several thousand docstrings between them.
PACKAGES = ('jax', 'flax', 'numpy', 'optax')
# Tokens that gemb encodes at once: about as many as stay in a CPU's caches.
CPU_TOKENS = 1024
LARGEST_DIFFERENCE = 1e-3  # of the first step's loss

# The quickstart's run on other texts, with nothing to evaluate.
OWN_TEXTS = """
from __gin__ import dynamic_registration
from gemb.data import config
from gemb.data import sources
from gemb.evals import suite
from gemb.train import checkpoints
include '{quickstart}'
config.DataConfig.sources = (@docstrings/sources.SourceConfig(),)
docstrings/sources.SourceConfig.task = 'docstrings'
docstrings/sources.SourceConfig.path = '{pairs}'
docstrings/sources.SourceConfig.prompt = ('{{text}}', '{{text}}')
config.DataConfig.rates = {{'docstrings': 1.0}}
config.DataConfig.held_out = ()
config.TokenizerConfig.name = 'docstrings'
suite.EvalConfig.bitext = ()
suite.EvalConfig.retrieval = ()
checkpoints.CheckpointConfig.best_metric = ''
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Texts:
  """What the batches hold.

  Attributes:
    sides: tokens of each query, and of each positive.
    padded: tokens that sentence-transformers computes on.
    packed: that gemb does.
  """

  sides: tuple[list[int], list[int]]
  padded: int
  packed: int


def main() -> None:
  """Measures, and prints one table."""
  options = parse_arguments()
  # Before JAX and PyTorch count the cores; both processes inherit it.
  os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
  os.environ['JAX_PLATFORMS'] = 'cpu'
  if importlib.util.find_spec('accelerate') is None:
    sys.exit(
      f"{PEER}'s trainer needs accelerate, which is not installed: pip install "
      "-e '.[bench]'."
    )
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    begin_run(folder, options)
    texts = write_batches(folder, options.steps)
    print_header(texts, options)
    steps = take_turns(folder, options)
  print_table(steps, options)
  check_losses(*(side[0].loss for side in steps.values()))


def parse_arguments() -> argparse.Namespace:
  """Reads the command line."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  add = parser.add_argument
  add('--gin_file', action='append', help='of a run; by default docstrings')
  add('--batch_size', type=int, default=64, help='pairs; by default 64')
  add('--length', type=int, default=256, help='where texts are cut; 256')
  add('--full', action='store_true', help='texts as long as there may be')
  add('--microbatch', type=int, help="rows of gemb's; by default 1,024 tokens")
  add(
    '--cached',
    type=int,
    default=0,
    metavar='N',
    help=f"{PEER}'s cached loss, N a part",
  )
  add('--steps', type=int, default=6, help='the first is left out; default 6')
  add('--threads', type=int, default=2, help='cores of each; by default 2')
  return parser.parse_args()


def begin_run(folder: pathlib.Path, options: argparse.Namespace) -> None:
  """Begins the run in the folder's run/, and exports it to its export/."""
  files, bindings = options.gin_file, overrides(options)
  if not files:
    os.environ['GEMB_DATA'] = str(folder / 'data')
    files = [write_run(folder, options)]
    model = {k: v for k, v in RANDOM_MODEL.items() if 'Encoder' in k}
    bindings = model | bindings
  arguments = [f'--gin_file={file}' for file in files]
  arguments += [f'--gin.{name}={value}' for name, value in bindings.items()]
  if not options.gin_file:
    run_gemb('cache', *arguments)
  workdir = f'--workdir={folder / "run"}'
  run_gemb('init', *arguments, workdir)
  run_gemb('export', workdir, f'--output={folder / "export"}', '--step=0')


def overrides(options: argparse.Namespace) -> dict[str, object]:
  """Returns the bindings by which both sides can do the same."""
  length = options.length
  return {
    'EncoderConfig.dtype': "'float32'",
    'Run.steps': 10_000,
    'Run.microbatch': options.microbatch or max(1, CPU_TOKENS // length),
    'DataConfig.batch_size': options.batch_size,
    'DataConfig.hard_negatives': 0,
    'DataConfig.shapes': ((length, length),),
    'DataConfig.packing': '@PackingConfig()',
    'PackingConfig.row_length': length,
  }


def write_run(
  folder: pathlib.Path, options: argparse.Namespace
) -> pathlib.Path:
  """Writes docstrings with their functions, and a gin file about them."""
  pairs, file = folder / 'pairs.jsonl', folder / 'run.gin'
  queries, positives = set(), set()
  with pairs.open('w', encoding='utf-8') as out:
    for pair in installed_pairs():
      # The same text twice in a batch would be left out by gemb alone.
      if pair.query in queries or pair.positive in positives:
        continue
      queries.add(pair.query)
      positives.add(pair.positive)
      often = options.length if options.full else 1
      row = {
        'query': ' '.join([pair.query] * often),
        'positive': '\n'.join([pair.positive] * often),
      }
      out.write(json.dumps(row) + '\n')
  file.write_text(OWN_TEXTS.format(quickstart=QUICKSTART, pairs=pairs))
  return file


def installed_pairs() -> Iterator[Pair]:
  """Yields docstrings and functions of some packages that gemb needs."""
  for package in PACKAGES:
    spec = importlib.util.find_spec(package)
    folder = pathlib.Path(spec.submodule_search_locations[0])
    modules = docstrings.folder_modules(folder, package=package)
    yield from (x for x in docstrings.read(modules) if isinstance(x, Pair))


def write_batches(folder: pathlib.Path, steps: int) -> Texts:
  """Writes the texts of gemb's batches, in order, for the peer; counts them."""
  run, layout, loader = open_run(folder / 'run')
  length, cut = run.data.lengths[-1], loader.tokenizer.cut
  shards = layout.shards('batch')
  padded = packed = 0
  sides: tuple[list[int], list[int]] = ([], [])
  with (folder / 'batches.jsonl').open('w', encoding='utf-8') as out:
    for step in range(steps):
      records = loader.examples(step)
      for record in records:
        texts = [record.query, record.positive]
        out.write(json.dumps([loader.tokenizer.decode(x) for x in texts]))
        out.write('\n')
        for side, ids in zip(sides, texts, strict=True):
          side.append(len(cut(ids, length)))
      padded += len(records) * sum(max(x[-len(records) :]) for x in sides)
      packed += shards * int(np.prod(loader.plan(step).shape))
  return Texts(sides=sides, padded=padded, packed=packed)


def take_turns(
  folder: pathlib.Path, options: argparse.Namespace
) -> dict[str, list[Step]]:
  """Has both sides take their steps in turn; returns what each took."""
  at_once = options.microbatch or 'about 1,024 tokens'
  loss = f', cached by {options.cached}' if options.cached else ''
  sides = {
    f'gemb, {at_once} at once': ['gemb'],
    f'{PEER}{loss}': ['peer', str(options.cached)],
  }
  steps: dict[str, list[Step]] = {name: [] for name in sides}
  with contextlib.ExitStack() as stack:
    asks = {
      name: stack.enter_context(
        start_side([side, str(folder), str(options.steps), *more])
      )
      for name, (side, *more) in sides.items()
    }
    for _ in range(options.steps):
      for name, ask in asks.items():
        steps[name].append(ask())
  return steps


@contextlib.contextmanager
def start_side(arguments: Sequence[str]) -> Iterator[Callable[[], Step]]:
  """Yields a function that has a process take its next step."""
  process = subprocess.Popen(
    [sys.executable, str(SIDES), *arguments],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
  )

  def ask() -> Step:
    with contextlib.suppress(BrokenPipeError):
      process.stdin.write('\n')
      process.stdin.flush()
    if not (answer := process.stdout.readline()):
      sys.exit(f'{arguments[0]} ended, as it says above.')
    return Step(**json.loads(answer))

  try:
    yield ask
  finally:
    with contextlib.suppress(BrokenPipeError):
      process.stdin.close()
    process.wait()


def check_losses(ours: float, theirs: float) -> None:
  """Exits if the first steps' losses differ."""
  print(f'loss of the first step: {ours:.5f} and {theirs:.5f}')
  if not abs(ours - theirs) <= LARGEST_DIFFERENCE:
    sys.exit(
      'The losses differ: the two do not compute the same. (They do where a '
      'batch has no text twice, which gemb does not contrast with itself.)'
    )


def print_header(texts: Texts, options: argparse.Namespace) -> None:
  """Prints what is trained on."""
  print(
    f'{options.batch_size} pairs a batch, {options.threads} cores; tokens of '
    f'texts, cut to {options.length}:'
  )
  for name, lengths in zip(('query', 'positive'), texts.sides, strict=True):
    at = ' '.join(
      f'{n:.0f}' for n in np.percentile(lengths, [0, 25, 50, 75, 100])
    )
    print(f'  {name}: quartiles {at}, mean {statistics.mean(lengths):.1f}')
  tokens = sum(map(sum, texts.sides))
  print(
    f'padding: {1 - tokens / texts.packed:.1%} in gemb, packed; '
    f'{1 - tokens / texts.padded:.1%} in {PEER}',
    flush=True,
  )


def print_table(
  steps: dict[str, list[Step]], options: argparse.Namespace
) -> None:
  """Prints a row for each side; the first is the one compared with."""
  B = options.batch_size
  timed = {name: side[1:] or side for name, side in steps.items()}
  count = len(next(iter(timed.values())))
  print(
    f"\nmedians of {count} steps; a ratio says how many times gemb's a side "
    f'takes\n\n{"":40}{"pairs/s":>9}{"ratio":>7}{"CPU s/pair":>12}{"ratio":>7}'
    f'{"peak MiB":>10}{"before":>8}{"ratio":>7}'
  )
  first = None
  for name, side in timed.items():
    wall = statistics.median(step.wall for step in side)
    cpu = statistics.median(step.cpu for step in side)
    last = side[-1]
    first = first or (wall, cpu, last.peak)
    print(
      f'{name:40}{B / wall:9.2f}{wall / first[0]:7.2f}{cpu / B:12.4f}'
      f'{cpu / first[1]:7.2f}{last.peak / 2**20:10,.0f}'
      f'{last.before / 2**20:8,.0f}{last.peak / first[2]:7.2f}'
    )


if __name__ == '__main__':
  main()
