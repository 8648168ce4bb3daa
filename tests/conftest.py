"""Eight simulated devices, strict numerics, and one small run for all tests."""

import fcntl
import gc
import os
import pathlib
import shutil
import subprocess
import sys

# Read when JAX first looks for devices. The last two only save compile time (a
# train step: 2 s instead of 10 s), which is most of the suite's time.
os.environ['XLA_FLAGS'] = ' '.join(
  (
    os.environ.get('XLA_FLAGS', ''),
    '--xla_force_host_platform_device_count=8',
    '--xla_backend_optimization_level=0',
    '--xla_cpu_use_fusion_emitters=false',
  )
)
os.environ.setdefault('JAX_PLATFORMS', 'cpu')

import jax
import pytest

TESTS = pathlib.Path(__file__).parent
_CACHE = TESTS.parent / '.cache' / 'jax'
_OPTIONS = {
  'jax_numpy_rank_promotion': 'raise',
  'jax_default_matmul_precision': 'highest',
  'jax_compilation_cache_dir': str(_CACHE),
  'jax_persistent_cache_min_compile_time_secs': 0,
  'jax_persistent_cache_min_entry_size_bytes': -1,
}

for _name, _value in _OPTIONS.items():
  jax.config.update(_name, _value)


def pytest_collection_finish():
  """Has Python look for cycles seldom: it took an eighth of the time."""
  gc.freeze()  # all modules and tests
  gc.set_threshold(100_000, 20, 20)


@pytest.fixture(scope='session')
def tiny_gin():
  """Returns the gin file of a run of ten steps, as a command line names it."""
  return str(TESTS / 'golden' / 'tiny.gin')


@pytest.fixture(scope='session')
def golden_model():
  """Returns the path of the golden tokenizer: 4,096 pieces."""
  return TESTS / 'golden' / 'tokenizer.model'


@pytest.fixture(scope='session')
def process_environment():
  """Returns the environment of a process that computes as this one.

  `devices` are its simulated ones.
  """
  options = {name.upper(): str(value) for name, value in _OPTIONS.items()}

  def simulate(devices):
    count = f'--xla_force_host_platform_device_count={devices}'
    flags = {'XLA_FLAGS': f'{os.environ["XLA_FLAGS"]} {count}'}
    return os.environ | options | flags

  return simulate


@pytest.fixture(scope='session')
def start(process_environment):
  """Starts Python with arguments in a process that computes as this one.

  What it says can be read.
  """

  def start_python(*arguments, devices=8):
    return subprocess.Popen(
      [sys.executable, *map(str, arguments)],
      env=process_environment(devices),
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )

  return start_python


@pytest.fixture(scope='session')
def once(tmp_path_factory):
  """Has a folder filled once, though several workers may run the tests.

  Each worker gets a copy, which nothing that others do to theirs changes.
  """

  def fill_once(name, fill):
    root = tmp_path_factory.getbasetemp()
    if 'PYTEST_XDIST_WORKER' in os.environ:
      root = root.parent  # is that of all workers
    folder, filled = root / f'once_{name}', root / f'once_{name}.filled'
    with (root / f'once_{name}.lock').open('w') as lock:
      fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed
      if not filled.exists():
        shutil.rmtree(folder, ignore_errors=True)  # another's failure
        folder.mkdir()
        fill(folder)
        filled.touch()
    return shutil.copytree(folder, tmp_path_factory.mktemp(name) / name)

  return fill_once


@pytest.fixture(scope='session')
def tiny_folder(once, tiny_gin):
  """Trains tiny.gin once; returns its folder, with data/ and run/ in it.

  Through the command line on an empty data folder, so that the run has the
  tokenizer and the caches made.
  """
  from gemb import main

  def train(folder):
    with pytest.MonkeyPatch.context() as patch:
      patch.setenv('GEMB_DATA', str(folder / 'data'))
      patch.setenv('PYTHONPATH', str(TESTS))
      arguments = [f'--gin_file={tiny_gin}', f'--workdir={folder / "run"}']
      status = main.main(['train', *arguments])
    if status:
      pytest.fail(f'gemb train {" ".join(arguments)} exited with {status}')

  return once('tiny', train)


@pytest.fixture
def tiny_run(tiny_folder, monkeypatch):
  """Returns the finished run's folder, to read; its data are found."""
  monkeypatch.setenv('GEMB_DATA', str(tiny_folder / 'data'))
  monkeypatch.setenv('PYTHONPATH', str(TESTS))
  return tiny_folder / 'run'
