"""Speed of the input beside seqio and grain; tools/bench_input starts it.

All read the same tokenised examples on the same cores, and count the same: the
tokens that are no padding, and the share of padding. They take turns, so that
a noisy machine disturbs one as much as the others.
"""

import argparse
import contextlib
import dataclasses
import functools
import os
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

import numpy as np
from bench_input_peers import AllRecords, Grain, Rows, Seqio

from gemb import axes
from gemb import config as gemb_config
from gemb.data import examples
from gemb.data.caching import jobs, merging, workers
from gemb.data.config import DataConfig, PackingConfig, TokenizerConfig
from gemb.data.examples import Example
from gemb.data.loader import Loader, prefetch
from gemb.data.records import Records
from gemb.data.specs import make_specs
from gemb.data.tokenizer import Tokenizer, load_tokenizer
from gemb.model.embedder import make_embedder
from gemb.run import Run
from gemb.train import optimizer
from gemb.train.state import init_params, init_state
from gemb.train.step import make_loss, make_train_step
from gemb.types import PAD, Packed, Padded

ROOT = pathlib.Path(__file__).parents[1]
QUICKSTART = str(ROOT / 'configs/run/00_quickstart.gin')
TASK = 'synthetic'
# Like a docstring and what it describes: median and spread of the logarithm.
QUERY, PASSAGE = (16, 0.5), (64, 0.9)
SHAPES = (
  *((16, 32), (32, 32), (32, 64), (64, 64)),
  *((32, 128), (64, 128), (64, 256)),
)
GRAIN_THREADS = (1, 2, 4)
FAR = 1_000_000  # steps between two passes: no window is planned already


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pass:
  """What was counted in one pass.

  Attributes:
    examples: read.
    tokens: of them, without padding.
    places: tokens with padding.
    wall: seconds.
    cpu: seconds of all threads together.
  """

  examples: int
  tokens: int
  places: int
  wall: float
  cpu: float


def main() -> None:
  """Measures, and prints one table."""
  options = parse_arguments()
  run, _ = gemb_config.load(options.gin_file or [QUICKSTART], [])
  data = run.data if options.gin_file else synthetic_config()
  config = dataclasses.replace(
    data, batch_size=options.batch_size or data.batch_size, batch_sizes={}
  )
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    if not options.gin_file:
      os.environ['GEMB_DATA'] = str(folder)
      make_cache(config, options.examples)
    tokenizer = load_tokenizer(config.tokenizer)
    records = open_records(config, tokenizer)
    print_header(config, records)
    layout = axes.Layout(axes.make_mesh(run.mesh), run.rules)

    def load(packing: PackingConfig | None) -> Loader:
      return Loader(
        dataclasses.replace(config, packing=packing),
        records,
        tokenizer,
        seed=run.seed,
        shards=layout.shards('batch'),
        rows_at_once=run.microbatch // layout.shards('batch'),
      )

    row_length = options.row_length or config.lengths[-1]
    loaders = {
      f'gemb, padded to one of {len(config.shapes)} shapes': load(None),
      f'gemb, packed into rows of {row_length}': load(
        PackingConfig(row_length=row_length)
      ),
    }
    if options.train:
      compare_training(run, layout, loaders, options)
    else:
      compare_reading(config, records, loaders, options, folder / 'seqio')


def parse_arguments() -> argparse.Namespace:
  """Reads the command line."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  add = parser.add_argument
  add('--gin_file', action='append', help='of a run; by default synthetic data')
  add('--examples', type=int, default=100_000, help='synthetic ones, 100,000')
  add('--batch_size', type=int, help="by default the run's, or 256")
  add('--row_length', type=int, help='packed; by default the longest text')
  add('--rounds', type=int, default=3, help='passes of each; by default 3')
  add('--seconds', type=float, default=4.0, help='of a pass; by default 4')
  add('--train', action='store_true', help='measure train steps instead')
  add(
    '--steps', type=int, default=20, help='train steps of a pass; by default 20'
  )
  return parser.parse_args()


def synthetic_config() -> DataConfig:
  """Returns a config of one task, whose texts have no prompt."""
  tokenizer = str(ROOT / 'tests/golden/tokenizer.model')
  return DataConfig(
    name=TASK,
    rates={TASK: 1.0},
    prompts={TASK: ('{text}', '{text}')},
    tokenizer=TokenizerConfig(path=tokenizer),
    batch_size=256,
    shapes=SHAPES,
  )


def make_cache(config: DataConfig, count: int) -> None:
  """Writes synthetic texts and their records, as `gemb cache` does."""
  examples.write_texts(TASK, TASK, make_examples(count))
  tokenizer = load_tokenizer(config.tokenizer)
  (spec,) = make_specs(config, TASK, tokenizer)
  job = jobs.prepare_job(config, spec, tokenizer)
  workers.make_shards([job], processes=os.cpu_count() or 1)
  merging.complete_job(job)


def make_examples(count: int) -> Iterator[Example]:
  """Yields examples whose words are letters, and so one token each."""
  rng = np.random.default_rng(0)
  letters = np.array(list('abcdefghijklmnop'))
  sizes = [
    rng.lognormal(np.log(median), spread, count).clip(3, 4 * median)
    for median, spread in (QUERY, PASSAGE)
  ]
  for number, both in enumerate(np.stack(sizes, axis=1).astype(int)):
    # The beginning and the end are tokens too.
    query, positive = (' '.join(rng.choice(letters, n - 2)) for n in both)
    yield Example(
      id=str(number), language='und', query=query, positive=positive
    )


def open_records(config: DataConfig, tokenizer: Tokenizer) -> AllRecords:
  """Opens the caches of all tasks; exits if one has not been made."""
  try:
    return {
      task: [Records(spec) for spec in make_specs(config, task, tokenizer)]
      for task in config.rates
    }
  except FileNotFoundError as error:
    sys.exit(str(error))


def compare_reading(
  config: DataConfig,
  records: AllRecords,
  loaders: Mapping[str, Loader],
  options: argparse.Namespace,
  folder: pathlib.Path,
) -> None:
  """Prints how fast everyone reads."""
  seconds = options.seconds
  grains = {n: Grain(config, records, n) for n in GRAIN_THREADS}
  tried = {
    n: count(grain(0), config.batch_size, seconds)
    for n, grain in grains.items()
  }
  best = max(tried, key=lambda n: tried[n].examples / tried[n].wall)
  systems: dict[str, Callable[[int], Iterator[Rows]]] = {
    'seqio, cached': Seqio(config, records, folder),
    f'grain, {best} of {GRAIN_THREADS} threads': grains[best],
    **{name: functools.partial(read, loaders[name]) for name in loaders},
  }
  passes = {name: [] for name in systems}
  for number in range(options.rounds):
    for name, stream in systems.items():
      passes[name].append(count(stream(number), config.batch_size, seconds))
  print_table(passes)


def read(loader: Loader, number: int) -> Generator[Rows]:
  """Yields a loader's batches without end."""
  ahead = prefetch(loader.batch, number * FAR, sys.maxsize)
  with contextlib.closing(ahead) as batches:
    for _, batch in batches:
      yield token_rows(batch.texts)


def token_rows(texts: Padded | Packed) -> Rows:
  """Returns all arrays of tokens; `gemb.types.token_rows` has JAX's."""
  if isinstance(texts, Packed):
    return [texts.tokens]
  return [texts.query, texts.positive, texts.negatives]


def count(stream: Iterator[Rows], batch_size: int, seconds: float) -> Pass:
  """Reads for so many seconds, after half as many that are not counted."""
  with contextlib.closing(stream) as batches:
    warm = time.perf_counter() + seconds / 2
    while next(batches) and time.perf_counter() < warm:
      pass
    read = tokens = places = 0
    wall, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() < wall + seconds:
      rows = next(batches)
      read += batch_size
      tokens += sum(np.count_nonzero(x != PAD) for x in rows)
      places += sum(x.size for x in rows)
    return Pass(
      examples=read,
      tokens=tokens,
      places=places,
      wall=time.perf_counter() - wall,
      cpu=time.process_time() - cpu,
    )


def compare_training(
  run: Run,
  layout: axes.Layout,
  loaders: Mapping[str, Loader],
  options: argparse.Namespace,
) -> None:
  """Prints how fast train steps are on the same examples, padded and packed."""
  with axes.use(layout):
    trainings = {
      name: Training(run, layout, loader, options.steps)
      for name, loader in loaders.items()
    }
    for training in trainings.values():
      training()  # compiles
    passes = {name: [] for name in trainings}
    for _ in range(options.rounds):
      for name, training in trainings.items():
        passes[name].append(training())
  print_table(passes)


class Training:
  """A few train steps, which may be done again and again."""

  def __init__(self, run: Run, layout: axes.Layout, loader: Loader, steps: int):
    """Reads the batches, and draws parameters."""
    batches = [loader.batch(step) for step in range(steps)]
    self._batches = [batch for _, batch in batches]
    self._examples = sum(len(plan.indices) for plan, _ in batches)
    embedder = make_embedder(run.model, run.compute)
    schedule = optimizer.make_schedule(run.optimizer, run.steps)
    updates = optimizer.make_optimizer(run.optimizer, schedule)
    params = init_params(embedder, layout, run.seed)
    self._state = init_state(embedder, updates, layout, params)
    loss = make_loss(embedder, run.loss, run.microbatch)
    self._step = make_train_step(loss, updates, schedule)

  def __call__(self) -> Pass:
    """Takes a step with each batch."""
    wall, cpu = time.perf_counter(), time.process_time()
    for batch in self._batches:
      self._state, values = self._step(self._state, batch)
      float(values['loss'])  # waits
    rows = [x for batch in self._batches for x in token_rows(batch.texts)]
    return Pass(
      examples=self._examples,
      tokens=sum(np.count_nonzero(x != PAD) for x in rows),
      places=sum(x.size for x in rows),
      wall=time.perf_counter() - wall,
      cpu=time.process_time() - cpu,
    )


def print_header(config: DataConfig, records: AllRecords) -> None:
  """Prints what is measured."""
  lengths = [first.lengths for first, *_ in records.values()]
  query, passage = (
    statistics.mean(np.concatenate([x[:, side] for x in lengths]).tolist())
    for side in (0, 1)
  )
  print(
    f'{sum(map(len, lengths)):,} examples of {len(records)} tasks, {query:.0f} '
    f'and {passage:.0f} tokens on average before they are cut to '
    f'{" and ".join(map(str, config.shapes[-1]))}; batches of '
    f'{config.batch_size}; {len(os.sched_getaffinity(0))} cores',
    flush=True,
  )


def print_table(passes: Mapping[str, Sequence[Pass]]) -> None:
  """Prints a row for each system; the first is the one compared with."""

  def median(name: str, value: Callable[[Pass], float]) -> float:
    return statistics.median(map(value, passes[name]))

  first, *_ = passes
  slowest = median(first, lambda p: p.tokens / p.wall)
  print(
    f'\nmedians of {len(passes[first])} passes; CPU s: of all cores for a '
    f'million tokens; ratio: of tokens/s\n\n{"":36}{"examples/s":>11}'
    f'{"tokens/s":>12}{"padding":>9}{"CPU s":>8}{"ratio":>7}'
  )
  for name in passes:
    speed = median(name, lambda p: p.examples / p.wall)
    tokens = median(name, lambda p: p.tokens / p.wall)
    padding = median(name, lambda p: 1 - p.tokens / p.places)
    cpu = median(name, lambda p: 1e6 * p.cpu / p.tokens)
    print(
      f'{name:36}{speed:11,.0f}{tokens:12,.0f}{padding:9.1%}{cpu:8,.2f}'
      f'{tokens / slowest:7.2f}'
    )


if __name__ == '__main__':
  main()
