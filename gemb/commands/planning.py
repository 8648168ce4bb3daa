"""gemb plan: what a run needs and costs on a TPU slice that is not there."""

import argparse
import dataclasses
import os

from gemb.commands.arguments import add_command, load_run, positive


def add(to) -> None:
  """Adds this command."""
  command = add_command(
    to,
    plan,
    'plan',
    "Compile a run's train step for a TPU slice, without a TPU: whether it "
    'fits, what takes the memory, how fast it can be at most, and what it '
    'costs. It takes minutes; answers are kept in plans/ of the data folder. '
    'Where tasks have batch sizes of their own, it is for the largest.',
    '--gin_file=configs/run/05_gemma3_270m.gin --topology=v5e:4x4 --price=1.2',
    files=True,
  )
  add_option = command.add_argument
  add_option(
    '--topology',
    required=True,
    metavar='CHIP:SIDES',
    help='a slice of v4, v5e, v5p or v6e, such as v5e:16x16 or v5p:4x4x4',
  )
  add_option(
    '--slices',
    type=positive,
    default=1,
    help='how many slices of that shape (1)',
  )
  add_option(
    '--price',
    type=float,
    metavar='DOLLARS',
    help='price of a chip for an hour',
  )
  add_option(
    '--pairs',
    type=positive,
    help='how many pairs the run is to train on, for the cost; by default '
    'those of Run.steps',
  )
  add_option(
    '--tokens',
    type=positive,
    help='tokens of a text on average, where texts share rows; by default '
    'those of the longest',
  )
  add_option(
    '--show_sharding',
    action='store_true',
    help='show how each array is split instead; compiles nothing',
  )
  add_option(
    '--search',
    choices=('batch', 'speed'),
    help='look for the largest batch, or the fastest setting, over microbatch, '
    'remat, mesh and tile, of one batch size for all tasks; compiles ten times '
    'or more',
  )


def plan(options: argparse.Namespace) -> None:
  """Tells what a run needs and costs."""
  # Otherwise JAX would look for a TPU, and so take the lock of libtpu from the
  # process that is to compile.
  os.environ['JAX_PLATFORMS'] = 'cpu'
  from gemb.plan import report
  from gemb.plan.chips import Topology

  topology = Topology(name=options.topology, slices=options.slices)
  run, _ = load_run(options)
  from gemb.data.planning import pairs_until
  from gemb.plan import sharding
  from gemb.plan.programs import StepProgram

  program = StepProgram(run=run, tokens=options.tokens)
  layout = sharding.abstract_layout(program, topology)  # for every batch size
  largest = dataclasses.replace(run, data=run.data.of_largest_batch())
  program = dataclasses.replace(program, run=largest)
  print(report.headline(program, topology))
  if options.show_sharding:
    print(report.sharding_table(sharding.held_arrays(program, layout)))
    return
  if options.search:
    program = _search(program, topology, options.search)
  pairs = options.pairs or pairs_until(run.data, run.steps, seed=run.seed)
  _tell(program, topology, pairs, options.price)


def _search(program, topology, goal: str):
  from gemb.plan.compiler import compile_program
  from gemb.plan.search import Search

  def tell(line: str) -> None:
    print(line, flush=True)

  search = Search(
    program,
    topology,
    lambda each: compile_program(each, topology, say=tell),
    tell,
  )
  best = search.largest() if goal == 'batch' else search.fastest()
  what = 'Largest batch' if goal == 'batch' else 'Fastest'
  print(f'\n{what}: {best.setting}\n  {" ".join(best.setting.bindings())}\n')
  return dataclasses.replace(program, run=best.setting.apply(program.run))


def _tell(program, topology, pairs: int, price: float | None) -> None:
  """Compiles, and prints all that is found."""
  from gemb.plan import report, sharding
  from gemb.plan.compiler import compile_program
  from gemb.plan.flops import step_flops
  from gemb.plan.roofline import roofline

  run = program.run
  layout = sharding.abstract_layout(program, topology)
  held = sharding.held_arrays(program, layout)
  compiled = compile_program(program, topology)
  print(report.fits(compiled))
  if not compiled.fits:
    return
  own = step_flops(run.model, run.loss, run.data, program.tokens)
  bounds = roofline(
    compiled, topology, own_flops=sum(own), pairs=run.data.batch_size
  )
  print(f'\n{report.memory_table(compiled, held)}\n')
  print(report.speed(bounds, own, compiled))
  print(report.cost(bounds, pairs, price))
