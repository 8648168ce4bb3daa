"""Checkpoints: state, what it was made by, and the scores, kept by orbax.

A checkpoint has its name once all of it is on disk, and its digest with it: it
is whole or it is none. See integrity.py for what happens to it later, and
disk.py for where there is no room for one.
"""

import dataclasses
import json
import logging
import math
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy

from gemb import distributed
from gemb.model.embedder import Params
from gemb.train import disk, integrity
from gemb.train.state import TrainState

_PARTS = ('state', 'about')
_SCORES = 'metrics/metrics'  # orbax's name for their file
_UNFINISHED = '.orbax-checkpoint-tmp'  # after the step, while it is written
# What architectures were before there was a choice, and did not tell.
_BEFORE = {'pooling': 'mean', 'causal': False}
_OTHER_TREE = 'tree structures do not match'  # in what orbax says
_ALONE = 'parameters_alone'  # in what is said about such a checkpoint


@dataclasses.dataclass(frozen=True, kw_only=True)
class CheckpointConfig:
  """When checkpoints are written, and which are kept.

  Attributes:
    every_steps: between two of them; the last step always has one.
    keep_latest: so many of the newest.
    keep_best: so many with the highest `best_metric`, of those that have
      scores: of steps that EvalConfig.every_steps divides too, and the last.
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


class _Manager(ocp.CheckpointManager):
  """Orbax's, but that it does not ask JAX whether to stop.

  JAX keeps the last number that a process has asked with. `gemb.stopping`
  counts its calls; orbax would give the step, from another thread too.
  """

  def reached_preemption(self, step: int) -> bool:
    """Returns False."""
    return False


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
    self._keeps_scores = bool(config.best_metric)
    self._knows_scores = False  # those that are on disk
    self._writing = 0  # the step of what is being written
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
    self._manager = _Manager(
      self.folder,
      item_names=_PARTS,
      options=ocp.CheckpointManagerOptions(
        preservation_policy=preservation_policy.AnyPreservationPolicy(keep),
        # Without it orbax keeps scores in memory only, and after a restart
        # "best" would mean the best since then.
        best_fn=quality if metric else None,
        async_options=ocp.options.AsyncOptions(
          post_finalization_callback=self._write_digest
        ),
        cleanup_tmp_directories=clean,
        create=False,
        # No reader needs scores, and of a damaged checkpoint none are read.
        lightweight_initialize=True,
      ),
    )
    logging.getLogger('absl').addFilter(disk.UNLOGGED)

  def __enter__(self) -> 'Checkpoints':
    """Returns itself."""
    return self

  def __exit__(self, *_) -> None:
    """Waits for what is still being written.

    Raises:
      OSError: if the disk is full.
    """
    with disk.told(self.folder):
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

    Where its step has a checkpoint, it is that very state, and its scores alone
    are added.

    Args:
      state: its `step` names the checkpoint.
      about: anything that JSON holds.
      scores: of an evaluation of this state, if there was one.

    Raises:
      OSError: if the disk is full, maybe for the checkpoint before this one.
    """
    step = int(state.step)
    if step in self.steps():
      self._add_scores(step, scores or {})
    else:
      self._write(step, state, about, scores or {})

  def check_written(self) -> None:
    """Raises what the last write has failed with, if it has ended."""
    if not self._manager.is_saving_in_progress():
      with disk.told(self.folder):
        self._manager.wait_until_finished()

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

    Raises:
      OSError: if the disk is full.
    """
    self._write(step, {'params': params}, about | {_ALONE: True}, scores)

  def about(self, step: int) -> dict[str, Any]:
    """Returns what was saved about a checkpoint.

    Raises:
      ValueError: if there is none at this step, or it is seen to be damaged.
    """
    if step not in self.steps():
      raise ValueError(
        f'{self.folder} has no checkpoint of step {step}; it has '
        f'{self.steps() or "none"}.'
      )
    integrity.check_whole(self.folder, step, glance=True)
    args = ocp.args.Composite(about=ocp.args.JsonRestore())
    about = self._manager.restore(step, args=args)['about']
    if 'model' in about:
      about['model'] = _BEFORE | about['model']
    return about

  def restore(self, step: int, like: TrainState) -> TrainState:
    """Reads a state onto the shards of `like`, whatever mesh wrote it.

    That it is whole has been seen by `gemb.train.integrity.set_aside_damaged`.

    Args:
      step: of the checkpoint.
      like: shapes and shardings, from `gemb.train.state.abstract_state`.

    Raises:
      ValueError: if it holds parameters alone, or other arrays.
    """
    args = ocp.args.Composite(state=ocp.args.StandardRestore(like))
    try:
      return self._manager.restore(step, args=args)['state']
    except ValueError as error:
      if _OTHER_TREE not in str(error):
        raise
      if _ALONE in self.about(step):
        raise ValueError(
          f'{self.folder} holds parameters alone, as that of a soup does, and '
          'no training goes on from them; begin a new run, with Run.parent set '
          f'to {str(self.folder.parent)!r}.'
        ) from error
      raise ValueError(
        f'The checkpoint of step {step} in {self.folder} holds other arrays '
        'than this version of gemb trains; go on with the version that '
        f'{self.folder.parent}/about.json names, or begin a new run with '
        'Run.parent, which takes the parameters alone.'
      ) from error

  def restore_params(self, step: int, like: Params) -> Params:
    """Reads the parameters alone, a third of the bytes.

    Args:
      step: of the checkpoint.
      like: shapes and shardings, from `gemb.train.state.abstract_params`.

    Raises:
      ValueError: if the checkpoint is damaged.
      RuntimeError: if that was seen by another process.
    """
    with distributed.together():
      if distributed.is_first():
        integrity.check_whole(self.folder, step, glance=False)
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
    with disk.told(self.folder):
      self._begin_writing()
      self._writing = step
      self._manager.save(
        step,
        args=ocp.args.Composite(
          state=ocp.args.StandardSave(state), about=ocp.args.JsonSave(about)
        ),
        # Without any, orbax warns that it cannot tell which is best.
        metrics=scores,
        force=True,
      )

  def _begin_writing(self) -> None:
    """Waits for the checkpoint before, and looks for room for another."""
    self._manager.wait_until_finished()
    with distributed.together():
      if distributed.is_first():
        self.folder.mkdir(parents=True, exist_ok=True)
        disk.check_space(self.folder)
    if not self._knows_scores:
      self._manager.reload()
      self._knows_scores = True

  def _write_digest(self) -> None:
    """Is called by orbax, in the first process, just before it gives a name."""
    integrity.write_digest(self.folder / f'{self._writing}{_UNFINISHED}')

  def _add_scores(self, step: int, scores: dict[str, float]) -> None:
    """Writes scores beside a state that has none, which stays as it is."""
    if not (scores and self._keeps_scores):
      return
    with disk.told(self.folder):
      self._manager.wait_until_finished()
      with distributed.together():
        if distributed.is_first():
          integrity.replace_file(
            self.folder / str(step), _SCORES, json.dumps(scores)
          )
      self._manager.reload()
      self._knows_scores = True


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
