"""Opens the services that follow a run, before it trains."""

import contextlib
import dataclasses
import functools
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from gemb import stopping
from gemb.tracking.config import TrackingConfig
from gemb.tracking.trackers import Outcome, Service, Tracker


@contextlib.contextmanager
def open_trackers(
  config: TrackingConfig,
  workdir: str | os.PathLike,
  parameters: Mapping[str, Any],
) -> Iterator[tuple[Tracker, ...]]:
  """Opens what follows a run; the process that writes calls it.

  Args:
    config: which services.
    workdir: the work folder.
    parameters: of the run, as `flat` makes them.

  Yields:
    A tracker for each service.

  Raises:
    ValueError: if one is not installed, not reached, or refuses.
  """
  folder = pathlib.Path(workdir).absolute() / 'tracking'
  trackers: list[Tracker] = []
  outcome: Outcome = 'failed'
  try:
    for name in _services(config):
      open_service = functools.partial(_open, name, config, folder, parameters)
      trackers.append(Tracker(open_service, folder / f'{name}.json'))
    yield tuple(trackers)
    outcome = 'finished'
  except (stopping.Stopped, KeyboardInterrupt):
    outcome = 'stopped'
    raise
  finally:
    for tracker in trackers:
      tracker.close(outcome)


def flat(tree: Any) -> dict[str, Any]:
  """Returns the plain values of a tree by their paths, for a table.

  >>> flat({'optimizer': {'learning_rate': 0.1}, 'prefixes': (4, 8)})
  {'optimizer.learning_rate': 0.1, 'prefixes': [4, 8]}

  Args:
    tree: of dicts and sequences, or a dataclass that holds such.
  """
  branches = tree if isinstance(tree, dict) else dataclasses.asdict(tree)
  found = {}
  for name, value in branches.items():
    if isinstance(value, (tuple, list)):
      nested = any(isinstance(item, (dict, tuple, list)) for item in value)
      value = dict(enumerate(value)) if nested else list(value)
    if isinstance(value, dict):
      found |= {f'{name}.{path}': leaf for path, leaf in flat(value).items()}
    else:
      found[str(name)] = value
  return found


def _services(config: TrackingConfig) -> list[str]:
  """Returns the names of those that are wanted."""
  return [name for name, value in vars(config).items() if value is not None]


def _open(
  name: str,
  config: TrackingConfig,
  folder: pathlib.Path,
  parameters: Mapping[str, Any],
  identity: str | None,
) -> Service:
  """Opens a service by its name in TrackingConfig, which is its extra's."""
  chosen = getattr(config, name)
  chosen = dataclasses.replace(chosen, name=chosen.name or folder.parent.name)
  try:
    if name == 'wandb':
      from gemb.tracking.wandb_run import WandbRun as Run
    else:
      from gemb.tracking.mlflow_run import MlflowRun as Run
  except ModuleNotFoundError as error:
    raise ValueError(
      f'TrackingConfig.{name} needs {error.name}, which is not installed: pip '
      f"install -e '.[{name}]'."
    ) from error
  folder.mkdir(exist_ok=True)
  return Run(chosen, folder, identity, parameters)
