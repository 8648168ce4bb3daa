"""Looks for the largest batch that fits, or for the setting that is fastest.

From the run's own setting one thing is changed at a time, by a power of two:
what fits and is better is kept. Compiling takes a minute or more, so what
shapes alone exclude is not compiled: a mesh that does not divide something,
parameters and optimizer state that fill the chip.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from gemb.axes import Layout, MeshConfig, mesh_sizes
from gemb.plan.chips import Topology
from gemb.plan.compiler import Compiled
from gemb.plan.flops import step_flops
from gemb.plan.programs import StepProgram
from gemb.plan.roofline import roofline
from gemb.plan.sharding import abstract_layout, held_arrays
from gemb.run import Run

GAIN = 0.99  # of the time; less of a gain is none
_REMAT = ('none', 'dots', 'layers')

Compile = Callable[[StepProgram], Compiled]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
  """What is searched over; all else is the run's.

  Attributes:
    batch: pairs in a step.
    microbatch: texts or rows encoded at once over the whole mesh.
    remat: what the backward pass computes anew.
    mesh: devices along (data, fsdp, tensor).
    tile: of the loss.
  """

  batch: int
  microbatch: int
  remat: str
  mesh: tuple[int, int, int]
  tile: int

  @classmethod
  def of(cls, run: Run, topology: Topology) -> 'Setting':
    """Returns a run's own."""
    sizes = mesh_sizes(run.mesh, topology.chips)
    return cls(
      batch=run.data.batch_size,
      microbatch=run.microbatch,
      remat=run.compute.remat,
      mesh=(sizes['data'], sizes['fsdp'], sizes['tensor']),
      tile=run.loss.tile,
    )

  def apply(self, run: Run) -> Run:
    """Returns the run with this setting.

    Raises:
      ValueError: if a part of the run excludes it.
    """
    data, fsdp, tensor = self.mesh
    replace: Any = dataclasses.replace
    return replace(
      run,
      microbatch=self.microbatch,
      data=replace(run.data, batch_size=self.batch),
      compute=replace(run.compute, remat=self.remat),
      mesh=MeshConfig(data=data, fsdp=fsdp, tensor=tensor),
      loss=replace(run.loss, tile=self.tile),
    )

  def bindings(self) -> list[str]:
    """Returns the arguments of `gemb train` that make a run have it."""
    data, fsdp, tensor = self.mesh
    return [
      f'--gin.DataConfig.batch_size={self.batch}',
      f'--gin.Run.microbatch={self.microbatch}',
      f'--gin.ComputeConfig.remat="\'{self.remat}\'"',
      f'--gin.MeshConfig.data={data}',
      f'--gin.MeshConfig.fsdp={fsdp}',
      f'--gin.MeshConfig.tensor={tensor}',
      f'--gin.LossConfig.tile={self.tile}',
    ]

  def __str__(self) -> str:
    """Returns it in a line."""
    mesh = ' x '.join(map(str, self.mesh))
    return (
      f'batch {self.batch:,}, microbatch {self.microbatch:,}, remat '
      f'{self.remat}, mesh {mesh}, tile {self.tile:,}'
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Judged:
  """A setting, and what came of it.

  Attributes:
    setting: that was tried.
    compiled: what the compiler made of it; None where it was not asked.
    seconds: a step, at least.
    reason: why the compiler was not asked.
  """

  setting: Setting
  compiled: Compiled | None = None
  seconds: float = float('inf')
  reason: str = ''

  @property
  def fits(self) -> bool:
    """Whether the setting can be trained with."""
    return self.compiled is not None and self.compiled.fits

  def __str__(self) -> str:
    """Returns it in a line."""
    if self.compiled is None:
      return f'{self.setting}: not compiled, {self.reason}'
    share = self.compiled.needed / self.compiled.capacity
    if not self.fits:
      return f'{self.setting}: does not fit ({share:.2f} of the memory)'
    pairs = self.setting.batch / self.seconds
    return (
      f'{self.setting}: {share:.0%} of the memory, at most {pairs:,.0f} pairs '
      'a second'
    )


class Search:
  """Tries settings, each once, and tells of each."""

  def __init__(
    self,
    program: StepProgram,
    topology: Topology,
    compile_step: Compile,
    say: Callable[[str], None],
  ):
    """Prepares; compiles nothing."""
    self._program = program
    self._topology = topology
    self._compile = compile_step
    self._say = say
    self._judged: dict[Setting, Judged] = {}
    self._state: dict[tuple[int, ...], int] = {}
    self._start = Setting.of(program.run, topology)

  def fastest(self) -> Judged:
    """Returns the setting of the least time a step, the batch kept."""
    best = self._fitting(self._start)
    for moves in (_microbatches, _remats, _meshes, _tiles):
      best = self._climb(best, moves)
    return best

  def largest(self) -> Judged:
    """Returns the setting of the largest batch, in powers of two."""
    best = self._fitting(self._start)
    while True:
      larger = dataclasses.replace(best.setting, batch=2 * best.setting.batch)
      tried = self._judge(larger)
      if not tried.fits:
        tried = self._lighter(larger)
      if not tried.fits:
        return best
      best = tried

  def _climb(
    self, best: Judged, moves: Callable[[Setting], Iterator[Setting]]
  ) -> Judged:
    """Returns the best that moves of one kind lead to."""
    better = True
    while better:
      better = False
      for setting in moves(best.setting):
        tried = self._judge(setting)
        if tried.fits and tried.seconds < GAIN * best.seconds:
          best, better = tried, True
          break
    return best

  def _fitting(self, setting: Setting) -> Judged:
    """Returns a setting, or one that takes less memory, which fits.

    Raises:
      ValueError: if none does.
    """
    tried = self._judge(setting)
    if not tried.fits:
      tried = self._lighter(setting)
    if not tried.fits:
      raise ValueError(
        f'No setting of {setting.batch:,} pairs fits {self._topology}; choose '
        'a larger slice or a smaller DataConfig.batch_size.'
      )
    return tried

  def _lighter(self, setting: Setting) -> Judged:
    """Returns the first that fits of those that take less and less memory."""
    tried = Judged(setting=setting)
    for lighter in self._reductions(setting):
      tried = self._judge(lighter)
      if tried.fits:
        return tried
    return tried

  def _reductions(self, setting: Setting) -> Iterator[Setting]:
    data, fsdp, tensor = setting.mesh
    rows = data * fsdp
    while setting.microbatch % 2 == 0 and setting.microbatch // 2 >= rows:
      setting = dataclasses.replace(setting, microbatch=setting.microbatch // 2)
      yield setting
    if setting.remat != 'layers':
      setting = dataclasses.replace(setting, remat='layers')
      yield setting
    while data % 2 == 0 and data // 2 >= self._topology.slices:
      data, fsdp = data // 2, fsdp * 2
      yield dataclasses.replace(setting, mesh=(data, fsdp, tensor))

  def _judge(self, setting: Setting) -> Judged:
    if setting not in self._judged:
      self._judged[setting] = self._try(setting)
      self._say(str(self._judged[setting]))
    return self._judged[setting]

  def _try(self, setting: Setting) -> Judged:
    try:
      run = setting.apply(self._program.run)
      program = dataclasses.replace(self._program, run=run)
      layout = abstract_layout(program, self._topology)
      state = self._state_bytes(program, layout)
    except ValueError as error:
      return Judged(setting=setting, reason=str(error))
    if state > self._topology.chip.memory:
      reason = f'{state / 2**30:.1f} GiB a chip of parameters and their moments'
      return Judged(setting=setting, reason=reason)
    compiled = self._compile(program)
    if not compiled.fits:
      return Judged(setting=setting, compiled=compiled)
    own = step_flops(run.model, run.loss, run.data, self._program.tokens)
    bounds = roofline(
      compiled, self._topology, own_flops=sum(own), pairs=setting.batch
    )
    return Judged(setting=setting, compiled=compiled, seconds=bounds.seconds)

  def _state_bytes(self, program: StepProgram, layout: Layout) -> int:
    """Returns what a chip holds of the state, which only the mesh decides."""
    mesh = tuple(layout.mesh.shape.values())
    if mesh not in self._state:
      held = held_arrays(program, layout)
      parts = [array.bytes for array in held if array.part != 'batch']
      self._state[mesh] = sum(parts)
    return self._state[mesh]


def _microbatches(setting: Setting) -> Iterator[Setting]:
  if setting.microbatch < setting.batch:
    yield dataclasses.replace(setting, microbatch=2 * setting.microbatch)
  yield dataclasses.replace(setting, microbatch=setting.microbatch // 2)


def _remats(setting: Setting) -> Iterator[Setting]:
  for remat in _REMAT:
    if remat != setting.remat:
      yield dataclasses.replace(setting, remat=remat)


def _meshes(setting: Setting) -> Iterator[Setting]:
  data, fsdp, tensor = setting.mesh
  for mesh in (
    (2 * data, fsdp // 2, tensor) if fsdp % 2 == 0 else None,
    (data // 2, 2 * fsdp, tensor) if data % 2 == 0 else None,
    (data // 2, fsdp, 2 * tensor) if data % 2 == 0 else None,
    (2 * data, fsdp, tensor // 2) if tensor % 2 == 0 else None,
  ):
    if mesh:
      yield dataclasses.replace(setting, mesh=mesh)


def _tiles(setting: Setting) -> Iterator[Setting]:
  for tile in (setting.tile * 2, setting.tile // 2):
    yield dataclasses.replace(setting, tile=tile)
