"""Checkpoints: state, what it was made by, and the scores, kept by orbax."""

import dataclasses
import math
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy

from gemb.model.embedder import Params
from gemb.train.state import TrainState

_PARTS = ('state', 'about')
# What architectures were before there was a choice, and did not tell.
_BEFORE = {'pooling': 'mean', 'causal': False}
_ALONE = 'parameters_alone'  # in what is said about such a checkpoint


@dataclasses.dataclass(frozen=True, kw_only=True)
class CheckpointConfig:
  """When checkpoints are written, and which are kept.

  Attributes:
    every_steps: between two of them; the last step always has one.
    keep_latest: so many of the newest.
    keep_best: so many with the highest `best_metric`.
    best_metric: an evaluation's metric, such as 'bitext/accuracy@256'.
  """

  every_steps: int
  keep_latest: int = 2
  keep_best: int = 1
  best_metric: str = ''

  def __post_init__(self):
    if self.every_steps < 1 or self.keep_latest < 1 or self.keep_best < 0:
      raise ValueError(
        f'CheckpointConfig has every_steps={self.every_steps}, '
        f'keep_latest={self.keep_latest}, keep_best={self.keep_best}; the '
        'first two must be at least 1, the last not negative.'
      )


class Checkpoints:
  """The checkpoints of one work folder; writes happen in the background."""

  def __init__(
    self,
    folder: str | os.PathLike,
    config: CheckpointConfig,
    *,
    clean: bool = False,
  ):
    """Opens the folder, which is made when the first checkpoint is written.

    Args:
      folder: of the checkpoints.
      config: when they are written, and which are kept.
      clean: remove what a killed run was writing. Only for the one process
        that writes: it would take a running one's away from it.
    """
    self.folder = pathlib.Path(folder).absolute()
    metric = config.best_metric

    def quality(scores: Mapping[str, int | float]) -> float:
      return scores.get(metric, -math.inf)  # not every checkpoint is evaluated

    keep: list[Any] = [preservation_policy.LatestN(config.keep_latest)]
    if metric and config.keep_best:
      keep.append(
        preservation_policy.BestN(
          get_metric_fn=quality,
          n=config.keep_best,
          keep_checkpoints_without_metrics=False,
        )
      )
    self._manager = ocp.CheckpointManager(
      self.folder,
      item_names=_PARTS,
      options=ocp.CheckpointManagerOptions(
        preservation_policy=preservation_policy.AnyPreservationPolicy(keep),
        # Without it orbax keeps scores in memory only, and after a restart
        # "best" would mean the best since then.
        best_fn=quality if metric else None,
        cleanup_tmp_directories=clean,
        create=False,
      ),
    )

  def __enter__(self) -> 'Checkpoints':
    """Returns itself."""
    return self

  def __exit__(self, *_) -> None:
    """Waits for what is still being written."""
    self._manager.close()

  def steps(self) -> list[int]:
    """Returns the steps that have a checkpoint, ascending."""
    return sorted(self._manager.all_steps())

  def save(
    self,
    state: TrainState,
    about: dict[str, Any],
    scores: dict[str, float] | None = None,
  ) -> None:
    """Writes the state; returns once it is copied, before it is on disk.

    Args:
      state: its `step` names the checkpoint.
      about: anything that JSON holds.
      scores: of an evaluation of this state, if there was one.
    """
    self._write(int(state.step), state, about, scores or {})

  def save_params(
    self,
    step: int,
    params: Params,
    about: dict[str, Any],
    scores: dict[str, float],
  ) -> None:
    """Writes parameters alone: of a model that no training goes on from.

    Args:
      step: names the checkpoint.
      params: of the embedder.
      about: as in `save`.
      scores: of an evaluation, maybe none.
    """
    self._write(step, {'params': params}, about | {_ALONE: True}, scores)

  def about(self, step: int) -> dict[str, Any]:
    """Returns what was saved about a checkpoint.

    Raises:
      ValueError: if there is none at this step.
    """
    if step not in self.steps():
      raise ValueError(
        f'{self.folder} has no checkpoint of step {step}; it has '
        f'{self.steps() or "none"}.'
      )
    args = ocp.args.Composite(about=ocp.args.JsonRestore())
    about = self._manager.restore(step, args=args)['about']
    if 'model' in about:
      about['model'] = _BEFORE | about['model']
    return about

  def restore(self, step: int, like: TrainState) -> TrainState:
    """Reads a state onto the shards of `like`, whatever mesh wrote it.

    Args:
      step: of the checkpoint.
      like: shapes and shardings, from `gemb.train.state.abstract_state`.

    Raises:
      ValueError: if it holds parameters alone.
    """
    if _ALONE in self.about(step):
      raise ValueError(
        f'{self.folder} holds parameters alone, as that of a soup does, and no '
        'training goes on from them; begin a new run, with Run.parent set to '
        f'{str(self.folder.parent)!r}.'
      )
    args = ocp.args.Composite(state=ocp.args.StandardRestore(like))
    return self._manager.restore(step, args=args)['state']

  def restore_params(self, step: int, like: Params) -> Params:
    """Reads the parameters alone, a third of the bytes.

    Args:
      step: of the checkpoint.
      like: shapes and shardings, from `gemb.train.state.abstract_params`.
    """
    target = {'params': like}
    handler = ocp.PyTreeCheckpointHandler()
    with ocp.Checkpointer(handler) as checkpointer:
      restored = checkpointer.restore(
        self.folder / str(step) / 'state',
        args=ocp.args.PyTreeRestore(
          item=target,
          restore_args=ocp.checkpoint_utils.construct_restore_args(target),
          partial_restore=True,
        ),
      )
    return restored['params']

  def _write(
    self, step: int, state: Any, about: dict[str, Any], scores: dict[str, float]
  ) -> None:
    self.folder.mkdir(parents=True, exist_ok=True)
    self._manager.save(
      step,
      args=ocp.args.Composite(
        state=ocp.args.StandardSave(state), about=ocp.args.JsonSave(about)
      ),
      # Without any, orbax warns that it cannot tell which is best.
      metrics=scores,
      force=True,
    )


def check_same(was: Any, now: Any, what: str) -> None:
  """Compares what a checkpoint was made with to what the run has.

  Raises:
    ValueError: naming each value that differs.
  """
  if found := differences(was, now):
    raise ValueError(
      f'The checkpoint has another {what}: {"; ".join(found)}. Go on '
      'with the same configuration, or choose another --workdir.'
    )


def differences(was: Any, now: Any) -> list[str]:
  """Returns each value that differs between two trees, in words."""
  was, now = _flatten(was), _flatten(now)
  return [
    f'{key} was {was.get(key)!r}, is {now.get(key)!r}'
    for key in sorted(was.keys() | now.keys())
    if was.get(key) != now.get(key)
  ]


def _flatten(tree: Any) -> dict[str, Any]:
  # None is a value here, not an empty branch.
  leaves = jax.tree.leaves_with_path(tree, is_leaf=lambda x: x is None)
  return {
    jax.tree_util.keystr(path, simple=True, separator='.'): leaf
    for path, leaf in leaves
  }
