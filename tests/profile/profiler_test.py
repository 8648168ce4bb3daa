"""Profiling a small loop on four of the simulated devices."""

import contextlib
import gzip
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gemb import main, stopping
from gemb.profile import profiler, recording
from gemb.profile.profiler import open_profiler
from gemb.profile.table import ROWS
from gemb.profile.trace import read_trace
from gemb.profile.window import Window
from gemb.workdir import Workdir


@jax.jit
def train_step(state, batch):
  def loss(w):
    with jax.named_scope('encoder'):
      y = jnp.tanh(batch @ w)
    with jax.named_scope('loss'):
      return jnp.mean(jax.nn.logsumexp(y @ y.T, axis=1))

  value, gradient = jax.value_and_grad(loss)(state)
  with jax.named_scope('optimizer'):
    return state - 0.1 * gradient, value


@pytest.fixture
def run(tmp_path):
  """Runs six steps, or goes on to the sixth; returns what is said."""
  mesh = Mesh(np.array(jax.devices()[:4]), ('data',))
  rows = NamedSharding(mesh, PartitionSpec('data'))
  whole = NamedSharding(mesh, PartitionSpec())

  def run_steps(first, last, done=0, fails=None):
    said = []
    batches = (
      jax.device_put(jnp.ones((64 + 64 * (i == 3), 32)), rows)
      for i in range(done + 1, 7)
    )
    state = jax.device_put(jnp.ones((32, 32)), whole)
    window = Window(first=first, last=last) if first else None
    with open_profiler(
      *(train_step, window, Workdir(tmp_path), done),
      say=said.append,
      paused=contextlib.nullcontext,
    ) as opened:
      for number, batch in enumerate(opened.steps(batches), done + 1):
        state, _ = opened.train_step(state, batch)
        if number == 4:
          with opened.span('evaluation'):
            jnp.sum(state).block_until_ready()
        if fails and number == 3:
          raise fails
    return said

  return run_steps


def test_a_window_gives_a_trace_and_a_table(run, tmp_path):
  (said,) = run(2, 4)
  assert said.startswith('Where the time of steps 2 to 4 went, the mean of 4')
  assert said.startswith((tmp_path / 'profile' / 'table.md').read_text())
  table = json.loads((tmp_path / 'profile' / 'table.json').read_text())
  assert (table['first'], table['last'], table['steps']) == (2, 4, 3)
  rows = {name: row['milliseconds'] for name, row in table['rows'].items()}
  assert tuple(rows) == ROWS
  assert sum(rows.values()) == pytest.approx(table['milliseconds_a_step'])
  parts = 'encoder', 'loss', 'optimizer', 'collectives', 'evaluation'
  for name in (*parts, 'compilation'):
    assert rows[name] > 0
  assert rows['checkpoint'] == 0
  folder = tmp_path / 'profile' / 'plugins' / 'profile' / 'steps_2_4'
  (path,) = folder.glob('*.xplane.pb')
  runs = {
    o.program
    for o in read_trace(path).operations
    if o.module == 'jit_train_step'
  }
  assert len(runs) == 2  # a batch had another shape
  (path,) = folder.glob('*.trace.json.gz')
  events = json.loads(gzip.decompress(path.read_bytes()))['traceEvents']
  assert [e.get('name') for e in events].count('gemb.input') == 3
  steps = [e['args']['step_num'] for e in events if e.get('name') == 'train']
  assert steps == ['2', '3', '4']


def test_what_is_left_of_a_window_is_profiled(run):
  (said,) = run(2, 4, done=3)
  assert said.startswith('Where the time of steps 4 to 4 went')


def test_a_run_that_stops_tells_what_it_has_seen(run, tmp_path):
  with pytest.raises(stopping.Stopped):
    run(2, 6, fails=stopping.Stopped)
  table = json.loads((tmp_path / 'profile' / 'table.json').read_text())
  assert (table['first'], table['last']) == (2, 3)


def test_a_run_beyond_its_window_says_so(run, tmp_path):
  assert run(2, 4, done=4) == [
    'Steps 2 to 4 of --profile are done already, and not profiled.'
  ]
  assert not list(tmp_path.iterdir())


def test_without_a_window_nothing_is_touched(run, tmp_path):
  assert run(None, None) == []
  assert not list(tmp_path.iterdir())


def test_after_a_failure_another_run_can_be_profiled(run, tmp_path):
  with pytest.raises(FloatingPointError):
    run(2, 4, fails=FloatingPointError)
  assert not list((tmp_path / 'profile').iterdir())
  (said,) = run(2, 4)
  assert said.startswith('Where the time of steps 2 to 4 went')


@pytest.mark.parametrize(
  ('module', 'name'),
  [
    (jax.profiler, 'start_trace'),
    (jax.profiler, 'stop_trace'),
    (recording, 'collect'),
    (profiler, 'read_trace'),
    (profiler, 'make_table'),
  ],
)
def test_a_profile_that_fails_is_told_and_ends_no_run(
  run, tmp_path, monkeypatch, module, name
):
  real = getattr(module, name)

  def fail(*arguments, **named):
    if name == 'stop_trace':  # or no other test could be profiled
      real(*arguments, **named)
    raise ValueError('It is strange.')

  monkeypatch.setattr(module, name, fail)
  told = (
    f'Steps 2 to 4 have no table in {tmp_path / "profile"}, which training '
    'does without; this went wrong: ValueError: It is strange.'
  )
  assert run(2, 4) == [told]
  assert not (tmp_path / 'profile' / '.process_0').exists()
  with pytest.raises(stopping.Stopped):
    run(2, 4, fails=stopping.Stopped)


def test_a_training_is_profiled(tiny_run, tiny_gin, tmp_path, capsys):
  folder = tmp_path / 'run'
  arguments = [f'--gin_file={tiny_gin}', f'--workdir={folder}']
  arguments += ['--gin.Run.steps=4', '--profile=4:4']
  assert main.main(['train', *arguments]) == 0
  printed = capsys.readouterr().out
  assert (folder / 'profile' / 'table.md').read_text() in printed
  table = json.loads((folder / 'profile' / 'table.json').read_text())
  rows = {name: row['percent'] for name, row in table['rows'].items()}
  assert sum(rows.values()) == pytest.approx(100)
  assert all(rows[n] > 0 for n in rows if n != 'compilation')
  assert table['devices'] == 8


def test_steps_that_cannot_be_profiled_are_refused_before_anything_begins(
  tiny_run, tiny_gin, tmp_path, capsys
):
  arguments = [f'--gin_file={tiny_gin}', f'--workdir={tmp_path / "run"}']
  assert main.main(['train', *arguments, '--profile=8:11']) == 2
  assert '--profile=8:11 is not within the run' in capsys.readouterr().err
  assert not (tmp_path / 'run').exists()
