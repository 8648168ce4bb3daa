"""The report's recipe from end to end; tools/recipe starts it.

Gemini Embedding (arXiv:2503.07891): pre-finetune, mine, score, filter,
synthesize, finetune on three mixtures, average, evaluate. Each stage is a
`gemb` command in a process of its own. What is finished is not done again;
what was stopped goes on where it was; what was made otherwise than it would be
made now is told, and not used.
"""

import argparse
import contextlib
import dataclasses
import fcntl
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import recipe_report
from recipe_data import write_data
from recipe_ledger import Ledger
from recipe_stages import Recipe, Stage, make_recipe, make_stages

from gemb import config
from gemb.curation.config import Curation, DecoderModel
from gemb.data import weights

ROOT = pathlib.Path(__file__).parents[1]
TICK = 5  # seconds of a stage's time that a kill may lose
WAYS_ON = (
  'the language model that scores, filters and writes is {name}, which is not '
  'there. Two ways on: --accept_gemma_terms, once you have read the terms '
  'above and accept them; or --language_model=none, which finetunes on the '
  'negatives as mined.'
)


class StageError(RuntimeError):
  """A command that failed; it has said why.

  Attributes:
    status: its exit status.
  """

  def __init__(self, stage: Stage, status: int):
    super().__init__(
      f'stage {stage.name} failed with status {status}: gemb '
      f'{shlex.join(stage.words)}\nOnce the cause is gone, the same command '
      'goes on.'
    )
    self.status = status


def main() -> int:
  """Runs the recipe; returns the exit status."""
  options = parse_arguments()
  signal.signal(signal.SIGTERM, _stop)
  try:
    recipe = choose_recipe(options)
    with hold(recipe.workdir) as lock:
      run_stages(recipe, again=options.again, lock=lock)
    path = recipe_report.write_report(recipe)
  except StageError as error:
    print(f'recipe: {error}', file=sys.stderr)
    return error.status
  except (ValueError, OSError, RuntimeError) as error:
    print(f'recipe: {error}', file=sys.stderr)
    return 2
  except KeyboardInterrupt:
    print('recipe: stopped; the same command goes on.', file=sys.stderr)
    return 130
  print(f'Report: {path}')
  return 0


def parse_arguments() -> argparse.Namespace:
  """Returns the options."""
  parser = argparse.ArgumentParser(prog='recipe', description=__doc__)
  add = parser.add_argument
  add('--small', action='store_true', help='for two CPU cores')
  add(
    '--workdir',
    type=pathlib.Path,
    default=ROOT / 'runs/recipe',
    metavar='DIR',
    help='of everything (runs/recipe)',
  )
  add(
    '--curation',
    action='append',
    metavar='FILE',
    help='a gin file in the place of configs/curation/small.gin or full.gin, '
    'such as configs/curation/gemini.gin; several are read in order',
  )
  add(
    '--language_model',
    choices=('curation', 'none'),
    default='curation',
    help='the one that the curation names; none: neither scoring, filtering '
    'nor synthetic data',
  )
  add(
    '--accept_gemma_terms',
    action='store_true',
    help='you have read the terms of Gemma and accept them',
  )
  add(
    '--again',
    action='store_true',
    help='delete what was made otherwise, and make it again',
  )
  return parser.parse_args()


def choose_recipe(options: argparse.Namespace) -> Recipe:
  """Returns the recipe that the options ask for.

  Raises:
    ValueError: if a gin file is wrong, the terms of the language model's
      weights have not been accepted, or curation and training do not fit.
  """
  others: dict[str, Any] = {'language_model': options.language_model != 'none'}
  if options.curation:
    others['curation'] = tuple(options.curation)
  recipe = make_recipe(
    options.workdir.absolute(), small=options.small, **others
  )
  curation = load_curation(recipe)
  check_tasks(recipe, curation)
  check_files(recipe)
  synthesis = curation.synthesis
  writes = bool(synthesis.queries or synthesis.classes)
  recipe = dataclasses.replace(recipe, writes=writes)
  if name := missing_weights(recipe, curation):
    if not options.accept_gemma_terms:
      # It shows them, and fails.
      subprocess.run(['gemb', 'weights', name], check=False)
      raise ValueError(WAYS_ON.format(name=name))
    recipe = dataclasses.replace(recipe, weights=name)
  return recipe


def load_curation(recipe: Recipe) -> Curation:
  """Returns the curation of the recipe."""
  return config.load(recipe.curation, root='Curation')[0]


def missing_weights(recipe: Recipe, curation: Curation) -> str | None:
  """Returns the weights that `gemb weights` has to fetch, if any."""
  model = curation.language_model
  if not recipe.language_model or not isinstance(model, DecoderModel):
    return None
  for path in model.weights, model.tokenizer:
    try:
      weights.find(path)
    except FileNotFoundError:
      return pathlib.Path(path).parts[1]
  return None


def check_tasks(recipe: Recipe, curation: Curation) -> None:
  """Raises ValueError if tasks of curation have no texts by then."""
  run, _ = config.load(recipe.prefinetune)
  named = {*curation.tasks}
  if recipe.language_model:
    named |= {*curation.synthesis.queries}
  if missing := sorted(named - run.data.rates.keys()):
    raise ValueError(
      f'{", ".join(recipe.curation)} names {missing}, which pre-finetuning '
      f'does not train on; take some of {sorted(run.data.rates)}.'
    )


def check_files(recipe: Recipe) -> None:
  """Raises ConfigError if a gin file of a later stage is wrong."""
  for found in recipe.finetune.values():
    config.load(found)
  config.load(recipe.soup, root='Soup')
  config.load((*recipe.prefinetune, *recipe.evaluate))


@contextlib.contextmanager
def hold(workdir: pathlib.Path) -> Iterator[int]:
  """Keeps others out of the work folder, and yields the lock's descriptor.

  A stage inherits it, and so keeps them out even when it outlives a killed
  recipe.

  Raises:
    RuntimeError: if another one is at work there.
  """
  workdir.mkdir(parents=True, exist_ok=True)
  with (workdir / 'recipe.lock').open('a') as file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      raise RuntimeError(
        f'another recipe, or a stage of one that was killed, is at work in '
        f'{workdir}; wait for it or end it, or choose another --workdir.'
      ) from None
    yield file.fileno()


def run_stages(recipe: Recipe, *, again: bool, lock: int) -> None:
  """Runs what is not finished, in order.

  Raises:
    StageError: if a command fails.
    ValueError: if a stage was begun otherwise than it would be now.
  """
  ledger = Ledger(recipe.workdir)
  stages = make_stages(recipe)
  for number, stage in enumerate(stages, start=1):
    prepare(recipe, stage)
    now = ledger.describe(stage)
    if changes := ledger.changes(stage, now):
      if not again:
        raise ValueError(
          f'{stage.name} in {recipe.workdir} was made otherwise: '
          f'{"; ".join(changes)}. Take the same settings, another --workdir, '
          'or --again to delete it and what follows from it, and make them '
          'anew.'
        )
      ledger.forget(stage)
    head = f'== {number}/{len(stages)} {stage.name}'
    if ledger.finished(stage):
      print(f'{head}: done', file=sys.stderr)
      continue
    print(f'\n{head}: {shlex.join(now.command)}', file=sys.stderr, flush=True)
    ledger.begin(stage, now)
    run_stage(stage, ledger, lock)
    ledger.finish(stage)
    seconds = ledger.entries[stage.name].seconds
    print(f'== took {seconds:.0f} s', file=sys.stderr)


def prepare(recipe: Recipe, stage: Stage) -> None:
  """Writes the gin file that tells a finetuning run of its data."""
  mixture = stage.name.removeprefix('02_finetune_')
  if mixture in recipe.finetune:
    run, _ = config.load(recipe.finetune[mixture])
    write_data(recipe, mixture, run.data, load_curation(recipe))


def run_stage(stage: Stage, ledger: Ledger, lock: int) -> None:
  """Runs a command to its end; its time is kept, whatever comes.

  Raises:
    StageError: if it fails.
  """
  # Stages compile much of the same: each keeps it for those after it.
  compiled = {'JAX_COMPILATION_CACHE_DIR': str(ledger.workdir / 'compiled')}
  process = subprocess.Popen(
    ['gemb', *stage.words], pass_fds=(lock,), env=compiled | os.environ
  )
  status, begin = None, time.monotonic()
  try:
    while status is None:
      with contextlib.suppress(subprocess.TimeoutExpired):
        status = process.wait(timeout=TICK)
      begin = ledger.spend(stage, since=begin)
  finally:
    process.terminate()  # of no effect on one that has ended
    process.wait()
    ledger.spend(stage, since=begin)
  if status:
    raise StageError(stage, status)


def _stop(number: int, frame: Any) -> None:
  sys.exit(128 + number)


if __name__ == '__main__':
  sys.exit(main())
