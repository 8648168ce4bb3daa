"""Several processes as one run: they meet, agree, and tell what went wrong.

Each runs the same program on its own devices. What is computed is on global
arrays, and all processes call it in the same order; here is the rest: how they
find each other, who writes, who waits, and how a mistake of one ends them all.
Where there is one process, nothing here does anything.
"""

import contextlib
import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

# JAX has no other door to the coordinator's messages, nor to whether a cluster
# has started this process; its version is pinned.
from jax._src import clusters
from jax._src import distributed as runtime
from jax.experimental import multihost_utils

from gemb import stopping

# Clusters whose environment tells all. Elsewhere there are flags.
_CLUSTERS = ('gcetpu', 'gketpu', 'slurm', 'ompi')
# That a process waits for the others: one that has failed, at its end; and one
# that has not, as process 0 may have the last lines to send to trackers.
_SHUTDOWN_SECONDS = 30
_LAST_LINES_SECONDS = 600
# A process may make data for hours; that one has died is seen by its heartbeat.
_PATIENCE = 7 * 24 * 60 * 60 * 1000

_numbers = itertools.count()  # of messages; alike, as all processes send them


def start(
  coordinator: str | None = None,
  processes: int | None = None,
  process: int | None = None,
  *,
  start_timeout: int = 300,
  heartbeat_timeout: int = 30,
) -> None:
  """Meets the other processes; call it before JAX looks for devices.

  Without arguments, TPU VMs, SLURM and Open MPI tell how many there are; where
  none of them has started this process, it is alone.

  Args:
    coordinator: HOST:PORT where process 0 listens.
    processes: how many there are.
    process: which one this is, from 0.
    start_timeout: seconds in which all must come.
    heartbeat_timeout: seconds after which a silent process is taken for dead,
      and the others are ended.

  Raises:
    ValueError: if the arguments do not fit.
    TimeoutError: if the others do not come.
    RuntimeError: if the processes cannot meet.
  """
  given = coordinator, processes, process
  method = 'deactivate'
  if given == (None, None, None):
    cluster = _find_cluster()
    if cluster is None or cluster.get_process_count() == 1:
      return
    method = cluster.name
  else:
    _check_given(*given)
    if processes == 1:
      return

  def initialize() -> None:
    jax.distributed.initialize(
      *given,
      cluster_detection_method=method,
      initialization_timeout=2 * start_timeout,
      heartbeat_timeout_seconds=heartbeat_timeout,
      shutdown_timeout_seconds=_SHUTDOWN_SECONDS,
    )

  _meet(initialize, start_timeout)


def is_first() -> bool:
  """Returns whether this process is the one that writes."""
  return runtime.global_state.process_id == 0


def count() -> int:
  """Returns how many processes there are."""
  return runtime.global_state.num_processes


@contextlib.contextmanager
def together() -> Iterator[None]:
  """Ends when all processes have ended it; raises everywhere what one raised.

  Nothing that is computed together may stand in it, nor another `together`: a
  process that has failed would be waited for.

  Raises:
    stopping.Failed: if another process has raised something.
    stopping.Stopped: if that was this.
  """
  if count() == 1:
    yield
    return
  number = next(_numbers)
  try:
    yield
  except BaseException as error:
    text = str(error) or type(error).__name__
    _tell(number, f'{stopping.status(error)} {text}')
    raise
  _tell(number, '')
  for process in range(count()):
    if failure := _hear(number, process):
      status, _, text = failure.partition(' ')
      text = f'{text} (So says process {process}.)'
      if int(status) == stopping.EXIT_STATUS:
        raise stopping.Stopped(text)
      raise stopping.Failed(text, int(status))


def check_same(what: str, text: str) -> None:
  """Compares a text line by line with that of process 0.

  Raises:
    ValueError: naming the first lines that differ.
    stopping.Failed: if another process has found them different.
  """
  if count() == 1:
    return
  number = next(_numbers)
  if is_first():
    _tell(number, text)
  wanted = _hear(number, 0)
  with together():
    if text != wanted:
      mine, others = text.splitlines(), wanted.splitlines()
      here = next((x for x in mine if x not in others), 'nothing more')
      there = next((x for x in others if x not in mine), 'nothing more')
      raise ValueError(
        f'Process {runtime.global_state.process_id} has another {what} than '
        f'process 0: {here!r}, and not {there!r}. Start all processes with the '
        'same files and flags.'
      )


def whole(array: jax.Array | np.ndarray) -> np.ndarray:
  """Returns all of a global array, wherever it lies; computed together."""
  if count() == 1:
    return np.asarray(array)
  return multihost_utils.process_allgather(array, tiled=True)


def leave(status: int) -> None:
  """Waits for the others to end; ends this process if they do not.

  JAX has all wait for each other too when they end, but aborts those that wait
  in vain. A supervisor would not learn the exit status of the one that failed.

  Args:
    status: the exit status of this process.
  """
  client: Any = runtime.global_state.client
  if client is None:  # it is alone
    return
  seconds = _SHUTDOWN_SECONDS if status else _LAST_LINES_SECONDS
  try:
    client.wait_at_barrier('gemb/leave', seconds * 1000)
  except jax.errors.JaxRuntimeError:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _tell(number: int, text: str) -> None:
  """Leaves a message of this process with the coordinator."""
  client: Any = runtime.global_state.client
  process = runtime.global_state.process_id
  client.key_value_set(f'gemb/{number}/{process}', text)


def _hear(number: int, process: int) -> str:
  """Waits for a message of a process."""
  client: Any = runtime.global_state.client
  return client.blocking_key_value_get(f'gemb/{number}/{process}', _PATIENCE)


def _find_cluster() -> type[clusters.ClusterEnv] | None:
  """Returns the cluster that has started this process, if one has."""
  for cluster in clusters.ClusterEnv._cluster_types:
    if cluster.name in _CLUSTERS and cluster.is_env_present():
      return cluster
  return None


def _check_given(
  coordinator: str | None, processes: int | None, process: int | None
) -> None:
  if coordinator is None or processes is None or process is None:
    names = ('coordinator', 'processes', 'process')
    values = coordinator, processes, process
    missing = [
      f'--{name}' for name, x in zip(names, values, strict=True) if x is None
    ]
    raise ValueError(
      f'{" and ".join(missing)} missing: several processes need --coordinator='
      'HOST:PORT, --processes=N and --process=I, or, where a cluster has '
      'started them, none of the three.'
    )
  if not 0 <= process < processes:
    raise ValueError(
      f'--process={process} is none of --processes={processes}; number them '
      f'from 0 to {processes - 1}.'
    )
  _, colon, port = coordinator.rpartition(':')
  if not colon or not port.isdecimal():
    raise ValueError(
      f'--coordinator={coordinator} names no port; give HOST:PORT of process '
      '0, such as 10.0.0.2:8476.'
    )


def _meet(initialize: Callable[[], None], seconds: int) -> None:
  """Calls `initialize`, or raises when that takes too long."""
  failures = []

  def call() -> None:
    try:
      initialize()
    except Exception as error:
      failures.append(error)

  # JAX aborts the process, without a word to the user, when nobody comes.
  thread = threading.Thread(target=call, daemon=True)
  thread.start()
  thread.join(seconds)
  state = runtime.global_state
  if failures:
    raise RuntimeError(
      f'The processes of this run cannot meet: {failures[0]}'
    ) from failures[0]
  if thread.is_alive():
    raise TimeoutError(
      f'Process {state.process_id} has waited {seconds} s for the others at '
      f'{state.coordinator_address}. Start all of them at once, with the same '
      '--coordinator and --processes and each with a --process of its own; '
      'none may be started twice.'
    )
