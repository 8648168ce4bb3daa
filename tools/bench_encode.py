"""Encoding speed beside sentence-transformers; tools/bench_encode starts it.

Both have the same parameters, texts and cores, and tokenise within the time
that is measured. They take turns, so that a noisy machine disturbs one as much
as the other. Their vectors are compared: both compute the same.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

ROOT = pathlib.Path(__file__).parents[1]
# 14 million parameters, 8 million of them in the table.
RANDOM_MODEL = {
  'EncoderConfig.vocabulary': 32768,
  'EncoderConfig.width': 256,
  'EncoderConfig.layers': 6,
  'EncoderConfig.heads': 4,
  'EncoderConfig.mlp_width': 1024,
  'EncoderConfig.local_radius': 256,
  'EncoderConfig.global_every': 6,
  'EncoderConfig.branch_gain': 1.0,
  'DataConfig.shapes': ((128, 128),),
  'TokenizerConfig.path': str(ROOT / 'tests/golden/tokenizer.model'),
}
PEER = 'sentence-transformers'
PEERS_DEFAULT = 32  # texts in a batch
PEERS_CHOICE = (8, 16, 32, 64, 128)
LEAST_COSINE = 0.9999


@dataclasses.dataclass(frozen=True)
class Timing:
  """What one pass over the texts took.

  Attributes:
    wall: seconds.
    cpu: seconds of all cores together.
  """

  wall: float
  cpu: float


Ask = Callable[[dict[str, Any]], Timing]


def main() -> None:
  """Measures, and prints a table for each kind of texts."""
  options = parse_arguments()
  # Before JAX and PyTorch count the cores; the peer's process inherits it.
  os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
  if options.serve:
    serve(options.serve)
    return
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    workdir, step = options.workdir, options.step
    if workdir is None:
      workdir, step = begin(folder / 'run'), 0
    encoder = export(workdir, step, folder / 'export')
    if options.tokens:
      encoder = dataclasses.replace(encoder, tokens=options.tokens)
    print_header(encoder, options.threads)
    with start_peer(folder / 'export', options.threads) as ask:
      for texts in make_texts(encoder, options.texts):
        compare(texts, encoder, ask, options.rounds, folder)


def parse_arguments() -> argparse.Namespace:
  """Reads the command line."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  add = parser.add_argument
  add('--workdir', help='of a run; by default a random model of 14M parameters')
  add('--step', type=int, help='checkpoint of the run; by default the last')
  add('--texts', type=int, default=512, help='in a pass; by default 512')
  add('--rounds', type=int, default=5, help='passes of each; by default 5')
  add('--threads', type=int, default=2, help='cores of each; by default 2')
  add('--tokens', type=int, help="in a call of gemb's; by default its own")
  add('--serve', help=argparse.SUPPRESS)
  return parser.parse_args()


def begin(workdir: pathlib.Path) -> pathlib.Path:
  """Begins a run with a random model; returns its folder."""
  run_gemb(
    'init',
    f'--gin_file={ROOT / "configs/run/00_quickstart.gin"}',
    f'--workdir={workdir}',
    *(f'--gin.{name}={value!r}' for name, value in RANDOM_MODEL.items()),
  )
  return workdir


def export(
  workdir: str | pathlib.Path, step: int | None, output: pathlib.Path
) -> Any:
  """Exports a run's model; returns the encoder that has the same."""
  from gemb import config, trained
  from gemb.workdir import find_workdir

  which = [] if step is None else [f'--step={step}']
  run_gemb('export', f'--workdir={workdir}', f'--output={output}', *which)
  found = find_workdir(workdir)
  # The folder's dtype, whatever the run's.
  run, _ = config.load([str(found.config)], ["EncoderConfig.dtype='float32'"])
  encoder, _ = trained.load_encoder(run, found, step=step)
  return encoder


def run_gemb(*arguments: str) -> None:
  """Runs a command of gemb's in its own process; exits if it fails."""
  command = [sys.executable, '-m', 'gemb.main', *arguments]
  if status := subprocess.run(command, stdout=sys.stderr).returncode:
    sys.exit(status)


@contextlib.contextmanager
def start_peer(folder: pathlib.Path, threads: int) -> Iterator[Ask]:
  """Yields a function that has sentence-transformers encode, elsewhere."""
  process = subprocess.Popen(
    [sys.executable, __file__, f'--serve={folder}', f'--threads={threads}'],
    # Threads of PyTorch that wait busily lose much on a shared machine.
    env={'OMP_WAIT_POLICY': 'passive'}
    | os.environ
    | {'HF_HUB_OFFLINE': '1', 'TQDM_DISABLE': '1'},
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
  )

  def ask(request: dict[str, Any]) -> Timing:
    process.stdin.write(json.dumps(request) + '\n')
    process.stdin.flush()
    if not (answer := process.stdout.readline()):
      sys.exit(f'{PEER} ended, as it says above.')
    return Timing(**json.loads(answer))

  try:
    yield ask
  finally:
    process.stdin.close()
    process.wait()


def serve(folder: str) -> None:
  """Answers each request on standard input with what encoding took."""
  answers, sys.stdout = sys.stdout, sys.stderr
  import torch
  from sentence_transformers import SentenceTransformer

  torch.set_num_threads(len(os.sched_getaffinity(0)))
  model = SentenceTransformer(folder, device='cpu')
  for line in sys.stdin:
    request = json.loads(line)
    file = request.pop('file')
    timing = timed(lambda: model.encode(**request), file)  # noqa: B023
    print(json.dumps(dataclasses.asdict(timing)), file=answers, flush=True)


def timed(encode: Callable[[], Any], file: str | None) -> Timing:
  """Times `encode`; the vectors that it returns go to the file."""
  import numpy as np

  wall, cpu = time.perf_counter(), time.process_time()
  vectors = encode()
  timing = Timing(time.perf_counter() - wall, time.process_time() - cpu)
  if file:
    np.save(file, vectors)
  return timing


def make_texts(encoder: Any, count: int) -> Iterator[list[str]]:
  """Yields texts as long as there may be, shorter ones, and mixed ones.

  Each word is one token; they are out of gemb's README.
  """
  import numpy as np

  words = set((ROOT / 'README.md').read_text(encoding='utf-8').split())
  words = sorted(w for w in words if w.isalpha() and w.isascii())
  ids = encoder.tokenizer.encode([f'a {word}' for word in words])
  words = [w for w, text in zip(words, ids, strict=True) if len(text) == 4]
  rng = np.random.default_rng(0)
  longest = encoder.lengths[-1]
  mixed = rng.lognormal(np.log(longest / 5), 0.8, count)
  for sizes in (
    np.full(count, longest),
    np.full(count, longest // 4),
    mixed.clip(6, longest).astype(int),
  ):
    # The beginning, its first word and the end are tokens too.
    yield [' '.join(['a', *rng.choice(words, size - 3)]) for size in sizes]


def compare(
  texts: list[str],
  encoder: Any,
  ask: Ask,
  rounds: int,
  folder: pathlib.Path,
) -> None:
  """Prints how fast both encode the texts; exits if the vectors differ."""

  def ours(file: str | None = None) -> Timing:
    return timed(lambda: encoder.encode(texts), file)

  def theirs(batch: int, file: str | None = None) -> Timing:
    return ask({'inputs': texts, 'batch_size': batch, 'file': file})

  files = [str(folder / name) for name in ('ours.npy', 'theirs.npy')]
  compiling = ours(files[0])
  theirs(PEERS_DEFAULT, files[1])
  cosine = lowest_cosine(*files)
  tried = {batch: theirs(batch).wall for batch in PEERS_CHOICE}
  best = min(tried, key=tried.__getitem__)
  systems = {
    'gemb': ours,
    f'{PEER}, its default batch of {PEERS_DEFAULT}': lambda: theirs(
      PEERS_DEFAULT
    ),
    f'{PEER}, its best batch here, {best}': lambda: theirs(best),
  }
  passes = [[encode() for encode in systems.values()] for _ in range(rounds)]
  print_table(texts, encoder, list(systems), list(zip(*passes, strict=True)))
  print(f'first pass of gemb, which compiles: {compiling.wall:.1f} s')
  print(f'lowest cosine between their vectors: {cosine:.7f}', flush=True)
  if cosine < LEAST_COSINE:
    sys.exit(f'The vectors differ: a cosine is {cosine}.')


def lowest_cosine(*files: str) -> float:
  """Returns the lowest cosine between rows of the same number."""
  import numpy as np

  vectors = [np.load(file) for file in files]
  ours, theirs = (x / np.linalg.norm(x, axis=1)[:, None] for x in vectors)
  return float((ours * theirs).sum(axis=1).min())


def print_header(encoder: Any, threads: int) -> None:
  """Prints what is measured."""
  import jax

  size = sum(x.size for x in jax.tree.leaves(encoder.params))
  print(
    f'{size:,} parameters on {threads} cores. A ratio says how many times the '
    "time of gemb's a system takes."
  )


def print_table(
  texts: list[str],
  encoder: Any,
  systems: list[str],
  timings: list[tuple[Timing, ...]],
) -> None:
  """Prints a row for each system; the first is the one compared with."""
  sizes = [len(ids) for ids in encoder.tokenizer.encode(texts)]
  wall = [statistics.median(t.wall for t in passes) for passes in timings]
  cpu = [statistics.median(t.cpu for t in passes) for passes in timings]
  print(
    f'\n{len(texts)} texts of {min(sizes)} to {max(sizes)} tokens, '
    f'{statistics.mean(sizes):.0f} on average; medians of {len(timings[0])} '
    f'passes\n\n{"":46}{"texts/s":>9}{"ratio":>7}{"CPU s":>8}{"ratio":>7}'
  )
  for i, name in enumerate(systems):
    print(
      f'{name:46}{len(texts) / wall[i]:9.1f}{wall[i] / wall[0]:7.2f}'
      f'{cpu[i]:8.2f}{cpu[i] / cpu[0]:7.2f}'
    )


if __name__ == '__main__':
  main()
