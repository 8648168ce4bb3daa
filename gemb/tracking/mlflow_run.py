"""A run of MLflow, as `trackers.py` uses it."""

import os
import pathlib
import re
import time
from collections.abc import Mapping
from typing import Any

from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from gemb.tracking.config import MlflowConfig
from gemb.tracking.trackers import without_password

_STATUS = {'finished': 'FINISHED', 'stopped': 'KILLED', 'failed': 'FAILED'}
_VALUE = 5000  # characters of a parameter, or of a tag, that a server takes
# A server that is gone is given up within a minute, and not in seven.
_PATIENCE = {
  'MLFLOW_HTTP_REQUEST_MAX_RETRIES': '3',
  'MLFLOW_HTTP_REQUEST_TIMEOUT': '30',
}


class MlflowRun:
  """Begins a run, or goes on in the one with the same id."""

  title = 'MLflow'
  logged = None  # by the time `log` returns, it has all

  def __init__(
    self,
    config: MlflowConfig,
    folder: pathlib.Path,
    identity: str | None,
    parameters: Mapping[str, Any],
  ):
    """Reaches the server and opens the run.

    Args:
      config: which.
      folder: not used: all is at the server.
      identity: of a run that goes on.
      parameters: of the run.

    Raises:
      ValueError: if that fails.
    """
    uri = config.uri or os.environ.get('MLFLOW_TRACKING_URI')
    if not uri:
      raise ValueError(
        'MlflowConfig.uri is None and MLFLOW_TRACKING_URI is not set; set one '
        'of them to the address of the tracking server.'
      )
    for name, value in _PATIENCE.items():
      os.environ.setdefault(name, value)
    if uri.startswith('file:'):  # which MLflow advises against since 3.7
      os.environ.setdefault('MLFLOW_ALLOW_FILE_STORE', 'true')
    try:
      self._client = MlflowClient(tracking_uri=uri)
      self.identity = identity or self._create(config)
      self._client.update_run(self.identity, status='RUNNING')
      self._write_parameters(parameters)
    except MlflowException as error:
      reason = without_password(str(error))
      raise ValueError(
        f'MLflow does not let the run begin ({reason}). Look at '
        'MlflowConfig.uri or MLFLOW_TRACKING_URI and at '
        'MLFLOW_TRACKING_USERNAME, or leave TrackingConfig.mlflow out.'
      ) from None

  def log(self, kind: str, step: int, values: Mapping[str, float]) -> None:
    """Logs a line."""
    now = int(time.time() * 1000)
    self._client.log_batch(
      self.identity,
      metrics=[
        Metric(_name(name), float(value), now, step)
        for name, value in values.items()
      ],
    )

  def close(self, outcome: str) -> None:
    """Tells how it ended."""
    self._client.set_terminated(self.identity, _STATUS[outcome])

  def _create(self, config: MlflowConfig) -> str:
    """Makes the run, and its experiment if there is none; returns its id."""
    run = self._client.create_run(
      self._experiment(config.experiment), run_name=config.name
    )
    return run.info.run_id

  def _experiment(self, name: str) -> str:
    """Returns the id of an experiment, which is made if it is not there."""
    found = self._client.get_experiment_by_name(name)
    if not found:
      try:
        return self._client.create_experiment(name)
      except MlflowException:
        # Another run of the same sweep may just have made it.
        found = self._client.get_experiment_by_name(name)
        if not found:
          raise
    return found.experiment_id

  def _write_parameters(self, parameters: Mapping[str, Any]) -> None:
    """Logs parameters; one that has changed since, as a tag: they are final."""
    data = self._client.get_run(self.identity).data
    old = data.params | {k: v for k, v in data.tags.items() if k in data.params}
    new = {_name(k): str(v)[:_VALUE] for k, v in parameters.items()}
    params = [Param(k, v) for k, v in new.items() if k not in old]
    tags = [RunTag(k, v) for k, v in new.items() if old.get(k, v) != v]
    self._client.log_batch(self.identity, params=params, tags=tags)


def _name(name: str) -> str:
  """Returns a name in the letters that MLflow has: accuracy:16, with no @."""
  return re.sub(r'[^\w\-. :/]', ':', name)[:250]
