"""Where the numbers of a run go: the terminal, JSON lines, TensorBoard."""

import contextlib
import json
import os
import pathlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

import tensorboardX
import tqdm

from gemb import distributed, files

Values = Mapping[str, int | float]


class MetricWriter:
  """Writes each step's numbers to metrics.jsonl, TensorBoard and a bar.

  On a run that goes on, lines after its checkpoint are removed first: they
  will be written again.
  """

  def __init__(self, folder: str | os.PathLike, *, start: int, steps: int):
    """Opens the files of a run.

    Args:
      folder: the work folder.
      start: updates done already.
      steps: of the whole run.
    """
    folder = pathlib.Path(folder)
    self._path = folder / 'metrics.jsonl'
    kept = [line for line in read_metrics(folder) if line['step'] <= start]
    files.write_file(
      self._path, ''.join(json.dumps(line) + '\n' for line in kept)
    )
    self._lines = self._path.open('a', encoding='utf-8')
    self._board = tensorboardX.SummaryWriter(
      str(folder / 'tensorboard'), purge_step=start + 1
    )
    self._bar = tqdm.tqdm(
      total=steps, initial=start, desc='training', unit='step', disable=None
    )

  def __enter__(self) -> 'MetricWriter':
    """Returns itself."""
    return self

  def __exit__(self, *_) -> None:
    """Closes the files."""
    self._bar.close()
    self._board.close()
    self._lines.close()

  def write(self, step: int, values: Values) -> None:
    """Writes the numbers of a step, on disk when it returns."""
    self._lines.write(json.dumps({'step': step, **values}) + '\n')
    self._lines.flush()
    for name, value in values.items():
      self._board.add_scalar(name, value, step)

  def advance(self, step: int, values: Values | None = None) -> None:
    """Moves the bar to a step, and shows some numbers beside it."""
    if values:
      text = ', '.join(f'{k} {v:.4g}' for k, v in values.items())
      if self._bar.disable:
        print(f'step {step}/{self._bar.total}: {text}', flush=True)
      self._bar.set_postfix_str(text, refresh=False)
    self._bar.update(step - self._bar.n)

  def say(self, text: str) -> None:
    """Prints a line without breaking the bar."""
    self._bar.write(text)


class _SilentWriter(MetricWriter):
  """Writes nothing: another process does."""

  def __init__(self):
    """Opens nothing."""

  def __exit__(self, *_) -> None:
    """Closes nothing."""

  def write(self, step: int, values: Values) -> None:
    """Drops them."""

  def advance(self, step: int, values: Values | None = None) -> None:
    """Shows nothing."""

  def say(self, text: str) -> None:
    """Prints nothing."""


def open_writer(
  folder: str | os.PathLike, *, start: int, steps: int
) -> MetricWriter:
  """Returns the writer of a run; of several processes the first one's writes.

  Args:
    folder: the work folder.
    start: updates done already.
    steps: of the whole run.
  """
  if not distributed.is_first():
    return _SilentWriter()
  return MetricWriter(folder, start=start, steps=steps)


class Meter:
  """Averages the steps' numbers, and measures speed, between two lines."""

  def __init__(self, state: Mapping[str, Any] | None = None):
    """Starts the clock; with the `state` of another, goes on where that was."""
    self._restart()
    if state:
      self._steps = list(state['steps'])
      self._started -= state['seconds']

  def state(self) -> dict[str, Any]:
    """Returns what JSON holds of it: a run that goes on has the same means."""
    seconds = time.monotonic() - self._started
    return {'steps': [dict(each) for each in self._steps], 'seconds': seconds}

  def add(self, values: Values) -> None:
    """Adds the numbers of a finished step: 'pairs' and 'tokens' are summed."""
    self._steps.append(values)

  def read(self) -> dict[str, float]:
    """Returns the means since the last call, and pairs and tokens a second.

    The learning rate is the last step's.
    """
    seconds = time.monotonic() - self._started
    means = {
      name: sum(step[name] for step in self._steps) / len(self._steps)
      for name in self._steps[0]
    }
    pairs, tokens = (
      means.pop(name) * len(self._steps) for name in ('pairs', 'tokens')
    )
    means['learning_rate'] = self._steps[-1]['learning_rate']
    self._restart()
    return means | {
      'pairs_per_second': pairs / seconds,
      'tokens_per_second': tokens / seconds,
    }

  @contextlib.contextmanager
  def paused(self) -> Iterator[None]:
    """Leaves out what is not training."""
    started = time.monotonic()
    yield
    self._started += time.monotonic() - started

  def _restart(self) -> None:
    self._started = time.monotonic()
    self._steps: list[Values] = []


def is_evaluated(folder: str | os.PathLike, step: int) -> bool:
  """Returns whether the metrics of a work folder have a step's evaluation."""
  return any(
    line['step'] == step and any(name.startswith('eval/') for name in line)
    for line in read_metrics(folder)
  )


def read_metrics(folder: str | os.PathLike) -> list[dict[str, int | float]]:
  """Returns the lines of a work folder's metrics.jsonl; none if it is new.

  A line that was cut off when the run was killed is left out.
  """
  path = pathlib.Path(folder) / 'metrics.jsonl'
  lines = []
  for line in path.read_text().splitlines() if path.is_file() else []:
    try:
      lines.append(json.loads(line))
    except json.JSONDecodeError:
      break
  return lines
