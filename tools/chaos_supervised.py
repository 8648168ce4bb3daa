"""A small training under gemb's supervisor, from its start to its end."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

import chaos_processes
from chaos_draw import LAYOUTS
from chaos_folder import Folder
from chaos_processes import Process

ROOT = pathlib.Path(__file__).parents[1]
GIN_FILE = ROOT / 'experiments/16_survival/run.gin'
PATIENCE = 600  # seconds, after which a run is taken for stuck
FLAGS = {
  '1x1': (),
  # No process has all of the word vectors to save. To split all else too would
  # take many more collectives, each a round between processes.
  '2x2': (
    '--gin.MeshConfig.data=1',
    '--gin.MeshConfig.fsdp=4',
    "--gin.AxisRules.vocab='fsdp'",
    '--gin.AxisRules.embed=None',
    '--heartbeat_timeout=10',
  ),
}


class Stuck(RuntimeError):  # noqa: N818, it is what a run is
  """A run does not end, or ends as it should not."""


class Supervised:
  """A training under gemb's supervisor, from its start to its end."""

  def __init__(
    self,
    base: pathlib.Path,
    name: str,
    layout: str,
    *,
    data: str,
    stop: threading.Event,
  ):
    """Starts nothing yet.

    Args:
      base: the folder of all runs.
      name: of this one's folder in it.
      layout: a name of LAYOUTS.
      data: the name of the data folder in `base`.
      stop: set when all are to end.
    """
    root = base / name
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    (base / data).mkdir(parents=True, exist_ok=True)
    self.folder = Folder(root / 'run', base / data)
    self.log = root / 'log.txt'
    self.log.touch()
    self._base = base
    self._layout = layout
    self._stop = stop
    self._until = time.monotonic() + PATIENCE
    self._process: subprocess.Popen | None = None

  def start(self) -> None:
    """Starts the supervisor, in a session of its own."""
    processes, devices = LAYOUTS[self._layout]
    several = [f'--processes={processes}', f'--devices={devices}']
    with self.log.open('ab') as log:
      self._process = subprocess.Popen(
        [
          *(sys.executable, '-m', 'gemb.launch.supervise'),
          *(several if processes > 1 else []),
          *('--', 'train', f'--gin_file={GIN_FILE}'),
          f'--workdir={self.folder.workdir}',
          *FLAGS[self._layout],
        ],
        cwd=self._base,
        env=environment(self._base, self.folder.data),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
      )

  def ended(self) -> int | None:
    """Returns the supervisor's exit status; None: it has not ended.

    Raises:
      Stuck: if it has taken too long, or all are to end.
    """
    if self._stop.is_set():
      raise Stuck('it was stopped')
    status = self._process.poll()
    if status is None and time.monotonic() > self._until:
      raise Stuck(f'it has not ended after {PATIENCE} s')
    return status

  def processes(self) -> list[Process]:
    """Returns all processes of the run, the supervisor first."""
    own = chaos_processes.look_up(self._process.pid)
    below = chaos_processes.descendants(self._process.pid)
    return [own, *below] if own else below

  def said(self, since: int) -> str:
    """Returns what all have said since so many bytes."""
    with self.log.open('rb') as log:
      log.seek(since)
      return log.read().decode(errors='replace')

  def kill(self) -> None:
    """Ends all that is left."""
    if self._process is not None:
      chaos_processes.send(self.processes(), signal.SIGKILL)
      self._process.wait()


def environment(base: pathlib.Path, data: pathlib.Path) -> dict[str, str]:
  """Returns what the processes of a run inherit."""
  compiled = os.environ.get('JAX_COMPILATION_CACHE_DIR', str(base / 'compiled'))
  # A layout has its own number of devices.
  flags = [
    flag
    for flag in os.environ.get('XLA_FLAGS', '').split()
    if not flag.startswith('--xla_force_host_platform_device_count')
  ]
  return os.environ | {
    'XLA_FLAGS': ' '.join(flags),
    'GEMB_DATA': str(data),
    'JAX_PLATFORMS': 'cpu',
    'JAX_COMPILATION_CACHE_DIR': compiled,
    'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0',
    'JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES': '-1',
    'PYTHONUNBUFFERED': '1',
  }
