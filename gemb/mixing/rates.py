"""Rates of a mixture from the steps in which each task converges alone.

Source: Gemini Embedding (arXiv:2503.07891), section 3.3: the rates that the
search begins with come from the number of steps to converge on each data set.
"""

import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from gemb import files
from gemb.data.sampling import BLOCK
from gemb.mixing import plots
from gemb.mixing.convergence import FALL, Curve, make_curve
from gemb.mixing.mixture import RATES, Mixture, make_mixture, rates_of
from gemb.mixing.training import train
from gemb.sweep.family import Family, gin_text

_LINES = 200  # of metrics, in which a curve is read


def measure(family: Family, say: Callable[[str], None]) -> dict[str, Curve]:
  """Trains on each task of the run's mixture alone; returns their curves.

  Nothing is evaluated, and the learning rate stays at its peak: where it decays
  all losses level off, whatever the data. A task that was trained on before is
  not again.

  Args:
    family: of the run; each task's is in a folder of its name.
    say: told of each task.

  Raises:
    FloatingPointError: if a loss is no longer finite.
  """
  curves = {}
  for task in family.run.data.rates:
    changes = _changes(family.run.steps, task)
    curves[task] = make_curve(train(family, task, changes))
    say(describe(task, curves[task]))
  return curves


def describe(task: str, curve: Curve) -> str:
  """Returns what was found of a task, in a sentence."""
  first, last = curve.loss[0], curve.loss[-1]
  if first == last:
    return f'{task}: its loss, {last:.3f}, does not fall; look at its examples.'
  late = ', late: more Run.steps may move it' if curve.is_late else ''
  return (
    f'{task}: {FALL:.0%} of the fall from {first:.3f} to {last:.3f} in '
    f'{curve.converged:,} of {curve.steps[-1]:,} steps{late}.'
  )


def write_rates(folder: pathlib.Path, curves: Mapping[str, Curve]) -> Mixture:
  """Writes rates.gin, rates.json and rates.svg; returns the rates.

  They are batches of every 1,000, in proportion to the steps to converge. A
  task that would have less than one has one.
  """
  rates = make_mixture({task: c.converged for task, c in curves.items()})
  found = {
    task: {
      'rate': rates[task],
      'steps': curve.converged,
      'of_steps': int(curve.steps[-1]),
      'late': curve.is_late,
      'first_loss': float(curve.loss[0]),
      'last_loss': float(curve.loss[-1]),
    }
    for task, curve in curves.items()
  }
  about = [
    f'Batches of every {BLOCK:,}, by `gemb rates`: in proportion to the steps',
    f'in which each task, trained on alone, makes {FALL:.0%} of the fall of',
    'its training loss, smoothed.',
    *(f'  {task}: {each["steps"]} steps' for task, each in found.items()),
  ]
  text = gin_text({RATES: rates_of(rates)}, about)
  files.write_file(folder / 'rates.gin', text)
  files.write_file(folder / 'rates.json', json.dumps(found, indent=1) + '\n')
  files.write_file(folder / 'rates.svg', plots.draw_curves(curves).svg)
  return rates


def _changes(steps: int, task: str) -> dict[str, Any]:
  """Returns what is other in the run of a task alone."""
  return {
    RATES: {task: 1.0},
    'gemb.run.Run.log_every_steps': max(1, steps // _LINES),
    'gemb.train.optimizer.OptimizerConfig.final_fraction': 1.0,
    'gemb.train.checkpoints.CheckpointConfig.best_metric': '',
    'gemb.evals.suite.EvalConfig.bitext': (),
    'gemb.evals.suite.EvalConfig.retrieval': (),
    'gemb.evals.suite.EvalConfig.classification': (),
  }
