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
from concurrent.futures import Future, ThreadPoolExecutor

import chaos_compare
import chaos_data
import chaos_report
from chaos_draw import Draw, draw
from chaos_folder import Folder
from chaos_run import (
  Outcome,
  train_broken,
  train_unbroken,
  unbroken_folder,
)

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
  outcomes: list[Outcome] = []
  stopped = False
  try:
    break_runs(draws, base, options.at_once, outcomes)
  except RuntimeError as error:
    print(f'chaos: {error}', file=sys.stderr)
    return 2
  except KeyboardInterrupt:
    stopped = True
    print('chaos: stopped.', file=sys.stderr)
  if not outcomes:
    return 130
  layouts = sorted({each.draw.layout for each in outcomes})
  found = chaos_report.Found(
    seed=options.seed,
    drawn=len(draws),
    outcomes=sorted(outcomes, key=lambda each: each.draw.number),
    apart=chaos_compare.largest_difference(
      unbroken_folder(base, layout) for layout in layouts
    ),
    tolerance=TOLERANCE,
    seconds=time.monotonic() - began,
  )
  print(chaos_report.text(found))
  if options.write:
    chaos_report.write(found, ROOT / 'experiments/16_survival')
  return 130 if stopped else int(not found.all_well)


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
  draws: list[Draw], base: pathlib.Path, at_once: int, outcomes: list[Outcome]
) -> None:
  """Trains without harm in each layout, and then with what was drawn.

  Args:
    draws: whom to hit, and when.
    base: folder of everything.
    at_once: how many runs go on at the same time.
    outcomes: is given each as it ends, so that they are there even if the rest
      is stopped.

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
      for future in concurrent.futures.as_completed(begun):
        outcomes.append(future.result())
        print(chaos_report.line(outcomes[-1]), flush=True)
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


if __name__ == '__main__':
  sys.exit(main())
