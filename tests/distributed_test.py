"""Two processes of a few devices each, beside one of eight."""

import json
import socket
import sys

import jax
import numpy as np
import pytest

from gemb import config, distributed, main, trained
from gemb.launch import supervise
from gemb.train.metrics import read_metrics
from gemb.workdir import find_workdir

# One of two processes, which agree or not in the way that is asked for.
AGREEING = """
import pathlib, sys, time
from gemb import distributed, stopping

def tell(error):
  print(type(error).__name__, stopping.status(error), error)


coordinator, process, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
distributed.start(coordinator, 2, process, start_timeout=60)
first = distributed.is_first()
print(distributed.count(), first)
file = pathlib.Path(folder) / 'file'
with distributed.together():
  if first:
    time.sleep(0.5)
    file.write_text('written')
print(file.read_text())
distributed.check_same('list', 'a\\nb\\nc')
for end in ('\\nc', ''):
  try:
    distributed.check_same('list', 'a\\nb' if first else f'a{end}')
  except (ValueError, RuntimeError) as error:
    tell(error)
for mistake in OSError('The disk is full.'), TimeoutError('No bucket.'):
  try:
    with distributed.together():
      if not first:
        raise mistake
  except (OSError, RuntimeError) as error:
    tell(error)
"""

# One of two processes; one of them fails alone, where the other waits for it.
FAILING = """
import sys, time
from gemb import distributed, main
from gemb.commands import arguments, training

def train(options):
  arguments.meet(options)
  if options.workdir == str(options.process):
    raise OSError('The disk is full.')
  time.sleep(60)

distributed._SHUTDOWN_SECONDS = 1
training.train = train
sys.exit(main.main())
"""

# One of two processes: saves at a step far from the number of its questions, is
# signalled before it asks again, and asks until it is to stop.
STOPPED = """
import os, signal, sys, time
import jax, numpy as np
from gemb import distributed, stopping
from gemb.train.checkpoints import CheckpointConfig, Checkpoints

coordinator, process, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
distributed.start(coordinator, 2, process, start_timeout=60)
mesh = jax.make_mesh((8,), ('data',))
where = jax.NamedSharding(mesh, jax.P('data'))
w = jax.make_array_from_callback((8,), where, lambda x: np.arange(8.0)[x])
calls, stops = 1, stopping.asked()
with Checkpoints(folder, CheckpointConfig(every_steps=1)) as checkpoints:
  checkpoints.save_params(5000, {'w': w}, {}, {})
if process == 0:
  os.kill(os.getpid(), signal.SIGTERM)
time.sleep(1.5)  # JAX looks for signals once a second
end = time.monotonic() + 10
while not stops and time.monotonic() < end:
  time.sleep(0.01)
  calls, stops = calls + 1, stopping.asked()
print(stops, calls)
"""


def free_address():
  with socket.socket() as found:
    found.bind(('127.0.0.1', 0))
    return f'127.0.0.1:{found.getsockname()[1]}'


def finish(*processes):
  """Waits for processes; returns what each said and complained of."""
  ended = [process.communicate(timeout=200) for process in processes]
  return [(out, err) for out, err in ended]


@pytest.fixture
def pair(start):
  """Starts two processes of four devices at one address."""

  def start_pair(*arguments, of):
    address = free_address()
    return [start(*arguments, *of(address, i), devices=4) for i in (0, 1)]

  return start_pair


def train_options(address, process, folder, gin_file):
  return (
    'train',
    f'--gin_file={gin_file}',
    f'--workdir={folder}',
    f'--coordinator={address}',
    '--processes=2',
    f'--process={process}',
  )


def test_one_process_is_alone():
  distributed.start(None, None, None)
  distributed.start('127.0.0.1:1', 1, 0)
  assert distributed.count() == 1
  assert distributed.is_first()
  with distributed.together():
    pass
  distributed.check_same('anything', 'a')
  assert distributed.whole(jax.numpy.arange(3)).tolist() == [0, 1, 2]


def test_an_error_of_the_only_process_is_its_own():
  with pytest.raises(KeyError), distributed.together():
    raise KeyError


@pytest.mark.parametrize(
  ('given', 'complaint'),
  [
    ((None, 2, 0), '--coordinator missing: several processes need --coord'),
    (('a:1', None, None), '--processes and --process missing'),
    (('a:1', 2, 2), '--process=2 is none of --processes=2; number them from 0'),
    (('a:1', 2, -1), '--process=-1 is none of --processes=2'),
    (('a', 2, 1), '--coordinator=a names no port; give HOST:PORT'),
    (('a:b', 2, 1), '--coordinator=a:b names no port'),
  ],
)
def test_flags_that_do_not_fit_are_refused(given, complaint):
  with pytest.raises(ValueError, match=complaint):
    distributed.start(*given)


def test_a_process_does_not_wait_for_ever(
  start, tiny_gin, tmp_path, monkeypatch
):
  # JAX has set it in this process; a shell has not.
  monkeypatch.delenv('TF_CPP_MIN_LOG_LEVEL', raising=False)
  address = free_address()
  options = train_options(address, 1, tmp_path / 'run', tiny_gin)
  alone = start('-m', 'gemb.main', *options, '--start_timeout=1')
  ((_, error),) = finish(alone)
  assert alone.returncode == 75
  assert error.startswith(
    f'gemb: Process 1 has waited 1 s for the others at {address}. '
  )
  assert error.count('\n') == 1
  assert not (tmp_path / 'run').exists()


def test_two_processes_wait_for_each_other_and_tell_their_errors(
  pair, tmp_path
):
  processes = pair('-c', AGREEING, of=lambda *place: (*place, tmp_path))
  first, second = ((out.splitlines(), err) for out, err in finish(*processes))
  assert not first[1] and not second[1]
  said = (
    "Process 1 has another list than process 0: 'c', and not 'b'. Start all "
    'processes with the same files and flags.',
    "Process 1 has another list than process 0: 'nothing more', and not 'b'. "
    'Start all processes with the same files and flags.',
    'The disk is full.',
    'No bucket.',
  )
  kinds = ('ValueError 2', 'ValueError 2', 'OSError 2', 'TimeoutError 75')
  other = ' (So says process 1.)'
  assert first[0] == [
    '2 True',
    'written',
    *(
      f'Failed {kind.split()[1]} {text}{other}'
      for kind, text in zip(kinds, said, strict=True)
    ),
  ]
  assert second[0] == [
    '2 False',
    'written',
    *(f'{kind} {text}' for kind, text in zip(kinds, said, strict=True)),
  ]


def test_a_signal_after_a_save_stops_both_processes_at_one_question(
  pair, tmp_path
):
  processes = pair('-c', STOPPED, of=lambda *place: (*place, tmp_path))
  (first, error), (second, other) = finish(*processes)
  # Before it, Gloo says who is connected.
  *_, answer = first.splitlines()
  assert answer.startswith('True '), error
  assert second.splitlines()[-1] == answer, other


@pytest.mark.parametrize('process', [0, 1])
def test_the_mistake_of_one_process_is_the_exit_status_of_all(
  process, monkeypatch, capfd
):
  monkeypatch.setattr(supervise, '_GRACE', 0.1)
  what = supervise.Supervised(
    program=(sys.executable, '-c', FAILING),
    command=('train', '--gin_file=any.gin', f'--workdir={process}'),
    processes=2,
    devices=1,
    restarts=0,
  )
  assert supervise.supervise(what) == 2
  said = capfd.readouterr()
  assert said.out.endswith(
    f'supervise: process {process} of 2 ended with status 2.\n'
  )
  assert said.err.startswith('gemb: The disk is full.\n')


def test_a_process_with_other_flags_is_refused(
  pair, tiny_run, tiny_gin, tmp_path
):
  rates = ('--gin.OptimizerConfig.learning_rate=0.01',)
  others = ('--gin.OptimizerConfig.learning_rate=0.02',)
  processes = pair(
    '-m',
    'gemb.main',
    of=lambda address, i: (
      *train_options(address, i, tmp_path / 'run', tiny_gin),
      *(others if i else rates),
    ),
  )
  for _, error in finish(*processes):
    assert error.startswith(
      'gemb: Process 1 has another configuration than process 0: '
      "'optimizer.OptimizerConfig.learning_rate = 0.02', and not '"
    )
    assert error.count('\n') == 1
  assert [process.returncode for process in processes] == [2, 2]
  assert not list((tmp_path / 'run').iterdir())


@pytest.fixture(scope='module')
def two_processes(tiny_folder, tiny_gin, start, tmp_path_factory):
  """Trains tiny.gin in two processes, its state split over all devices.

  Few collectives: each is a round between processes.
  """
  folder = tmp_path_factory.mktemp('two') / 'run'
  address = free_address()
  changes = (
    '--gin.MeshConfig.data=1',
    '--gin.MeshConfig.fsdp=-1',
    '--gin.Run.microbatch=32',
    '--gin.EvalConfig.every_steps=10',
    '--gin.CheckpointConfig.every_steps=10',
  )
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv('GEMB_DATA', str(tiny_folder / 'data'))
    processes = [
      start(
        '-m',
        'gemb.main',
        *train_options(address, i, folder, tiny_gin),
        *changes,
        devices=2,
      )
      for i in (0, 1)
    ]
    said = finish(*processes)
  for process, (_, error) in zip(processes, said, strict=True):
    if process.returncode:
      pytest.fail(error)
  return folder, said


def parameters(folder):
  run, _ = config.load([str(folder / 'config.gin')])
  encoder, step = trained.load_encoder(run, find_workdir(folder))
  return step, jax.tree.map(np.asarray, encoder.params)


def test_two_processes_train_as_one_does(two_processes, tiny_run):
  folder, _ = two_processes
  speeds = {'pairs_per_second', 'tokens_per_second'}
  lines, wanted = read_metrics(folder), read_metrics(tiny_run)
  early = [x for x in wanted if 'loss' not in x and x['step'] < 10]
  wanted = [line for line in wanted if line not in early]
  assert [line.keys() for line in lines] == [line.keys() for line in wanted]
  for line, other in zip(lines, wanted, strict=True):
    names = sorted(line.keys() - speeds)
    np.testing.assert_allclose(
      [line[name] for name in names],
      [other[name] for name in names],
      rtol=1e-5,
      err_msg=f'{names} of step {line["step"]}',
    )
  (step, params), (_, wanted_params) = map(parameters, (folder, tiny_run))
  assert step == 10
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5),
    params,
    wanted_params,
  )


def test_the_first_process_alone_writes_and_speaks(two_processes, tiny_run):
  folder, ((first, _), (second, _)) = two_processes
  assert 'step 10/10' in first
  assert 'step' not in second
  names = {path.name for path in folder.iterdir()}
  evaluated = ('results.', 'report.', 'mteb')  # by other tests, maybe
  wanted = {path.name for path in tiny_run.iterdir()}
  assert names == {x for x in wanted if not x.startswith(evaluated)}
  assert len(list((folder / 'tensorboard').iterdir())) == 1
  about = json.loads((folder / 'about.json').read_text())
  assert (about['hosts'], about['devices']) == (2, 4)


def test_one_process_evaluates_what_two_have_trained(
  two_processes, tiny_run, capsys
):
  folder, _ = two_processes
  assert main.main(['evaluate', f'--workdir={folder}']) == 0
  assert 'gemb' in capsys.readouterr().out
