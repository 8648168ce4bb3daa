"""What is printed: whether it fits, what takes the memory, what it costs."""

from collections.abc import Sequence

from gemb.axes import mesh_sizes
from gemb.plan.chips import Topology
from gemb.plan.compiler import Compiled
from gemb.plan.memory import PARTS
from gemb.plan.programs import StepProgram
from gemb.plan.roofline import Roofline
from gemb.plan.sharding import Held

_GIB = 2**30


def headline(program: StepProgram, topology: Topology) -> str:
  """Returns what is planned, in a line."""
  run = program.run
  sizes = mesh_sizes(run.mesh, topology.chips)
  mesh = ' x '.join(f'{name}={size}' for name, size in sizes.items())
  lengths = ' and '.join(map(str, run.data.shapes[-1]))
  rows = (
    f'queries and passages of {lengths} tokens'
    if run.data.packing is None
    else f'rows of {run.data.packing.row_length} tokens'
  )
  return (
    f'{run.data.batch_size:,} pairs with {run.data.hard_negatives} hard '
    f'negatives, {rows}, microbatch {run.microbatch:,}, on {topology} '
    f'({topology.chips:,} chips), mesh {mesh}.'
  )


def fits(compiled: Compiled) -> str:
  """Returns whether it fits, and by how much, in a sentence."""
  needed, capacity = compiled.needed / _GIB, compiled.capacity / _GIB
  if compiled.fits:
    return (
      f'It fits: {needed:.2f} of {capacity:.2f} GiB a chip, '
      f'{capacity - needed:.2f} GiB ({1 - needed / capacity:.0%}) are left.'
    )
  return (
    f'It does not fit: the compiler needs {needed:.2f} GiB a chip and has '
    f'{capacity:.2f} GiB. Lower Run.microbatch, split parameters over more '
    'devices (MeshConfig.fsdp), or have it look: --search=batch.'
  )


def memory_table(compiled: Compiled, held: Sequence[Held]) -> str:
  """Returns what takes a chip's memory.

  State and batch are exact. Whose the temporary memory is, is told for the
  moment when most of it is in use, by the code that made what lies there.
  """
  sums = {'parameters': 0, 'optimizer': 0, 'batch': 0}
  for array in held:
    sums[array.part] += array.bytes
  padding = compiled.arguments - sum(sums.values())
  rows = [
    ('parameters', sums['parameters']),
    ('optimizer state', sums['optimizer']),
    ('batch', sums['batch']),
    ('padding of these to tiles', padding),
    ('results', compiled.outputs),
    ('program', compiled.code),
    ('temporary', compiled.temporary),
  ]
  shown = {
    'parameters': 'of it parameters, gathered or rounded',
    'gradients': 'of it gradients',
    'optimizer': 'of it optimizer',
    'activations': 'of it activations',
    'loss': 'of it loss',
    'collectives': 'of it collectives',
    'other': 'of it other, and gaps',
  }
  rows += [
    (shown[part], compiled.parts[part])
    for part in PARTS
    if part in compiled.parts
  ]
  lines = [f'{name:40}{bytes_ / _GIB:9.3f} GiB' for name, bytes_ in rows]
  return '\n'.join(lines)


def speed(bounds: Roofline, own: tuple[int, int], compiled: Compiled) -> str:
  """Returns FLOPs, the least time and what bounds it."""
  encoder, loss = own
  times = ', '.join(f'{name} {s:.3g} s' for name, s in bounds.times.items())
  lines = [
    f'FLOPs of a step: {bounds.flops:.3e}, {bounds.flops / sum(own):.3f} times '
    f"the model's own {sum(own):.3e} (encoder {encoder:.3e}, loss {loss:.3e}).",
    f'XLA counts each loop once: {compiled.stated_flops:.3e} a chip, where '
    f'{compiled.flops:.3e} are computed.',
    f'Least time of a step, by {bounds.bound}: {bounds.seconds:.3g} s ({times}'
    f').',
    f'At most {bounds.pairs_per_second:,.0f} pairs a second, with an MFU of '
    f'{bounds.mfu:.1%}.',
  ]
  if bounds.network_unknown:
    lines.append(
      'What crosses slices is not counted: its rate is not published.'
    )
  lines += [f'Not counted: {what}.' for what in compiled.unknown]
  return '\n'.join(lines)


def cost(bounds: Roofline, pairs: int, price: float | None) -> str:
  """Returns the least time and price of so many pairs."""
  hours = pairs / bounds.pairs_per_second / 3600
  line = (
    f'{pairs:,} pairs take at least {hours:,.2f} hours, '
    f'{hours * bounds.chips:,.1f} chip-hours'
  )
  if price is None:
    return f'{line}. --price=DOLLARS a chip-hour tells what they cost.'
  return f'{line}: ${bounds.cost(pairs, price):,.2f} at ${price:g} a chip-hour.'


def sharding_table(held: Sequence[Held]) -> str:
  """Returns a row for each array, totals, and what is replicated."""
  head = ('array', 'shape', 'axes', 'split over', 'MiB a device', 'copies')
  rows = [head, *(_sharding_row(array) for array in held)]
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
  lines = [
    '  '.join(
      cell.rjust(width) if i > 3 else cell.ljust(width)
      for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ).rstrip()
    for row in rows
  ]
  for part in ('parameters', 'optimizer', 'batch'):
    mine = [array for array in held if array.part == part]
    lines.append(
      f'{part}: {sum(a.bytes for a in mine) / 2**20:,.1f} MiB a device'
    )
  whole = [array for array in held if array.is_replicated]
  lines.append(
    'Whole on every device (marked *), of 1 MiB or more: '
    f'{", ".join(f"{a.part}{a.name}" for a in whole)}.'
    if whole
    else 'No array of 1 MiB or more is whole on every device.'
  )
  return '\n'.join(lines)


def _sharding_row(array: Held) -> tuple[str, ...]:
  split = [
    f'{axis}: {"+".join(over)}'
    for axis, over in zip(
      (*array.logical, *map(str, range(len(array.shape)))),
      array.split,
      strict=False,
    )
    if over
  ]
  mark = ' *' if array.is_replicated else ''
  return (
    f'{array.part}{array.name}',
    f'{array.dtype}[{",".join(map(str, array.shape))}]',
    ' '.join(str(name) for name in array.logical) or '-',
    ', '.join(split) or '-',
    f'{array.bytes / 2**20:,.3f}',
    f'{array.copies}{mark}',
  )
