"""Kills small trainings at random; tools/chaos starts it.

Each training runs under gemb's supervisor. It is hit once, by a signal, in one
process or all, while it trains, saves, evaluates or makes its cache; what, when
and whom is drawn from a seed. Then it is left to go on. Its last state has to
be that of an unbroken run, bit for bit, and so have its metrics.
"""

import argparse
import concurrent.futures
import pathlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import chaos_compare
import chaos_data
import chaos_report
from chaos_draw import Draw, draw
from chaos_folder import Folder
from chaos_run import Outcome, train_broken, train_unbroken

ROOT = pathlib.Path(__file__).parents[1]
# Between layouts sums are taken in another order.
TOLERANCE = 1e-3


def main() -> int:
  """Breaks runs; returns 0 if all have ended as they should, else 1."""
  options = parse_arguments()
  base = options.workdir.absolute()
  numbers = options.only or range(1, options.runs + 1)
  draws = [draw(options.seed, number) for number in numbers]
  signal.signal(signal.SIGTERM, signal.default_int_handler)
  began = time.monotonic()
  try:
    unbroken, outcomes = break_runs(draws, base, options.at_once)
  except RuntimeError as error:
    print(f'chaos: {error}', file=sys.stderr)
    return 2
  except KeyboardInterrupt:
    print('chaos: stopped.', file=sys.stderr)
    return 130
  found = chaos_report.Found(
    seed=options.seed,
    outcomes=outcomes,
    apart=chaos_compare.largest_difference(unbroken.values()),
    tolerance=TOLERANCE,
    seconds=time.monotonic() - began,
  )
  print(chaos_report.text(found))
  if options.write:
    chaos_report.write(found, ROOT / 'experiments/16_survival')
  return 0 if found.all_well else 1


def parse_arguments() -> argparse.Namespace:
  """Returns the options."""
  parser = argparse.ArgumentParser(prog='chaos', description=__doc__)
  add = parser.add_argument
  add('--runs', type=int, default=50, help='how many (50)')
  add('--seed', type=int, default=0, help='of all that is drawn (0)')
  add(
    '--only',
    type=int,
    action='append',
    metavar='N',
    help='the run of this number alone; may be repeated',
  )
  add('--at_once', type=int, default=2, help='runs at the same time (2)')
  add(
    '--workdir',
    type=pathlib.Path,
    default=ROOT / 'runs/chaos',
    metavar='DIR',
    help='of everything (runs/chaos); runs that ended badly stay there',
  )
  add(
    '--write',
    action='store_true',
    help='write the results into experiments/16_survival',
  )
  return parser.parse_args()


def break_runs(
  draws: list[Draw], base: pathlib.Path, at_once: int
) -> tuple[dict[str, Folder], list[Outcome]]:
  """Trains without harm in each layout, and then with what was drawn.

  Raises:
    RuntimeError: if an unbroken run fails.
  """
  base.mkdir(parents=True, exist_ok=True)
  chaos_data.write_pairs(base)
  stop = threading.Event()
  first, *others = sorted({each.layout for each in draws})
  print(f'Everything is in {base}; unbroken runs come first.', flush=True)
  with ThreadPoolExecutor(at_once) as pool:
    try:
      # The first makes the data.
      unbroken = {first: pool.submit(train_unbroken, base, first, stop)}
      unbroken[first].result()
      for layout in others:
        unbroken[layout] = pool.submit(train_unbroken, base, layout, stop)
      # Those first whose unbroken run is there already.
      begun = [
        pool.submit(_break_run, each, base, unbroken[each.layout], stop)
        for each in sorted(draws, key=lambda each: each.layout != first)
      ]
      for outcome in _as_they_end(begun):
        print(chaos_report.line(outcome), flush=True)
      outcomes = sorted(
        (future.result() for future in begun), key=lambda x: x.draw.number
      )
      return {k: v.result() for k, v in unbroken.items()}, outcomes
    except BaseException:
      stop.set()
      pool.shutdown(cancel_futures=True)
      raise


def _break_run(
  each: Draw,
  base: pathlib.Path,
  unbroken: Future[Folder],
  stop: threading.Event,
) -> Outcome:
  return train_broken(each, base, unbroken.result(), stop)


def _as_they_end(begun: list[Future[Outcome]]) -> Iterator[Outcome]:
  for future in concurrent.futures.as_completed(begun):
    yield future.result()


if __name__ == '__main__':
  sys.exit(main())
