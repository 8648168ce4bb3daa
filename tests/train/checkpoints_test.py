import errno
import json
import logging
import shutil
import subprocess
import threading
import time

import jax
import numpy as np
import optax
import pytest

from gemb import axes
from gemb.train import disk, integrity
from gemb.train import state as state_lib
from gemb.train.checkpoints import CheckpointConfig, Checkpoints, check_same

ADAM = optax.adam(1e-3)
ABOUT = {
  'config': 'Run.steps = 3\n',
  'model': {'pooling': 'mean', 'causal': False, 'width': 16, 'scale': None},
}


@pytest.fixture(scope='module')
def states(embedder, layout):
  """Returns (state of random numbers, shapes of it) on a mesh."""

  def make(mesh):
    where = layout(mesh)
    with axes.use(where):
      params = state_lib.init_params(embedder, where, seed=3)
      initial = state_lib.init_state(embedder, ADAM, where, params)
      abstract = state_lib.abstract_state(embedder, ADAM, where)
    return initial, abstract

  return make


@pytest.fixture
def save(tmp_path, states):
  """Saves a state at each step with its score of 'm', each start anew."""
  initial, _ = states('one device')

  def save_steps(scores, *, folder=tmp_path, clean=False, **changes):
    config = CheckpointConfig(**{'every_steps': 1, **changes})
    with Checkpoints(folder, config, clean=clean) as checkpoints:
      for step, score in scores.items():
        state = jax.tree.map(lambda x: x, initial)
        state = type(state)(
          step=np.int32(step), params=state.params, opt_state=state.opt_state
        )
        found = None if score is None else {'m': score, 'other': 0.5}
        checkpoints.save(state, ABOUT | {'step': step}, found)
    with Checkpoints(folder, config) as checkpoints:
      return checkpoints.steps()

  return save_steps


@pytest.fixture
def small_disk(tmp_path):
  """A file system of 2 MiB."""
  folder = tmp_path / 'disk'
  folder.mkdir()
  mounting = ['mount', '-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder]
  try:
    subprocess.run(mounting, check=True, capture_output=True)
  except (OSError, subprocess.CalledProcessError) as error:
    pytest.skip(f'no file system can be mounted here: {error}')
  yield folder
  subprocess.run(['umount', folder], check=True)


def flip_bit(path):
  content = bytearray(path.read_bytes())
  content[-1] ^= 1
  path.write_bytes(content)


def largest_file(checkpoint):
  return max((checkpoint / 'state').rglob('*'), key=lambda x: x.stat().st_size)


def assert_equal(tree, other):
  jax.tree.map(
    lambda x, y: np.testing.assert_array_equal(np.asarray(x), np.asarray(y)),
    tree,
    other,
  )


def test_the_newest_are_kept(save):
  assert save(dict.fromkeys((1, 2, 3, 4)), keep_latest=2) == [3, 4]


def test_the_best_are_kept_beside_the_newest(save):
  scores = {1: 0.1, 2: 0.9, 3: 0.3, 4: 0.2, 5: 0.1}
  assert save(scores, keep_latest=1, best_metric='m') == [2, 5]


def test_several_best_are_kept(save):
  scores = {1: 0.1, 2: 0.9, 3: 0.3, 4: 0.2, 5: 0.1}
  kept = save(scores, keep_latest=1, keep_best=2, best_metric='m')
  assert kept == [2, 3, 5]


def test_the_best_is_still_known_after_a_restart(save):
  options = {'keep_latest': 1, 'best_metric': 'm'}
  save({1: 0.1, 2: 0.9}, **options)
  assert save({3: 0.3, 4: 0.2}, **options) == [2, 4]


def test_no_best_is_kept_where_none_is_asked_for(save):
  scores = {1: 0.9, 2: 0.1, 3: 0.1}
  assert save(scores, keep_latest=1, keep_best=0, best_metric='m') == [3]


def test_checkpoints_without_scores_are_not_the_best(save, caplog):
  scores = {1: 0.1, 2: None, 3: 0.3, 4: None, 5: None}
  with caplog.at_level(logging.WARNING):
    assert save(scores, keep_latest=1, best_metric='m') == [3, 5]
  assert not caplog.records


def test_an_empty_folder_has_none_and_stays_empty(tmp_path):
  folder = tmp_path / 'checkpoints'
  with Checkpoints(folder, CheckpointConfig(every_steps=1)) as checkpoints:
    assert checkpoints.steps() == []
    with pytest.raises(
      ValueError, match='no checkpoint of step 3; it has none'
    ):
      checkpoints.about(3)
  assert not folder.exists()


@pytest.mark.parametrize('clean', [False, True])
def test_half_written_checkpoints_are_removed_by_the_writer_alone(
  clean, save, tmp_path
):
  save({1: None})
  (tmp_path / '2.orbax-checkpoint-tmp').mkdir()
  config = CheckpointConfig(every_steps=1)
  with Checkpoints(tmp_path, config, clean=clean) as checkpoints:
    assert checkpoints.steps() == [1]
    # orbax cleans up in the background, and waits for it in the next save.
    half_written = tmp_path / '2.orbax-checkpoint-tmp'
    deadline = time.monotonic() + (20 if clean else 0.5)
    while half_written.is_dir() and time.monotonic() < deadline:
      time.sleep(0.01)
  assert half_written.is_dir() != clean


def test_a_checkpoint_says_what_it_was_made_by(save, tmp_path):
  save({7: None})
  with Checkpoints(tmp_path, CheckpointConfig(every_steps=1)) as checkpoints:
    assert checkpoints.about(7) == ABOUT | {'step': 7}
    with pytest.raises(
      ValueError, match=r'no checkpoint of step 3; it has \[7\]'
    ):
      checkpoints.about(3)


def test_scores_lie_beside_the_state(save, tmp_path):
  save({1: 0.25}, best_metric='m')
  (file,) = (tmp_path / '1' / 'metrics').glob('metrics')
  assert json.loads(file.read_text()) == {'m': 0.25, 'other': 0.5}


@pytest.mark.parametrize('saved_on', ['data', 'fsdp'])
@pytest.mark.parametrize('mesh', ['one device', 'data', 'fsdp', 'all'])
def test_a_state_is_restored_onto_any_mesh_bit_by_bit(
  saved_on, mesh, states, tmp_path
):
  saved, _ = states(saved_on)
  _, like = states(mesh)
  with Checkpoints(tmp_path, CheckpointConfig(every_steps=1)) as checkpoints:
    checkpoints.save(saved, ABOUT)
  with Checkpoints(tmp_path, CheckpointConfig(every_steps=1)) as checkpoints:
    restored = checkpoints.restore(0, like)
    params = checkpoints.restore_params(0, like.params)
  assert_equal(restored, saved)
  assert_equal(params, saved.params)
  for tree, shapes in ((restored, like), (params, like.params)):
    jax.tree.map(
      lambda x, shape: (
        x.sharding.is_equivalent_to(shape.sharding, x.ndim)
        or pytest.fail(f'{x.sharding} is not {shape.sharding}')
      ),
      tree,
      shapes,
    )


def test_training_goes_on_before_a_damaged_checkpoint(save, states, tmp_path):
  saved, like = states('one device')
  assert save({1: None, 2: None}) == [1, 2]
  flip_bit(largest_file(tmp_path / '2'))
  (said,) = integrity.set_aside_damaged(tmp_path)
  assert said.endswith(f'to {tmp_path}/damaged_2; going on from step 1.')
  with Checkpoints(tmp_path, CheckpointConfig(every_steps=1)) as checkpoints:
    assert checkpoints.steps() == [1]
    assert_equal(checkpoints.restore(1, like).params, saved.params)
  assert save({2: None, 3: None}, keep_latest=5) == [1, 2, 3]
  assert integrity.set_aside_damaged(tmp_path) == []


def test_a_damaged_checkpoint_is_refused_where_it_is_read(
  save, states, tmp_path
):
  _, like = states('one device')
  save({1: 0.5, 2: 0.25, 3: None}, keep_latest=3, best_metric='m')
  flip_bit(largest_file(tmp_path / '3'))
  (tmp_path / '2' / 'metrics' / 'metrics').write_text('{"m": 0.')
  with Checkpoints(
    tmp_path, CheckpointConfig(every_steps=1, best_metric='m')
  ) as checkpoints:
    with pytest.raises(ValueError, match=r'step 3 .* by its step: \[1\]\.'):
      checkpoints.restore_params(3, like.params)
    with pytest.raises(ValueError, match=r'step 2 .* metrics/metrics has 8'):
      checkpoints.about(2)
    assert checkpoints.about(1)['step'] == 1
    checkpoints.restore_params(1, like.params)


def test_a_state_of_other_arrays_is_refused(save, states, tmp_path):
  _, like = states('one device')
  save({1: None})
  other = type(like)(step=like.step, params=like.params, opt_state=())
  with (
    Checkpoints(tmp_path, CheckpointConfig(every_steps=1)) as checkpoints,
    pytest.raises(ValueError, match=r'step 1 .* other arrays than this'),
  ):
    checkpoints.restore(1, other)


def test_scores_of_a_state_that_has_a_checkpoint_are_added_to_it(
  save, tmp_path
):
  options = {'keep_latest': 1, 'best_metric': 'm'}
  save({1: None}, **options)
  before = {
    path: path.read_bytes() for path in (tmp_path / '1' / 'state').rglob('d/*')
  }
  assert save({1: 0.9, 2: 0.1}, **options) == [1, 2]
  assert save({3: 0.2}, **options) == [1, 3]
  scores = (tmp_path / '1' / 'metrics' / 'metrics').read_text()
  assert json.loads(scores) == {'m': 0.9, 'other': 0.5}
  assert integrity.damage(tmp_path / '1') == ''
  assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize('scores', [{1: None}, {1: 0.5}])
def test_a_state_that_has_a_checkpoint_is_not_written_again(
  save, scores, tmp_path
):
  save({1: None})
  written = (tmp_path / '1').stat().st_mtime_ns
  assert save(scores) == [1]
  assert (tmp_path / '1').stat().st_mtime_ns == written


def test_a_checkpoint_without_digest_is_not_named_yet(
  save, tmp_path, monkeypatch, caplog
):
  save({1: None})

  def fail(_):
    raise OSError(errno.ENOSPC, 'No space left on device')

  with monkeypatch.context() as patch:
    patch.setattr(integrity, 'write_digest', fail)
    with pytest.raises(OSError, match='of step 1, the last good one'):
      save({2: None}, keep_latest=1)
  assert not caplog.records  # it is told once
  assert (tmp_path / '2.orbax-checkpoint-tmp').is_dir()
  assert save({3: None}, clean=True) == [1, 3]
  assert not (tmp_path / '2.orbax-checkpoint-tmp').exists()


def test_a_write_that_has_failed_is_told_without_another(
  states, tmp_path, monkeypatch
):
  state, _ = states('one device')
  ended = threading.Event()

  def fail(_):
    ended.wait()
    raise OSError(errno.ENOSPC, 'No space left on device')

  monkeypatch.setattr(integrity, 'write_digest', fail)
  with Checkpoints(tmp_path, CheckpointConfig(every_steps=1)) as checkpoints:
    checkpoints.save(state, ABOUT)
    checkpoints.check_written()  # says nothing while it is being written
    ended.set()
    with pytest.raises(OSError, match='is full, and the checkpoint could not'):
      while True:
        checkpoints.check_written()


# TensorStore goes on with the other arrays when orbax has given up.
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
def test_a_full_disk_leaves_the_last_good_checkpoint_and_goes_on_with_space(
  save, small_disk, monkeypatch
):
  folder = small_disk / 'checkpoints'
  assert save({1: None}, folder=folder) == [1]
  left = shutil.disk_usage(small_disk).free - 2**13
  (small_disk / 'filler').write_bytes(bytes(left))
  with pytest.raises(OSError, match=r'MiB left, and a checkpoint needs 0\.'):
    save({2: None}, folder=folder)
  assert [path.name for path in folder.iterdir()] == ['1']
  monkeypatch.setattr(disk, 'check_space', lambda _: None)
  with pytest.raises(OSError, match=f'^The disk of {folder} is full, and the'):
    save({2: None}, folder=folder)
  assert integrity.set_aside_damaged(folder) == []
  (small_disk / 'filler').unlink()
  assert save({2: None}, folder=folder, clean=True) == [1, 2]
  assert sorted(path.name for path in folder.iterdir()) == ['1', '2']


def test_parameters_alone_are_restored_as_such_only(states, tmp_path):
  saved, like = states('one device')
  with Checkpoints(tmp_path, CheckpointConfig(every_steps=1)) as checkpoints:
    checkpoints.save_params(7, saved.params, ABOUT, {'m': 0.5})
  with Checkpoints(tmp_path, CheckpointConfig(every_steps=1)) as checkpoints:
    assert checkpoints.steps() == [7]
    assert checkpoints.about(7) | ABOUT == checkpoints.about(7)
    assert_equal(checkpoints.restore_params(7, like.params), saved.params)
    with pytest.raises(ValueError, match='holds parameters alone'):
      checkpoints.restore(7, like)


@pytest.mark.parametrize(
  'changes',
  [{'every_steps': 0}, {'keep_latest': 0}, {'keep_best': -1}],
)
def test_numbers_that_keep_nothing_are_refused(changes):
  with pytest.raises(ValueError, match='the first two must be at least 1'):
    CheckpointConfig(**{'every_steps': 1, **changes})


def test_equal_makings_pass():
  check_same(ABOUT, json.loads(json.dumps(ABOUT)), 'architecture')


def test_every_difference_is_named():
  was = {'a': {'width': 16, 'scale': None}, 'shapes': [[8, 8]], 'gone': 1}
  now = {'a': {'width': 32, 'scale': 0.5}, 'shapes': [[8, 8]], 'new': 2}
  with pytest.raises(ValueError) as error:
    check_same(was, now, 'architecture')
  assert str(error.value) == (
    'The checkpoint has another architecture: a.scale was None, is 0.5; '
    'a.width was 16, is 32; gone was 1, is None; new was None, is 2. Go on '
    'with the same configuration, or choose another --workdir.'
  )


def test_an_architecture_that_told_less_is_the_one_there_was(tmp_path, states):
  state, _ = states('one device')
  with Checkpoints(tmp_path, CheckpointConfig(every_steps=1)) as checkpoints:
    checkpoints.save(state, {'model': {'embedding_width': 4}})
  with Checkpoints(tmp_path, CheckpointConfig(every_steps=1)) as checkpoints:
    (step,) = checkpoints.steps()
    assert checkpoints.about(step)['model'] == {
      'embedding_width': 4,
      'pooling': 'mean',
      'causal': False,
    }
