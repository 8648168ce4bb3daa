"""gemb certify: whether a run's gradients are right, before it is paid for."""

import argparse
import os
import sys
from typing import Any

from gemb.certify import FAULTS
from gemb.commands.arguments import EXAMPLE, add_command, load_run

_DEVICES = 8
# The last two only save compile time, which is most of the time here.
_XLA_FLAGS = (
  f'--xla_force_host_platform_device_count={_DEVICES}',
  '--xla_backend_optimization_level=0',
  '--xla_cpu_use_fusion_emitters=false',
)


def add(to) -> None:
  """Adds this command."""
  command = add_command(
    to,
    certify,
    'certify',
    'Compare loss and gradients of a run, on 1 to 8 simulated devices, with a '
    'plain model and loss on one in float64. It needs no data and takes '
    'minutes: sizes are made small, and it is said which.',
    f'--gin_file={EXAMPLE} --gin.LossConfig.temperature=0.02',
    files=True,
  )
  command.add_argument(
    '--workdir', metavar='DIR', help='write certificate.md and .json there too'
  )
  command.add_argument(
    '--full',
    action='store_true',
    help='keep all sizes, if there is the memory; float32 only',
  )
  faults = '; '.join(f'{name}: {what}' for name, what in FAULTS.items())
  command.add_argument(
    '--fault',
    choices=FAULTS,
    metavar='NAME',
    help=f'plant a mistake, to see that it is noticed. {faults}',
  )


def certify(options: argparse.Namespace) -> None:
  """Compares a run's path with the reference; raises unless they agree."""
  if options.fault and options.workdir:
    raise ValueError(
      f'--fault={options.fault} breaks gemb on purpose, which says nothing of '
      'the run; leave out --workdir.'
    )
  _simulate_devices()
  run, text = load_run(options)
  from gemb.certify import measure

  made = _make_workdir(options.workdir, run) if options.workdir else None
  certificate = measure.certify(
    run,
    full=options.full,
    fault=options.fault,
    tell=lambda row: print(row, flush=True),
  )
  print(f'\n{certificate.to_markdown()}', end='')
  if made:
    certificate.write(made.root, text)
  certificate.check()


def _make_workdir(path: str, run: Any) -> Any:
  """Returns the folder of this run, begun or not."""
  from gemb import config, workdir

  made = workdir.make_workdir(path)
  if made.config.is_file() and config.load([str(made.config)])[0] != run:
    raise ValueError(
      f'{made.root} holds another run than --gin_file describes; name its '
      f'{made.config.name}, or choose another --workdir.'
    )
  return made


def _simulate_devices() -> None:
  """Has JAX simulate devices, unless it has started already."""
  if 'jax' in sys.modules:
    return
  flags = [os.environ.get('XLA_FLAGS', ''), *_XLA_FLAGS]
  os.environ['XLA_FLAGS'] = ' '.join(flags)
  os.environ['JAX_PLATFORMS'] = 'cpu'
