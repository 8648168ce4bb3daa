"""What made a run: versions, machine, command line and commit."""

import importlib.metadata
import os
import pathlib
import platform
import shlex
import subprocess
import sys

import jax

_PACKAGES = (
  'gemb',
  'jax',
  'jaxlib',
  'flax',
  'optax',
  'orbax-checkpoint',
  'numpy',
  'sentencepiece',
)


def about_run() -> dict[str, str | int | dict[str, str]]:
  """Returns what a run's folder and checkpoints say about their making.

  No names of users or hosts: a model is passed on.
  """
  devices = jax.devices()
  command = shlex.join(['gemb', *sys.argv[1:]])
  return {
    'command': command.replace(f'{pathlib.Path.home()}/', '~/'),
    'commit': _commit(),
    'python': platform.python_version(),
    'versions': {name: importlib.metadata.version(name) for name in _PACKAGES},
    'device': devices[0].device_kind,
    'devices': len(devices),
    'hosts': jax.process_count(),
    'cpus': os.cpu_count() or 0,
  }


def _commit() -> str:
  """Returns the commit that gemb runs from, or why it is not known."""
  folder = pathlib.Path(__file__).resolve().parent
  command = ['git', '-C', str(folder), 'describe', '--always', '--dirty']
  try:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
  except (OSError, subprocess.CalledProcessError):
    return 'not a git checkout'
  return done.stdout.strip()
