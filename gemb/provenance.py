"""What made a run: versions, machine, command line, commit and data."""

import hashlib
import importlib.metadata
import json
import os
import pathlib
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import jax

# `git archive` puts the commit there (.gitattributes), as a machine's code has
# no .git.
_ARCHIVED = '$Format:%H$'
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


def about_data(identity: Mapping[str, Any]) -> dict[str, Any]:
  """Returns the seed of a run and the fingerprints of its data.

  Args:
    identity: what all batches depend on, as the loader tells it.

  Returns:
    'seed', and 'fingerprint' with the sha256 of all that, of the tokenizer, and
    of each task: its tokenised records and the prompts that they are read with.
  """

  def sha256(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()

  tasks = {
    task: sha256({k: v for k, v in told.items() if k != 'rate'})
    for task, told in identity['tasks'].items()
  }
  return {
    'seed': identity['seed'],
    'fingerprint': {
      'data': sha256(identity),
      'tokenizer': identity['tokenizer'],
      'tasks': tasks,
    },
  }


def _commit() -> str:
  """Returns the commit that gemb runs from, or why it is not known."""
  if not _ARCHIVED.startswith('$'):
    return _ARCHIVED
  folder = pathlib.Path(__file__).resolve().parent
  command = ['git', '-C', str(folder), 'describe', '--always', '--dirty']
  try:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
  except (OSError, subprocess.CalledProcessError):
    return 'not a git checkout'
  return done.stdout.strip()
