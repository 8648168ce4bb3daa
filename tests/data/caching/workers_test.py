"""Several processes and machines at one cache; no TensorFlow."""

import contextlib
import multiprocessing
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

from gemb.data import examples, locks
from gemb.data.caching import workers
from gemb.data.caching.merging import complete_job
from gemb.data.caching.workers import make_shards

BUILD = pathlib.Path(__file__).parents[2] / 'golden_build.py'


def content(folder):
  return {
    path.name: path.read_bytes()
    for path in folder.rglob('*')
    if path.suffix in ('.array_record', '.npy') or path.name == 'manifest.json'
  }


def finished(job):
  complete_job(job)
  return content(job.spec.folder)


@pytest.fixture
def alone(prepare, monkeypatch, tmp_path):
  """Returns the files of the cache that one process makes elsewhere."""
  here = os.environ['GEMB_DATA']
  (tmp_path / 'alone').mkdir()
  (tmp_path / 'alone' / 'texts').symlink_to(f'{here}/texts')
  with monkeypatch.context() as patch:
    patch.setenv('GEMB_DATA', str(tmp_path / 'alone'))
    (job,) = prepare(examples=30)
    make_shards([job], processes=1)
    files = finished(job)
  assert len(files) == 12
  return files


def test_two_processes_make_what_one_makes(prepare, alone):
  (job,) = prepare(examples=30)
  make_shards([job], processes=2)
  assert finished(job) == alone


def test_two_machines_make_what_one_makes(prepare, alone):
  (job,) = prepare(examples=30)
  make_shards([job], processes=1, machine=1, machines=2)
  made = sum(map(job.is_made, range(10)))
  assert made == 5
  assert '5 of 10 shards are made' in complete_job(job)
  make_shards([job], processes=1, machine=0, machines=2)
  assert finished(job) == alone


def test_one_shard_is_made_without_another_process(prepare, monkeypatch):
  (job,) = prepare(examples=500)
  monkeypatch.delattr(workers, '_pool')
  make_shards([job], processes=8)
  assert job.is_made(0)
  make_shards([job], processes=8)  # nothing is left to do


def test_an_error_in_a_process_is_told_as_it_is(prepare):
  (job,) = prepare(examples=30)
  path = examples.texts_path('golden_pairs')
  damaged = bytearray(path.read_bytes())
  damaged[job.starts[4]] = ord('x')
  path.write_bytes(damaged)
  with pytest.raises(ValueError, match=r'Line 1 after byte \d+ of .* damaged'):
    make_shards([job], processes=2)


def kill_a_child():
  deadline = time.monotonic() + 30
  while time.monotonic() < deadline:
    if children := multiprocessing.active_children():
      os.kill(children[0].pid, signal.SIGKILL)
      return
    time.sleep(0.01)


def test_a_process_that_is_killed_is_one_sentence_and_no_hang(prepare):
  (job,) = prepare(examples=30)
  killer = threading.Thread(target=kill_a_child)
  # Nobody gets done as long as all shards are somebody else's.
  with contextlib.ExitStack() as others:
    for number in range(job.shards):
      others.enter_context(locks.hold(job.path(number, '.lock')))
    killer.start()
    with pytest.raises(RuntimeError, match='was killed, perhaps for want of'):
      make_shards([job], processes=2)
  killer.join()


@pytest.fixture
def build(golden_texts):
  """Starts a builder with the arguments of golden_build.py."""

  def start(*arguments):
    return subprocess.Popen(
      [sys.executable, BUILD, *map(str, arguments)],
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
      start_new_session=True,
    )

  return start


def test_a_killed_builder_is_followed_by_one_that_makes_the_rest(
  build, data_folder
):
  killed = build(30, 1, 6)
  killed.communicate()
  assert killed.returncode == -signal.SIGKILL
  (folder,) = (data_folder / 'cache' / 'golden_pairs').glob('.*.partial')
  made = {path: path.stat().st_ino for path in folder.glob('*.array_record')}
  assert len(made) == 6
  next_one = build(30, 1)
  assert 'golden_pairs: 298 examples' in next_one.communicate()[0]
  (cache,) = (data_folder / 'cache' / 'golden_pairs').glob('[!.]*')
  # The same files, and none of the killed one's is left.
  for path, inode in made.items():
    assert (cache / path.name).stat().st_ino == inode
  assert not folder.exists()
  first = content(cache)
  shutil.rmtree(cache)
  build(30, 1).communicate()
  assert content(cache) == first


def test_two_builders_at_once_make_one_cache(build, data_folder):
  both = [build(10, 1), build(10, 1)]
  said = [builder.communicate() for builder in both]
  assert [builder.returncode for builder in both] == [0, 0], said
  (cache,) = (data_folder / 'cache' / 'golden_pairs').glob('[!.]*')
  assert not [*(data_folder / 'cache' / 'golden_pairs').glob('.*.partial')]
  assert len(content(cache)) == 32


def is_alive(group):
  try:
    os.killpg(group, 0)
  except ProcessLookupError:
    return False
  return True


def test_a_killed_builder_leaves_no_process(build, prepare, data_folder):
  # It waits for the shards, which are somebody else's.
  builder = build(30, 2)
  folder = data_folder / 'cache' / 'golden_pairs'
  deadline = time.monotonic() + 30
  with contextlib.ExitStack() as others:
    while not (found := list(folder.glob('.*.partial/job.json'))):
      assert time.monotonic() < deadline
    for number in range(10):
      lock = found[0].with_name(f'shard-{number:05}-of-00010.lock')
      others.enter_context(locks.hold(lock))
    while len(children(builder.pid)) < 3:  # with multiprocessing's tracker
      assert time.monotonic() < deadline
    builder.kill()
    builder.communicate()
    while is_alive(builder.pid):
      assert time.monotonic() < deadline
      time.sleep(0.01)


def children(pid):
  found = []
  for status in pathlib.Path('/proc').glob('[0-9]*/stat'):
    with contextlib.suppress(OSError):
      if int(status.read_text().rpartition(')')[2].split()[1]) == pid:
        found.append(status)
  return found
