"""Memory and FLOPs on TPU slices, compiled ahead; tools/bench_plan starts it.

A row is a program and a slice. Losses are those of embeddings that are there,
with their gradients: width 3072, prefixes 768, 1536 and 3072, one hard negative
a query, equal queries and equal positives masked. Train steps are whole:
encoder, loss, gradient, clipping, AdamW. Rows that are done are not done again,
unless the code has changed since.
"""

import argparse
import dataclasses
import json
import os
import pathlib
from typing import Any

from gemb import config
from gemb.axes import AxisRules, MeshConfig
from gemb.losses.config import LossConfig
from gemb.plan.chips import Topology
from gemb.plan.compiler import Compiled, compile_program
from gemb.plan.flops import FORWARD_PASSES, loss_flops, step_flops
from gemb.plan.programs import LossProgram, Program, StepProgram
from gemb.plan.roofline import roofline

ROOT = pathlib.Path(__file__).parents[1]
RESULTS = ROOT / 'experiments/02_plan/results.json'
GIB = 2**30

MRL = (768, 1536, 3072)
# On the ring, whatever the batch; no batch of these rows is gathered.
LOSS: dict[str, Any] = {
  'temperature': 0.05,
  'dtype': 'bfloat16',
  'gather_up_to': 0,
}
# Every device meets all targets at once, in one tile: B x B / devices cosines.
DENSE: dict[str, Any] = {'tile': 2**30, 'gather_up_to': 2**30}
GEMMA3: dict[str, Any] = {
  'DataConfig.batch_size': 65536,
  'DataConfig.shapes': ((256, 256),),
  'Run.microbatch': 4096,
  'LossConfig.dtype': 'bfloat16',
  'LossConfig.gather_up_to': 0,
  'ComputeConfig.remat': 'none',
  'MeshConfig.data': -1,
  'MeshConfig.fsdp': 1,
}
GEMMA2 = GEMMA3 | {
  'DataConfig.shapes': ((512, 512),),
  'Run.microbatch': 1024,
  'LossConfig.prefixes': (768, 1536),
  'MeshConfig.data': 1,
  'MeshConfig.fsdp': -1,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
  """One program on one slice.

  Attributes:
    name: of the row.
    topology: the slice.
    program: what is compiled.
    bound: GiB of temporary memory a chip that it is to stay under; None: it is
      only to fit, or, for contrast, not to.
    flops_bound: times the model's own FLOPs that it is to stay under.
  """

  name: str
  topology: Topology
  program: Program
  bound: float | None = None
  flops_bound: float | None = None


def rows() -> list[Row]:
  """Returns all rows."""
  v5e_16 = Topology(name='v5e:4x4')
  v5e_256 = Topology(name='v5e:16x16')
  v5p_64 = Topology(name='v5p:4x4x4')
  return [
    loss_row('loss, 262,144 pairs', v5e_16, 2**18, bound=1.2),
    loss_row('loss, 1,048,576 pairs', v5e_16, 2**20, bound=4.5),
    loss_row('loss, 16,777,216 pairs', v5e_256, 2**24, bound=4.5),
    loss_row(
      'loss, 262,144 pairs, one prefix', v5e_16, 2**18, prefixes=(3072,)
    ),
    loss_row(
      'loss, 262,144 pairs, width 768, dense',
      v5e_16,
      2**18,
      prefixes=(768,),
      **DENSE,
    ),
    Row(
      name='step, Gemma 3 270M, 65,536 pairs of 256 tokens',
      topology=v5e_256,
      program=step(GEMMA3),
      flops_bound=1.4,
    ),
    Row(
      name='step, Gemma 2 2B, 65,536 pairs of 512 tokens',
      topology=v5p_64,
      program=step(GEMMA2, 'configs/model/gemma2_2b.gin'),
      flops_bound=1.4,
    ),
  ]


def loss_row(
  name: str,
  topology: Topology,
  pairs: int,
  *,
  prefixes: tuple[int, ...] = MRL,
  bound: float | None = None,
  **switches: Any,
) -> Row:
  """Returns a row of the loss alone."""
  program = LossProgram(
    loss=LossConfig(prefixes=prefixes, **(LOSS | switches)),
    pairs=pairs,
    width=prefixes[-1],
    hard_negatives=1,
    mesh=MeshConfig(),
    rules=AxisRules(),
  )
  return Row(name=name, topology=topology, program=program, bound=bound)


def step(bindings: dict[str, Any], *models: str) -> StepProgram:
  """Returns the train step of 05_gemma3_270m with another batch or model."""
  run, _ = config.load(
    ['configs/run/05_gemma3_270m.gin', *models],
    [f'{name}={value!r}' for name, value in bindings.items()],
  )
  return StepProgram(run=run)


def main() -> None:
  """Compiles, and prints the table."""
  os.environ['JAX_PLATFORMS'] = 'cpu'  # libtpu is the compiling process's
  options = parse_arguments()
  known = read_results()
  for row in rows():
    if not row.name.startswith(options.rows):
      continue
    compiled = compile_program(row.program, row.topology, say=progress)
    known[row.name] = facts(row, compiled)
    write_results(known)
  print(table([known[row.name] for row in rows() if row.name in known]))
  print(contrast(known))


def parse_arguments() -> argparse.Namespace:
  """Reads the command line."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument(
    '--rows', default='', help='only those whose name begins so'
  )
  return parser.parse_args()


def progress(line: str) -> None:
  """Prints what takes long."""
  print(line, flush=True)


def read_results() -> dict[str, dict[str, Any]]:
  """Returns the rows that were written before, by name."""
  if not RESULTS.is_file():
    return {}
  found = json.loads(RESULTS.read_text(encoding='utf-8'))
  return {row['name']: row for row in found}


def write_results(known: dict[str, dict[str, Any]]) -> None:
  """Writes the rows, one an object."""
  RESULTS.parent.mkdir(parents=True, exist_ok=True)
  names = [row.name for row in rows() if row.name in known]
  text = json.dumps([known[name] for name in names], indent=1)
  RESULTS.write_text(f'{text}\n', encoding='utf-8')


def facts(row: Row, compiled: Compiled) -> dict[str, Any]:
  """Returns what was found of a row, as JSON."""
  pairs, own = own_flops(row.program)
  found = {
    'name': row.name,
    'topology': str(row.topology),
    'chips': row.topology.chips,
    'fits': compiled.fits,
    'needed_gib': compiled.needed / GIB,
    'capacity_gib': compiled.capacity / GIB,
    'bound_gib': row.bound,
    'flops_bound': row.flops_bound,
  }
  if not compiled.fits:
    return found
  bounds = roofline(compiled, row.topology, own_flops=own, pairs=pairs)
  return found | {
    'temporary_gib': compiled.stated_temporary / GIB,
    'temporary_hbm_gib': compiled.temporary / GIB,
    'arguments_gib': compiled.arguments / GIB,
    'parts_gib': {k: v / GIB for k, v in compiled.parts.items()},
    'flops': bounds.flops,
    'own_flops': own,
    'flops_ratio': bounds.flops / own,
    'times': bounds.times,
    'pairs_per_second': bounds.pairs_per_second,
    'mfu': bounds.mfu,
    'compile_seconds': compiled.seconds,
    'not_counted': list(compiled.unknown),
  }


def own_flops(program: Program) -> tuple[int, int]:
  """Returns the pairs of a step, and the FLOPs that its equations take."""
  if isinstance(program, LossProgram):
    own = loss_flops(program.loss, program.pairs, program.hard_negatives)
    return program.pairs, FORWARD_PASSES * own
  run = program.run
  own = step_flops(run.model, run.loss, run.data, program.tokens)
  return run.data.batch_size, sum(own)


def table(found: list[dict[str, Any]]) -> str:
  """Returns the rows as a table in Markdown."""
  lines = [
    '| program | slice | temporary, GiB a chip | at most | all, of GiB | '
    "FLOPs / the model's own | at least, s | by | compiled in, s |",
    '|---|---|---:|---:|---|---:|---:|---|---:|',
  ]
  for row in found:
    head = f'| {row["name"]} | {row["topology"]} '
    of = f'{row["needed_gib"]:.2f} of {row["capacity_gib"]:.2f}'
    if not row['fits']:
      lines.append(f'{head}| – | – | {of}: does not fit | – | – | – | – |')
      continue
    bound = f'{row["bound_gib"]:g}' if row['bound_gib'] else '–'
    by = max(row['times'], key=row['times'].__getitem__)
    lines.append(
      f'{head}| {row["temporary_gib"]:.2f} | {bound} | {of} | '
      f'{row["flops_ratio"]:.3f} | {row["times"][by]:.3g} | {by} | '
      f'{row["compile_seconds"]:.0f} |'
    )
  return '\n'.join(lines)


def contrast(known: dict[str, dict[str, Any]]) -> str:
  """Returns what three prefixes take beside one."""
  three = known.get('loss, 262,144 pairs')
  one = known.get('loss, 262,144 pairs, one prefix')
  if not (three and one and three['fits'] and one['fits']):
    return ''
  ratio = three['flops'] / one['flops']
  return f'\nThree prefixes take {ratio:.3f} times the FLOPs of one.'


if __name__ == '__main__':
  main()
