"""tools/chaos: what is drawn, what is seen, and five runs that are killed."""

import collections
import importlib
import json
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import orbax.checkpoint as ocp
import pytest

from gemb import config

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture
def chaos(monkeypatch):
  """Returns a function: the end of a module's name -> the module."""
  monkeypatch.syspath_prepend(str(ROOT / 'tools'))
  return lambda name: importlib.import_module(f'chaos_{name}')


def test_each_run_is_drawn_alike_whichever_others_there_are(chaos):
  draw = chaos('draw').draw
  assert [draw(2, number) for number in (4, 3)] == [draw(2, 4), draw(2, 3)]
  assert str(draw(2, 4)) == (
    '1x1: KILL to all processes, training after step 18'
  )
  assert str(draw(2, 10)).endswith(', making the cache')


def test_each_twelve_runs_have_every_layout_signal_and_phase(chaos):
  module = chaos('draw')
  draws = [module.draw(0, number) for number in range(13, 25)]
  kinds = collections.Counter(
    (each.layout, each.signal, each.phase) for each in draws
  )
  assert len(kinds) == 12
  assert sum(each.phase == module.CACHE for each in draws) == 1


def test_what_is_drawn_can_be_hit(chaos):
  module = chaos('draw')
  for number in range(1, 200):
    each = module.draw(1, number)
    assert each.process < module.LAYOUTS[each.layout][0]
    every = {'saving': 8, 'evaluation': 12, 'training': 3}.get(each.phase)
    if every is not None:
      assert each.step in range(every, module.STEPS, every)


def test_the_training_is_the_one_that_is_drawn_for(chaos):
  module = chaos('draw')
  for flags in chaos('supervised').FLAGS.values():
    bindings = [
      flag.removeprefix('--gin.') for flag in flags if '--gin.' in flag
    ]
    run, _ = config.load([str(chaos('supervised').GIN_FILE)], bindings)
    assert (run.steps, run.log_every_steps) == (module.STEPS, module.LOG_EVERY)
    assert run.checkpoints.every_steps == module.SAVE_EVERY
    assert run.evaluation.every_steps == module.EVALUATE_EVERY


@pytest.fixture
def folder(chaos, tmp_path):
  """Returns the folder of a run that has made its cache."""
  found = chaos('folder').Folder(tmp_path / 'run', tmp_path / 'data')
  write(tmp_path / 'data/cache/pairs/12ab/manifest.json', '{}')
  return found


def write(path, text):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(text)


def test_the_phase_is_seen_on_disk(folder):
  assert folder.phase() == 'starting'
  write(folder.metrics, '{"step": 9, "loss": 3.0}\n{"step": 12, "loss"')
  assert (folder.phase(), folder.step()) == ('training', 9)
  write(folder.metrics, '{"step": 12, "loss": 3.0}\n')
  assert folder.phase() == 'evaluation'
  with folder.metrics.open('a') as file:
    file.write('{"step": 12, "eval/x": 0.5}\n')
  assert folder.phase() == 'training'
  write(folder.workdir / 'checkpoints/16.orbax-checkpoint-tmp/state', '')
  assert folder.phase() == 'saving'


def test_a_cache_is_made_until_its_last_file_is_there(folder):
  (manifest,) = folder.data.rglob('manifest.json')
  manifest.rename(manifest.with_name('shard-0'))
  assert folder.phase() == 'making the cache'
  half = folder.data / 'cache/pairs/.12ab.cd34.partial'
  write(half / 'manifest.json', '{}')
  assert folder.phase() == 'making the cache'
  assert folder.left_over() == [half.name]


def save(folder, step, weights, *lines):
  """Writes a checkpoint and the lines of metrics of a run that has ended."""
  state = {'params': {'w': np.asarray(weights, np.float32)}}
  path = folder.workdir / 'checkpoints' / str(step) / 'state'
  with ocp.StandardCheckpointer() as checkpointer:
    checkpointer.save(path, state)
  write(folder.metrics, ''.join(json.dumps(line) + '\n' for line in lines))


def test_two_ends_are_the_same_to_the_bit_or_are_told_apart(
  chaos, folder, tmp_path
):
  module = chaos('compare')
  other = chaos('folder').Folder(tmp_path / 'other', tmp_path / 'data')
  line = {'step': 60, 'loss': 3.0, 'pairs_per_second': 7.0}
  save(folder, 60, [0.0, 1.0], line)
  save(other, 60, [0.0, 1.0], line | {'pairs_per_second': 9.0})
  assert module.faults(folder, other) == []
  save(other, 64, [-0.0, 1.5], line | {'loss': 2.0}, line)
  assert module.faults(folder, other) == [
    'the last checkpoint is of step 60, not 64'
  ]
  save(folder, 64, [0.0, 1.0], line)
  write(folder.workdir / '.config.gin.0a1b.tmp', '')
  assert module.faults(folder, other) == [
    'params.w differs by up to 0.5',
    "metrics.jsonl has {'step': 60, 'loss': 3.0}, not {'step': 60, 'loss': "
    '2.0}',
    'metrics.jsonl has 1 lines, not 2',
    '.config.gin.0a1b.tmp was left behind',
  ]
  assert module.largest_difference([folder, other]) == 0.5
  zero = np.zeros(1, np.float32)
  assert not module.same_bits(zero, -zero)


def test_processes_are_found_and_ended(chaos):
  module = chaos('processes')
  started = subprocess.Popen(
    [sys.executable, '-c', 'import time; time.sleep(60)', 'train', 'x']
  )
  (found,) = (
    each for each in module.descendants(os.getpid()) if each.id == started.pid
  )
  try:
    assert found.parent == os.getpid()
    assert module.alive([found]) == [found]
    assert module.send([found], signal.SIGKILL) == 1
    # Nobody has asked for its status yet, and still it is gone.
    assert module.wait_until_gone([found], seconds=10) == []
    assert module.send([found], signal.SIGKILL) == 0
  finally:
    started.kill()
    started.wait()


def test_a_process_is_known_by_its_arguments(chaos):
  def process(*arguments):
    return chaos('processes').Process(
      id=2, parent=1, started=0, arguments=arguments
    )

  train = process('python', '-m', 'gemb.main', 'train', '--process=1')
  supervisor = process('python', '-m', 'gemb.launch.supervise', '--', 'train')
  cache = process('python', '-m', 'gemb.main', 'cache')
  assert train.trains and train.number == 1
  assert not supervisor.trains and supervisor.number == 0
  assert cache.caches and not cache.trains


@pytest.fixture
def outcomes(chaos):
  """Returns a run that was hit as drawn and is equal, and one of neither."""
  draw, outcome = chaos('draw').draw, chaos('run').Outcome
  return [
    outcome(draw=draw(2, 4), found='training', at=18, again=16, waited=8.25),
    outcome(draw=draw(2, 3), found='saving', at=33, faults=['w differs']),
    outcome(draw=draw(2, 1), found='starting', again=0, waited=5.0),
  ]


def test_a_run_is_told_in_a_line(chaos, outcomes):
  good, bad, _ = map(chaos('report').line, outcomes)
  assert good == (
    '4. 1x1: KILL to all processes, training after step 18: went on from 16; '
    'the same as unbroken.'
  )
  assert bad == (
    '3. 1x1: TERM to the supervisor, training after step 33 (hit in: saving): '
    'w differs.'
  )


def test_the_tables_say_how_many_are_equal_and_how_soon(
  chaos, outcomes, tmp_path
):
  report = chaos('report')
  found = report.Found(
    seed=2, drawn=4, outcomes=outcomes, apart=0.0, tolerance=0.1, seconds=90.0
  )
  assert not found.all_well
  assert report.text(found).startswith(
    '2 of 3 runs have ended with the state and the metrics of an unbroken run'
  )
  assert ' 4 were drawn; the others had not ended when' in report.text(found)
  assert report.summary(outcomes)[1:] == [
    ['KILL', 'starting', '1', '1', '0', '5.0', '5.0'],
    ['KILL', 'training', '1', '1', '2', '8.2', '8.2'],
    ['TERM', 'saving', '1', '0', '0', '–', '–'],
  ]
  write(tmp_path / 'README.md', f'# Title\n\n{report._BEGIN}\n{report._END}\n')
  report.write(found, tmp_path)
  page = (tmp_path / 'README.md').read_text()
  assert page.startswith('# Title\n') and '| saving *' in page
  assert json.loads((tmp_path / 'results.json').read_text())['seed'] == 2
  assert 'KILL, all processes' in (tmp_path / 'plot.svg').read_text()


def test_a_run_that_a_signal_has_not_stopped_is_told_from_one_at_its_end(chaos):
  draw, outcome = chaos('draw').draw(2, 3), chaos('run').Outcome
  assert outcome(draw=draw, found='training', at=24).ignored
  assert not outcome(draw=draw, found='training', at=24, again=26).ignored
  assert not outcome(draw=draw, found='training', at=27).ignored
  assert not outcome(draw=draw).ignored


def test_the_step_that_a_run_goes_on_from_is_read_in_what_it_says(chaos):
  module = chaos('run')
  assert module._restart_step('Going on from the checkpoint of step 24.') == 24
  assert module._restart_step('103,264 parameters on 4 devices.') == 0
  assert module._restart_step('gemb: no') is None


def test_five_runs_are_killed_and_end_as_if_they_were_not(tmp_path):
  arguments = ['--runs=5', '--seed=2', f'--workdir={tmp_path}']
  # Steps that were compiled by an earlier run of the tests are not again.
  compiled = {'JAX_COMPILATION_CACHE_DIR': str(ROOT / '.cache/jax')}
  done = subprocess.run(
    [sys.executable, ROOT / 'tools/chaos.py', *arguments],
    env=os.environ | compiled,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stdout + done.stderr
  assert '\n5 of 5 runs have ended with the state' in done.stdout
  assert not list((tmp_path / 'broken').iterdir())
