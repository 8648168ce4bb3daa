"""Making shards in several processes, which import no TensorFlow."""

import concurrent.futures
import contextlib
import multiprocessing
import os
import pathlib
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import tqdm

from gemb.data.caching.jobs import Job
from gemb.data.caching.shards import make_shard

Unit = tuple[pathlib.Path, int]  # folder of a job, number of a shard


def make_shards(
  jobs: Sequence[Job], *, processes: int, machine: int = 0, machines: int = 1
) -> None:
  """Makes what is missing of some jobs' shards.

  Args:
    jobs: to be done.
    processes: at most; a single shard is made in this one.
    machine: which part of the work is this machine's, from 0.
    machines: how many share it.

  Raises:
    OSError: if a shard cannot be written.
    RuntimeError: if a process dies.
    ValueError: if texts, tokenizer or mined hard negatives are damaged.
  """
  units = [
    (job.folder, number)
    for job in jobs
    for number in range(job.shards)
    if _machine(job, number, machines) == machine and not job.is_made(number)
  ]
  with tqdm.tqdm(total=len(units), unit=' shards', disable=None) as bar:
    if min(processes, len(units)) <= 1:
      for folder, number in units:
        make_shard(folder, number)
        bar.update()
      return
    with _pool(min(processes, len(units))) as pool:
      # Those that another command is making come last: they may be done then.
      busy = list(_run(pool, units, bar, wait=False))
      list(_run(pool, busy, bar, wait=True))


def _machine(job: Job, number: int, machines: int) -> int:
  """Returns whose a shard is; not all first shards are the first machine's."""
  return (number + int(job.spec.folder.name, 16)) % machines


def _run(
  pool: ProcessPoolExecutor, units: Sequence[Unit], bar: tqdm.tqdm, wait: bool
) -> Iterator[Unit]:
  """Has shards made; yields those that somebody else is making."""
  futures = {
    pool.submit(make_shard, folder, number, wait=wait): (folder, number)
    for folder, number in units
  }
  for future in concurrent.futures.as_completed(futures):
    if future.result():
      bar.update()
    else:
      yield futures[future]


@contextlib.contextmanager
def _pool(processes: int) -> Iterator[ProcessPoolExecutor]:
  """Yields a pool that says what a death means, and ends with an error."""
  # Spawned, not forked: this process has TensorFlow and its threads.
  pool = ProcessPoolExecutor(
    processes,
    mp_context=multiprocessing.get_context('spawn'),
    initializer=_begin,
  )
  others = multiprocessing.active_children()
  try:
    yield pool
  except BrokenProcessPool as error:
    # One that was started while the pool broke is not told, and would be waited
    # for without end.
    for process in multiprocessing.active_children():
      if process not in others:
        process.kill()
    raise RuntimeError(
      'A process that made shards was killed, perhaps for want of memory. '
      'Finished shards are kept: run the same command again, with fewer '
      '--processes if memory was short.'
    ) from error
  finally:
    pool.shutdown(cancel_futures=True)


def _begin() -> None:
  """Readies a process of the pool."""
  # Ctrl-C ends it at once and in silence; the parent has the word.
  signal.signal(signal.SIGINT, signal.SIG_DFL)
  threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
  """Ends this process once its parent is killed; it would wait for ever."""
  parent = multiprocessing.parent_process()
  if parent is not None:
    parent.join()
    os._exit(1)
