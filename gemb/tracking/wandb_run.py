"""A run of Weights & Biases, as `trackers.py` uses it."""

import pathlib
import secrets
from collections.abc import Mapping
from typing import Any

import wandb

from gemb.tracking.config import WandbConfig

# Console, code, git diff, host and user stay here: metrics alone are sent, and
# how busy the machine is.
_SETTINGS = wandb.Settings(
  console='off',
  disable_code=True,
  disable_git=True,
  finish_timeout=25.0,
  host='',
  init_timeout=60.0,
  save_code=False,
  silent=True,
  x_disable_machine_info=True,
  x_disable_meta=True,
  x_save_requirements=False,
)


class WandbRun:
  """Begins a run, or goes on in the one with the same id."""

  title = 'Weights & Biases'

  def __init__(
    self,
    config: WandbConfig,
    folder: pathlib.Path,
    identity: str | None,
    parameters: Mapping[str, Any],
  ):
    """Logs in and opens the run.

    Args:
      config: which.
      folder: for its files.
      identity: of a run that goes on.
      parameters: of the run.

    Raises:
      ValueError: if that fails.
    """
    self.identity = identity or secrets.token_hex(4)
    try:
      self._run = wandb.init(
        project=config.project,
        entity=config.entity,
        name=config.name,
        group=config.group,
        tags=config.tags,
        id=self.identity,
        resume='allow',
        dir=folder,
        settings=_SETTINGS,
      )
    except wandb.Error as error:
      raise ValueError(
        f'Weights & Biases does not let the run begin ({error}). Run `wandb '
        'login`, look at WandbConfig.entity and project, set WANDB_MODE=offline'
        ', or leave TrackingConfig.wandb out.'
      ) from error
    # The service may not have got all that was logged before a kill: it says
    # itself what it has. Offline it does not.
    self.logged = None
    if not self._run.offline:
      summary: Any = self._run.summary
      seen = {'training': 'step', 'evaluation': 'eval/step'}
      self.logged = {
        kind: int(summary[name])
        for kind, name in seen.items()
        if summary.get(name) is not None
      }
    self._run.config.update(dict(parameters), allow_val_change=True)
    for name in ('step', 'eval/step'):
      self._run.define_metric(name, hidden=True)
    self._run.define_metric('*', step_metric='step')

  def log(self, kind: str, step: int, values: Mapping[str, float]) -> None:
    """Logs a line. Steps are a metric: their own count refuses a second."""
    also = {'eval/step': step} if kind == 'evaluation' else {}
    self._run.log({'step': step, **also, **values})

  def close(self, outcome: str) -> None:
    """Waits until all is sent, but not for ever."""
    if outcome == 'stopped':
      self._run.mark_preempting()
    self._run.finish(exit_code=int(outcome != 'finished'))
