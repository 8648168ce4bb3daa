"""Where a run's numbers go: terminal, JSON lines, TensorBoard, trackers."""

import collections
import contextlib
import json
import os
import pathlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tqdm

from gemb import distributed, files
from gemb.tracking.config import TrackingConfig
from gemb.tracking.opening import open_trackers
from gemb.tracking.trackers import Tracker
from gemb.train import disk
from gemb.train.board import Board

Values = Mapping[str, int | float]


class MetricWriter:
  """Writes each step's numbers to metrics.jsonl, TensorBoard and a bar.

  On a run that goes on, lines after its checkpoint are removed first: they
  will be written again. Those before it are handed to the services again, which
  may not have got them when the process was killed.
  """

  def __init__(
    self,
    folder: str | os.PathLike,
    *,
    start: int,
    steps: int,
    trackers: Sequence[Tracker] = (),
  ):
    """Makes the files of a run.

    Args:
      folder: the work folder.
      start: updates done already.
      steps: of the whole run.
      trackers: services that get the same lines.
    """
    folder = pathlib.Path(folder)
    self._path = folder / 'metrics.jsonl'
    with self._disk():
      kept = keep_lines(self._path, start)
      self._board = Board(folder / 'tensorboard', start=start)
    self._trackers = trackers
    for line in kept:
      self._hand_over(line.pop('step'), line)
    self._bar = tqdm.tqdm(
      total=steps, initial=start, desc='training', unit='step', disable=None
    )

  def __enter__(self) -> 'MetricWriter':
    """Returns itself."""
    return self

  def __exit__(self, *_) -> None:
    """Ends the bar."""
    self._bar.close()

  def write(self, step: int, values: Values) -> None:
    """Writes the numbers of a step, in closed files when it returns."""
    with self._disk():
      append_line(self._path, {'step': step, **values})
      self._board.write(step, values)
    self._hand_over(step, values)

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

  def _hand_over(self, step: int, values: Values) -> None:
    for tracker in self._trackers:
      tracker.log(step, values)

  def _disk(self) -> contextlib.AbstractContextManager[None]:
    """Returns where a full disk becomes one sentence."""
    checkpoints = self._path.parent / 'checkpoints'
    return disk.told(checkpoints, f'{self._path.name} or TensorBoard')


class _SilentWriter(MetricWriter):
  """Writes nothing: another process does."""

  def __init__(self):
    """Opens nothing."""

  def __exit__(self, *_) -> None:
    """Ends nothing."""

  def write(self, step: int, values: Values) -> None:
    """Drops them."""

  def advance(self, step: int, values: Values | None = None) -> None:
    """Shows nothing."""

  def say(self, text: str) -> None:
    """Prints nothing."""


@contextlib.contextmanager
def open_writer(
  folder: str | os.PathLike,
  tracking: TrackingConfig | None = None,
  parameters: Mapping[str, Any] | None = None,
  *,
  start: int,
  steps: int,
) -> Iterator[MetricWriter]:
  """Opens the writer of a run; of several processes the first one's writes.

  All call it, and learn what goes wrong.

  Args:
    folder: the work folder.
    tracking: services that get the same lines.
    parameters: of the run, for these.
    start: updates done already.
    steps: of the whole run.

  Yields:
    The writer.

  Raises:
    ValueError: if a service is not there.
    RuntimeError: in the other processes, if so.
  """
  writer = _SilentWriter()
  with contextlib.ExitStack() as stack:
    with distributed.together():
      if distributed.is_first():
        trackers = stack.enter_context(
          open_trackers(tracking or TrackingConfig(), folder, parameters or {})
        )
        writer = stack.enter_context(
          MetricWriter(folder, start=start, steps=steps, trackers=trackers)
        )
    yield writer


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

    The learning rate is the last step's. Of steps that were left out there are
    no losses; how many they are is told where the run may leave some out.
    """
    seconds = time.monotonic() - self._started
    columns = collections.defaultdict(list)
    for step in self._steps:
      for name, value in step.items():
        columns[name].append(value)
    pairs, tokens = (sum(columns.pop(name)) for name in ('pairs', 'tokens'))
    means = {name: sum(found) / len(found) for name, found in columns.items()}
    if 'skipped' in columns:
      means['skipped'] = sum(columns['skipped'])
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
    try:
      yield
    finally:
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
  """Returns the lines of a work folder's metrics.jsonl; none if it is new."""
  return read_lines(pathlib.Path(folder) / 'metrics.jsonl')


def read_lines(path: pathlib.Path) -> list[dict[str, Any]]:
  """Returns the lines of a file of JSON; none if it is not there.

  A line that was cut off when the run was killed is left out.
  """
  lines = []
  content = path.read_bytes() if path.is_file() else b''
  for line in content.split(b'\n'):
    try:
      lines.append(json.loads(line))
    except ValueError:  # no whole JSON, or no whole UTF-8
      break
  return lines


def append_line(path: pathlib.Path, line: Mapping[str, Any]) -> None:
  """Adds a line to a file of JSON, which is closed when it returns.

  A mounted bucket stores a file as it is closed: what is in an open one is lost
  with the machine.
  """
  with path.open('a', encoding='utf-8') as file:
    file.write(json.dumps(line, ensure_ascii=False) + '\n')


def keep_lines(path: pathlib.Path, start: int) -> list[dict[str, Any]]:
  """Removes the lines of later steps, which a run will write again.

  Args:
    path: of a file of JSON lines that have a 'step'.
    start: the last step that is kept.

  Returns:
    The lines that are kept.
  """
  kept = [line for line in read_lines(path) if line['step'] <= start]
  text = (json.dumps(line, ensure_ascii=False) + '\n' for line in kept)
  files.write_file(path, ''.join(text))
  return kept
