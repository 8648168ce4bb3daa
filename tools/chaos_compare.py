"""What two runs have ended with, compared: state and metrics."""

import contextlib
import pathlib
from collections.abc import Iterable, Mapping

import jax
import numpy as np
import orbax.checkpoint as ocp
from chaos_folder import Folder

State = Mapping[str, np.ndarray]


def read_state(workdir: pathlib.Path) -> tuple[int, State]:
  """Returns the step of the last checkpoint, and its arrays by their names.

  Orbax reads it, and nothing of gemb's: what is shown here is not to depend on
  what is tried.

  Raises:
    FileNotFoundError: if there is none.
  """
  folder = workdir / 'checkpoints'
  steps = [int(path.name) for path in folder.glob('*') if path.name.isdecimal()]
  if not steps:
    raise FileNotFoundError(f'{folder} has no checkpoint.')
  path = folder / str(max(steps)) / 'state'
  with contextlib.closing(ocp.PyTreeCheckpointHandler()) as handler:
    as_numpy = jax.tree.map(
      lambda _: ocp.RestoreArgs(restore_type=np.ndarray),
      handler.metadata(path).tree,
    )
    args = ocp.args.PyTreeRestore(restore_args=as_numpy)
    tree = handler.restore(path, args=args)
  leaves = jax.tree.leaves_with_path(tree)
  return max(steps), {
    jax.tree_util.keystr(name, simple=True, separator='.'): np.asarray(leaf)
    for name, leaf in leaves
  }


def faults(run: Folder, unbroken: Folder) -> list[str]:
  """Returns in words what a run has ended with otherwise than it should."""
  step, state = read_state(run.workdir)
  wanted_step, wanted = read_state(unbroken.workdir)
  if step != wanted_step:
    return [f'the last checkpoint is of step {step}, not {wanted_step}']
  if state.keys() != wanted.keys():
    return [
      f'the state has other arrays: {sorted(state.keys() ^ wanted.keys())}'
    ]
  found = [
    f'{name} differs by up to {difference(state[name], wanted[name]):.3g}'
    for name in state
    if not same_bits(state[name], wanted[name])
  ]
  for line, other in zip(run.results(), unbroken.results(), strict=False):
    if line != other:
      found.append(f'metrics.jsonl has {line}, not {other}')
      break
  count, wanted_count = len(run.results()), len(unbroken.results())
  if count != wanted_count:
    found.append(f'metrics.jsonl has {count} lines, not {wanted_count}')
  return found + [f'{name} was left behind' for name in run.left_over()]


def largest_difference(runs: Iterable[Folder]) -> float:
  """Returns by how much the numbers of runs' last states differ at most."""
  (_, wanted), *others = [read_state(run.workdir) for run in runs]
  return max(
    (
      difference(state[name], wanted[name])
      for _, state in others
      for name in wanted
    ),
    default=0.0,
  )


def same_bits(array: np.ndarray, other: np.ndarray) -> bool:
  """Whether two arrays are the same, down to the sign of a zero."""
  return array.dtype == other.dtype and array.tobytes() == other.tobytes()


def difference(array: np.ndarray, other: np.ndarray) -> float:
  """Returns the largest difference of two arrays of one shape."""
  return float(np.abs(array.astype(float) - other.astype(float)).max())
