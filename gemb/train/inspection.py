"""What is done about an odd step: a line of skipped.jsonl, or the end.

Which step is odd, the train step has decided (`gemb.train.guard`), but where
all that the guard does is to stop: then it is seen here alone.
"""

import json
import math
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from gemb import distributed, files
from gemb.data.planning import Plan
from gemb.data.records import Record
from gemb.train.guard import GuardConfig
from gemb.train.metrics import append_line, keep_lines

_SKIPPED = 'skipped.jsonl'
_NAMED = 8  # examples of the highest loss that a spike is told with
_NO_NUMBERS = ('example_loss', 'seen')
# Of a step that is left out: what its batch is, not what was computed of it.
_KEPT = ('tokens', 'padding', 'learning_rate', 'pairs', 'skipped')


class Inspector:
  """Looks at each step once it is done; all processes see the same."""

  def __init__(
    self,
    config: GuardConfig,
    examples: Callable[[int], Sequence[Record]],
    folder: str | os.PathLike,
    *,
    start: int,
    say: Callable[[str], Any] = print,
  ):
    """Removes the lines after the checkpoint that the run goes on from.

    Args:
      config: whether to stop.
      examples: step -> those of its batch, in its order.
      folder: the work folder.
      start: steps done already.
      say: is given a sentence for each step that is left out.
    """
    self._config = config
    self._examples = examples
    self._folder = pathlib.Path(folder)
    self._say = say
    if distributed.is_first() and (self._folder / _SKIPPED).is_file():
      keep_lines(self._folder / _SKIPPED, start)

  def inspect(self, plan: Plan, values: dict[str, Any]) -> dict[str, float]:
    """Waits for a step and returns its numbers, for `gemb.train.metrics.Meter`.

    Its pairs are counted among them. Where it was left out, they have no loss.

    Args:
      plan: of the step.
      values: the train step's metrics.

    Raises:
      FloatingPointError: if the run stops here, as GuardConfig wants it; the
        examples are written to the work folder.
    """
    asked = {k: v for k, v in values.items() if k not in _NO_NUMBERS}
    # All at once: one by one, each is waited for.
    numbers = {k: float(v) for k, v in jax.device_get(asked).items()}
    numbers['pairs'] = len(plan.indices)
    finite = all(math.isfinite(numbers[k]) for k in ('loss', 'gradient_norm'))
    if finite and not numbers.get('skipped'):
      return numbers
    found = self._describe(plan, values, numbers, finite)
    text = _sentence(found)
    policy = self._config.spike if finite else self._config.not_finite
    if policy == 'stop':
      self._stop(found, text)
    self._write(found)
    in_a_row = int(values['seen'].skipped)
    if in_a_row > self._config.most_skipped:
      raise FloatingPointError(
        f'{text}. {in_a_row} steps in a row were left out (all are in '
        f'{self._folder / _SKIPPED}), more than GuardConfig.most_skipped='
        f'{self._config.most_skipped}. The last checkpoint is good. Lower '
        'OptimizerConfig.learning_rate, or raise GuardConfig.spike_factor if '
        'these are no spikes.'
      )
    self._say(f'{text}. The step is left out.')
    return {name: numbers[name] for name in _KEPT}

  def _describe(
    self,
    plan: Plan,
    values: dict[str, Any],
    numbers: dict[str, float],
    finite: bool,
  ) -> dict[str, Any]:
    """Returns what is written of an odd step, as JSON."""
    names = [record.name for record in self._examples(plan.step)]
    losses = distributed.whole(values['example_loss'])
    if finite:
      bad = [names[i] for i in np.argsort(-losses, kind='stable')[:_NAMED]]
    else:
      odd = ~np.isfinite(losses)
      bad = [name for name, is_bad in zip(names, odd, strict=True) if is_bad]
      # Only the gradient is not finite: any of them may be the cause.
      bad = bad or names
    found = {
      'step': plan.step + 1,
      'task': plan.task,
      'reason': 'spike' if finite else 'not_finite',
      'loss': _as_json(numbers['loss']),
      'gradient_norm': _as_json(numbers['gradient_norm']),
    }
    if 'seen' in values:
      found['usual_norm'] = float(values['seen'].usual)
    return found | {'examples': bad}

  def _stop(self, found: dict[str, Any], text: str) -> None:
    path = self._folder / f'{found["reason"]}_{found["step"]}.json'
    if distributed.is_first():
      files.write_file(path, json.dumps(found, indent=2, ensure_ascii=False))
    raise FloatingPointError(
      f'{text} (all are in {path}). The last good checkpoint stays. Lower '
      'OptimizerConfig.learning_rate, look at these examples, or have such '
      f"steps left out: GuardConfig.{found['reason']}='skip'."
    )

  def _write(self, found: dict[str, Any]) -> None:
    if distributed.is_first():
      append_line(self._folder / _SKIPPED, found)


def _sentence(found: dict[str, Any]) -> str:
  """Returns what is odd about a step, and names the first of its examples."""
  bad = found['examples']
  named = ', '.join(bad[:5]) + ', ...' * (len(bad) > 5)
  norm = f'gradient norm {found["gradient_norm"]}'
  where = f'on {len(bad)} examples of {found["task"]!r}: {named}'
  if found['reason'] == 'spike':
    times = found['gradient_norm'] / found['usual_norm']
    norm += f', {times:.1f} times the usual {found["usual_norm"]:.4g}'
    where = f'on a batch of {found["task"]!r}, of the highest loss {named}'
  return f'Step {found["step"]}: loss is {found["loss"]}, {norm}, {where}'


def _as_json(number: float) -> float | str:
  """Returns what JSON has no number for, nan and inf, as text."""
  return number if math.isfinite(number) else str(number)
