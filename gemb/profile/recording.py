"""Has JAX record what happens, in one folder for all processes of a run."""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterator

import jax

from gemb import distributed

_TRACE = '.xplane.pb'  # TensorBoard's
_KINDS = (_TRACE, '.trace.json.gz')  # the other is Perfetto's


@contextlib.contextmanager
def recorded(folder: pathlib.Path) -> Iterator[None]:
  """Records into a hidden folder of this process."""
  drop(folder)
  options = jax.profiler.ProfileOptions()
  # Python's own calls would slow the host down, and fill the trace.
  options.python_tracer_level = 0
  jax.profiler.start_trace(_hidden(folder), profiler_options=options)
  try:
    yield
  finally:
    jax.profiler.stop_trace()


def collect(folder: pathlib.Path, name: str) -> pathlib.Path:
  """Moves what this process has recorded to where TensorBoard looks for it.

  It shows the files of a folder as the hosts of one run. Processes of one host
  would write the same, and so they are numbered.

  Args:
    folder: that it was recorded into.
    name: what it is to be called.

  Returns:
    The path of the trace, for `gemb.profile.trace`.

  Raises:
    FileNotFoundError: if JAX has not written what it does here.
  """
  target = folder / 'plugins' / 'profile' / name
  target.mkdir(parents=True, exist_ok=True)
  process = f'_{jax.process_index()}' if distributed.count() > 1 else ''
  paths = {}
  for kind in _KINDS:
    found = next(_hidden(folder).glob(f'plugins/profile/*/*{kind}'), None)
    if found is None:
      raise FileNotFoundError(f'The profiler of JAX has written no *{kind}.')
    host = found.name.removesuffix(kind)
    paths[kind] = target / f'{host}{process}{kind}'
    os.replace(found, paths[kind])
  return paths[_TRACE]


def drop(folder: pathlib.Path) -> None:
  """Removes what this process has recorded and not collected."""
  shutil.rmtree(_hidden(folder), ignore_errors=True)


def _hidden(folder: pathlib.Path) -> pathlib.Path:
  return folder / f'.process_{jax.process_index()}'
