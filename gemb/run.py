"""Run: one frozen tree that describes one run, and nothing outside it does."""

import dataclasses
from typing import Literal

from gemb.axes import AxisRules, Layout, MeshConfig
from gemb.data.config import DataConfig
from gemb.evals.suite import EvalConfig, score_names
from gemb.losses.config import LossConfig, check_prefixes
from gemb.model.config import ComputeConfig, EmbedderConfig
from gemb.model.from_decoder import PretrainedConfig
from gemb.tracking.config import TrackingConfig
from gemb.train.checkpoints import CheckpointConfig
from gemb.train.guard import GuardConfig
from gemb.train.optimizer import OptimizerConfig, check_warmup
from gemb.workdir import ParentConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
  """Everything that a training run depends on, but the machine.

  Attributes:
    stage: of the report's recipe (arXiv:2503.07891, section 3.3): prefinetune
      on many noisy pairs, without hard negatives; or finetune on task
      mixtures with them.
    steps: updates.
    seed: of the initial parameters and of the order of the examples.
    microbatch: texts encoded at once over the whole mesh, or rows of packed
      texts; activations take memory for so many.
    log_every_steps: between two lines of metrics.
    model: the embedder.
    compute: by which kernel attention is computed, and what is kept for the
      backward pass.
    pretrained: the decoder that it starts from.
    parent: the other run that it starts from, as finetuning does from
      pre-finetuning. Neither: random parameters.
    data: tasks, prompts, tokenizer and batches.
    loss: temperature and MRL prefixes.
    optimizer: learning rate and decay.
    guard: what becomes of a step whose loss or gradient is not as it should be.
    checkpoints: when and which.
    evaluation: held-out tasks.
    tracking: services that get the metrics, beside the work folder.
    mesh: devices along each mesh axis.
    rules: the mesh axes that split each logical axis.
  """

  stage: Literal['prefinetune', 'finetune']
  steps: int
  seed: int = 0
  microbatch: int
  log_every_steps: int = 10
  model: EmbedderConfig
  compute: ComputeConfig = ComputeConfig()
  pretrained: PretrainedConfig | None = None
  parent: ParentConfig | None = None
  data: DataConfig
  loss: LossConfig
  optimizer: OptimizerConfig
  guard: GuardConfig = dataclasses.field(default_factory=GuardConfig)
  checkpoints: CheckpointConfig
  evaluation: EvalConfig
  tracking: TrackingConfig = dataclasses.field(default_factory=TrackingConfig)
  mesh: MeshConfig
  rules: AxisRules

  def __post_init__(self):
    for name in ('steps', 'microbatch', 'log_every_steps'):
      if getattr(self, name) < 1:
        raise ValueError(
          f'Run.{name} is {getattr(self, name)}; it must be at least 1.'
        )
    if self.stage == 'prefinetune' and self.data.hard_negatives:
      raise ValueError(
        f"Run.stage is 'prefinetune', which has no hard negatives, but "
        f'DataConfig.hard_negatives is {self.data.hard_negatives}; set it to '
        "0, or the stage to 'finetune'."
      )
    if self.pretrained and self.parent:
      raise ValueError(
        f'Run.pretrained is {self.pretrained.path} and Run.parent '
        f'{self.parent.workdir}: a run starts from one of them. Remove one.'
      )
    check_warmup(self.optimizer, self.steps)
    if self.data.packing is None:
      self._check_microbatch()
    packing = self.data.packing
    self.compute.check_lengths(
      (packing.row_length,) if packing else self.data.lengths
    )
    check_prefixes(self.loss.prefixes, self.model.embedding_width)
    if bool(self.loss.distillation) != (self.data.teacher is not None):
      raise ValueError(
        f'LossConfig.distillation is {self.loss.distillation} and '
        f'DataConfig.teacher is {self.data.teacher!r}; give the weight and the '
        'folder of vectors, or neither.'
      )
    held_out = set(self.evaluation.tasks)
    if missing := sorted(held_out - set(self.data.held_out)):
      raise ValueError(
        f'EvalConfig names {missing}, which DataConfig.held_out does not: '
        'training data would not be cleared of their texts. Add them there.'
      )

  def check_layout(self, layout: Layout) -> None:
    """Raises ValueError unless the mesh divides batch and microbatch."""
    for name in ('batch', 'pairs'):
      for setting, size in self.data.sizes.items():
        layout.check_divides(name, size, setting)
    layout.check_divides('batch', self.microbatch, 'Run.microbatch')

  def check_best_metric(self) -> None:
    """Raises ValueError unless an evaluation gives the best metric."""
    known = score_names(self.evaluation, self.loss.prefixes)
    metric = self.checkpoints.best_metric
    if metric and metric not in known:
      raise ValueError(
        f'CheckpointConfig.best_metric is {metric!r}, which no evaluation '
        f'gives; choose one of {known}.'
      )

  def _check_microbatch(self) -> None:
    """Raises ValueError unless it makes equal parts of every batch's texts."""
    R = self.data.hard_negatives
    for setting, B in self.data.sizes.items():
      if self.microbatch < B and B % self.microbatch:
        raise ValueError(
          f'Run.microbatch={self.microbatch} must divide {setting}={B}.'
        )
      parts = -(-B * R // self.microbatch)
      if parts and B * R % parts:
        raise ValueError(
          f'{setting}={B} pairs have {B * R} hard negatives, which make no '
          f'{parts} equal parts of at most Run.microbatch={self.microbatch} '
          f'texts; choose a microbatch that divides {B}, or one of {B * R}.'
        )
