"""Whole runs of ten steps on the golden pairs, through the command line."""

import json
import math
import re
import shutil
import signal

import jax
import numpy as np
import pytest

from gemb import config, distributed, loop, main, stopping, trained
from gemb.train import step as step_lib
from gemb.train.checkpoints import Checkpoints
from gemb.train.metrics import MetricWriter, is_evaluated, read_metrics
from gemb.workdir import Workdir, find_workdir

# What depends on the clock.
SPEEDS = {'pairs_per_second', 'tokens_per_second'}

# Ends itself as `kill -9` does once a checkpoint is on disk: at step 7, or when
# the next checkpoint is on its way to the disk.
KILLED = """
import os, pathlib, signal, sys, time
from gemb import main
from gemb.train import checkpoints, metrics

moment, gin_file, workdir = sys.argv[1:]

def die():
  while not (pathlib.Path(workdir) / 'checkpoints' / '4').is_dir():
    time.sleep(0.01)
  os.kill(os.getpid(), signal.SIGKILL)

write, save = metrics.MetricWriter.write, checkpoints.Checkpoints.save

def write_and_die(writer, step, values):
  write(writer, step, values)
  if moment == 'between' and step == 7:
    die()

def save_and_die(manager, state, about, scores=None):
  save(manager, state, about, scores)
  if moment == 'during' and int(state.step) == 8:
    die()

metrics.MetricWriter.write = write_and_die
checkpoints.Checkpoints.save = save_and_die
sys.exit(main.main(['train', f'--gin_file={gin_file}', f'--workdir={workdir}']))
"""

# Trains in each of the work folders, then tells what it imported to do so.
TRAINED = """
import sys
from gemb import evaluation, main

gin_file, *workdirs = sys.argv[1:]
for workdir in workdirs:
  if main.main(['train', f'--gin_file={gin_file}', f'--workdir={workdir}']):
    sys.exit(f'training in {workdir} failed')
print('imported', *sorted({name.partition('.')[0] for name in sys.modules}))
"""


@pytest.fixture
def train(tiny_run, tiny_gin):
  """Trains tiny.gin in a folder; returns the exit status."""

  def start_training(folder, *bindings):
    given = [f'--gin.{binding}' for binding in bindings]
    return main.main(
      ['train', f'--gin_file={tiny_gin}', f'--workdir={folder}', *given]
    )

  return start_training


@pytest.fixture
def copy(tiny_run, tmp_path):
  """Copies the finished run, as it was after one of its checkpoints."""

  def copy_until(step, name='run'):
    folder = tmp_path / name
    shutil.copytree(tiny_run, folder)
    for checkpoint in (folder / 'checkpoints').iterdir():
      if int(checkpoint.name) > step:
        shutil.rmtree(checkpoint)
    return folder

  return copy_until


def numbers(folder):
  """Returns the lines of a run's metrics without its speed."""
  return [
    {name: value for name, value in line.items() if name not in SPEEDS}
    for line in read_metrics(folder)
  ]


def losses(folder):
  return {x['step']: x['loss'] for x in read_metrics(folder) if 'loss' in x}


def parameters(folder):
  run, _ = config.load([str(folder / 'config.gin')])
  encoder, step = trained.load_encoder(run, find_workdir(folder))
  return step, jax.tree.map(np.asarray, encoder.params)


def assert_same_result(folder, other):
  assert numbers(folder) == numbers(other)
  (step, params), (other_step, other_params) = map(parameters, (folder, other))
  assert step == other_step == 10
  jax.tree.map(np.testing.assert_array_equal, params, other_params)


def test_ten_steps_lower_the_loss_and_leave_a_whole_work_folder(tiny_run):
  found = losses(tiny_run)
  assert list(found) == list(range(1, 11))
  assert np.mean([found[9], found[10]]) < 0.8 * np.mean([found[1], found[2]])
  assert {path.name for path in tiny_run.iterdir()} == {
    'config.gin',
    'about.json',
    'starts.jsonl',
    'tokenizer.model',
    'checkpoints',
    'metrics.jsonl',
    'tensorboard',
    '.lock',
  }
  assert list((tiny_run / 'tensorboard').glob('events.*'))


def test_a_line_of_metrics_holds_all_that_one_watches(tiny_run):
  line = read_metrics(tiny_run)[0]
  assert line.keys() == {
    *('step', 'loss', 'loss/4', 'loss/8', 'loss/16', 'accuracy'),
    *('gradient_norm', 'learning_rate', 'padding', *SPEEDS),
  }
  assert 0 < line['padding'] < 1
  assert line['loss'] == pytest.approx(
    line['loss/4'] + line['loss/8'] + line['loss/16'], rel=1e-6
  )


def test_evaluations_are_written_every_so_many_steps_and_at_the_end(tiny_run):
  scored = [x for x in read_metrics(tiny_run) if 'eval/bitext/accuracy@16' in x]
  assert [line['step'] for line in scored] == [4, 8, 10]
  assert scored[0].keys() == {'step'} | {
    f'eval/{task}@{prefix}'
    for task in ('bitext/accuracy', 'golden_held_out/ndcg@10')
    for prefix in (4, 8, 16)
  }


def test_the_operative_config_repeats_the_run(tiny_run, tiny_gin):
  saved, text = config.load([str(tiny_run / 'config.gin')])
  asked, _ = config.load([tiny_gin])
  assert saved == asked
  assert text == (tiny_run / 'config.gin').read_text()


def test_the_last_checkpoint_carries_config_versions_and_data(tiny_run):
  run, text = config.load([str(tiny_run / 'config.gin')])
  with Checkpoints(tiny_run / 'checkpoints', run.checkpoints) as checkpoints:
    about = checkpoints.about(10)
  assert about['config'] == text
  assert about['versions']['jax'] == jax.__version__
  assert about['model']['encoder']['vocabulary'] == 600
  assert about['data']['tasks']['golden_pairs']['rate'] == 1.0
  saved = json.loads((tiny_run / 'about.json').read_text())
  assert {key: about[key] for key in saved} == saved


def test_the_last_checkpoint_carries_its_scores(tiny_run):
  (file,) = (tiny_run / 'checkpoints' / '10' / 'metrics').glob('metrics')
  scores = json.loads(file.read_text())
  line = numbers(tiny_run)[-1]
  assert {f'eval/{name}': score for name, score in scores.items()} == {
    name: value for name, value in line.items() if name != 'step'
  }


@pytest.mark.parametrize(
  'changes', [(), ('OptimizerConfig.learning_rate=0.02',)]
)
def test_a_finished_run_does_nothing_when_it_is_started_again(
  changes, train, copy
):
  folder = copy(10)
  before = {
    path: path.read_bytes()
    for path in folder.rglob('*')
    if path.is_file() and 'tensorboard' not in path.parts
  }
  assert train(folder, *changes) == 0
  assert {path: path.read_bytes() for path in before} == before


def test_a_run_beyond_its_end_is_refused_and_keeps_its_record(
  train, copy, capsys
):
  folder = copy(10)
  record = [folder / name for name in ('config.gin', 'about.json')]
  before = [path.read_bytes() for path in record]
  assert train(folder, 'Run.steps=6') == 2
  assert capsys.readouterr().err == (
    f'gemb: {folder}/checkpoints has a checkpoint of step 10, and Run.steps is '
    '6; set it to 10 or more, or choose another --workdir.\n'
  )
  assert [path.read_bytes() for path in record] == before


def test_values_that_change_when_a_run_goes_on_are_told_and_written_down(
  train, copy, capsys
):
  folder = copy(8)
  changes = ('OptimizerConfig.learning_rate=0.02', 'LossConfig.temperature=0.1')
  assert train(folder, *changes) == 0
  told = [
    'gemb_losses_config.LossConfig.temperature was 0.05, is 0.1',
    'optimizer.OptimizerConfig.learning_rate was 0.01, is 0.02',
  ]
  assert (
    'Going on from the checkpoint of step 8. Since then the configuration has '
    f'changed: {"; ".join(told)}.\n'
  ) in capsys.readouterr().out
  *_, last = (folder / 'starts.jsonl').read_text().splitlines()
  assert json.loads(last)['changed'] == told


def test_a_run_killed_twice_goes_on_to_the_result_of_an_unbroken_one(
  tiny_run, tiny_gin, train, start, tmp_path, capsys
):
  folder = tmp_path / 'killed'
  for moment, last in (('between', 7), ('during', 8)):
    process = start('-c', KILLED, moment, tiny_gin, folder)
    output, error = process.communicate()
    assert process.returncode == -signal.SIGKILL, error
    assert max(losses(folder)) == last
  assert 'Going on from the checkpoint of step 4.' in output
  assert train(folder) == 0
  # Whether step 8 was already on disk is chance.
  said = capsys.readouterr().out
  assert re.search('Going on from the checkpoint of step [48]', said)
  assert_same_result(folder, tiny_run)


@pytest.mark.parametrize(
  ('signalled', 'saved'),
  [
    pytest.param(6, 7, id='after a step'),
    pytest.param(8, 8, id='in the evaluation of a step'),
  ],
)
def test_a_run_that_is_asked_to_stop_saves_and_goes_on_to_the_same_result(
  signalled, saved, tiny_run, train, tmp_path, capsys, monkeypatch
):
  write = MetricWriter.write

  def write_and_ask(writer, step, values):
    write(writer, step, values)
    if step == signalled and 'loss' in values:
      signal.raise_signal(signal.SIGTERM)

  folder = tmp_path / 'run'
  with monkeypatch.context() as patch:
    patch.setattr(MetricWriter, 'write', write_and_ask)
    assert train(folder) == stopping.EXIT_STATUS
  assert capsys.readouterr().err == (
    f'gemb: asked to stop, and saved after step {saved} of 10; the same '
    'command goes on.\n'
  )
  assert max(losses(folder)) == saved
  assert not is_evaluated(folder, saved)
  assert train(folder) == 0
  assert f'checkpoint of step {saved}.' in capsys.readouterr().out
  assert_same_result(folder, tiny_run)
  # What keeps the best checkpoints has not missed one.
  assert ('8', 'metrics') in {
    path.parts[-2:] for path in (folder / 'checkpoints').glob('*/metrics')
  }


def test_being_asked_to_stop_does_not_cut_off_the_last_write(
  train, copy, monkeypatch
):
  close = Checkpoints.__exit__

  def ask_and_close(*arguments):
    signal.raise_signal(signal.SIGTERM)
    close(*arguments)

  def end(*_):
    raise KeyboardInterrupt

  monkeypatch.setattr(Checkpoints, '__exit__', ask_and_close)
  before = signal.signal(signal.SIGTERM, end)
  try:
    assert train(copy(10)) == 0
  finally:
    signal.signal(signal.SIGTERM, before)


def test_a_write_that_has_failed_ends_a_run_at_its_next_line(
  train, copy, capsys, monkeypatch
):
  def fail(_):
    raise OSError('The disk is full.')

  monkeypatch.setattr(Checkpoints, 'check_written', fail)
  folder = copy(8)
  assert train(folder) == 2
  assert capsys.readouterr().err == 'gemb: The disk is full.\n'
  assert max(losses(folder)) == 8


def test_all_processes_agree_on_what_is_evaluated(tiny_run, monkeypatch):
  compared = []
  monkeypatch.setattr(
    distributed, 'check_same', lambda *texts: compared.append(texts)
  )
  for step, found in ((9, False), (10, True)):
    assert loop._is_evaluated(find_workdir(tiny_run), step) == found
  assert compared == [
    ('metrics.jsonl', 'step 9 evaluated: False'),
    ('metrics.jsonl', 'step 10 evaluated: True'),
  ]


def test_a_second_run_in_a_folder_is_refused(train, tmp_path, capsys):
  folder = tmp_path / 'run'
  folder.mkdir()
  with Workdir(folder).claimed():
    assert train(folder) == 2
  assert capsys.readouterr().err == (
    f'gemb: {folder} is being trained by another process; wait for it, stop '
    'it, or choose another --workdir.\n'
  )
  assert [path.name for path in folder.iterdir()] == ['.lock']


@pytest.fixture(scope='module')
def one_device(tiny_folder, tiny_gin, start, tmp_path_factory):
  """Runs on one device: the whole, and from the eighth step on."""
  folders = tmp_path_factory.mktemp('one_device')
  shutil.copytree(tiny_folder / 'run', folders / 'resumed')
  shutil.rmtree(folders / 'resumed' / 'checkpoints' / '10')
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv('GEMB_DATA', str(tiny_folder / 'data'))
    process = start(
      *('-c', TRAINED, tiny_gin, folders / 'whole', folders / 'resumed'),
      devices=1,
    )
    output, error = process.communicate()
  if process.returncode:
    pytest.fail(error)
  return folders, output


def test_one_device_and_eight_train_alike(one_device, tiny_run):
  folders, _ = one_device
  eight, one = losses(tiny_run), losses(folders / 'whole')
  about = json.loads((folders / 'whole' / 'about.json').read_text())
  assert about['devices'] == 1
  assert list(one) == list(eight)
  np.testing.assert_allclose(
    list(one.values()), list(eight.values()), rtol=1e-5
  )


def test_a_run_of_eight_devices_goes_on_on_one(one_device, tiny_run):
  folders, output = one_device
  assert 'Going on from the checkpoint of step 8' in output
  eight, one = losses(tiny_run), losses(folders / 'resumed')
  np.testing.assert_allclose(
    list(one.values()), list(eight.values()), rtol=1e-5
  )


def test_packed_texts_train_as_well_with_less_padding(
  train, tiny_run, tmp_path
):
  packed = tmp_path / 'packed'
  status = train(
    packed,
    'DataConfig.packing=@PackingConfig()',
    'PackingConfig.row_length=64',
    'EvalConfig.bitext=()',
    'EvalConfig.retrieval=()',
    "CheckpointConfig.best_metric=''",
  )
  assert status == 0
  for folder in packed, tiny_run:
    first, *_, last = losses(folder).values()
    assert last < first

  def padding(folder):
    lines = read_metrics(folder)
    return np.mean([line['padding'] for line in lines if 'loss' in line])

  # Four examples a device fill three rows of its own: a quarter is empty still.
  assert padding(packed) < 0.6 * padding(tiny_run)


def test_the_trainer_imports_neither_tensorflow_nor_seqio(one_device):
  _, output = one_device
  imported = set(output.splitlines()[-1].split())
  assert {'imported', 'jax', 'gemb', 'orbax'} <= imported
  assert imported.isdisjoint(
    {'tensorflow', 'seqio', 'tensorflow_datasets', 'tensorflow_text'}
  )


@pytest.fixture
def loader(tiny_run, tiny_gin):
  run, _ = config.load([tiny_gin])
  return loop.open_loader(run.data, seed=run.seed)


def poisoned(poisons):
  """Returns a `make_loss` by which some queries' losses are multiplied."""

  def make_loss(*arguments):
    loss = step_lib.make_loss(*arguments)

    def spoilt(params, batch):
      value, metrics = loss(params, batch)
      own_B = metrics['example_loss']
      for query_id, factor in poisons.items():
        words = np.array([query_id], '<u8').view('<u4')
        bad_B = (batch.query_id == words[None]).all(axis=1)
        own_B = own_B * jax.numpy.where(bad_B, factor, 1)
        value = value * jax.numpy.where(bad_B.any(), factor, 1)
      return value, metrics | {'example_loss': own_B}

    return spoilt

  return make_loss


def first_met(loader, step):
  """Returns an example that no step before has."""
  earlier = {r.query_id for each in range(step) for r in loader.examples(each)}
  return next(r for r in loader.examples(step) if r.query_id not in earlier)


def test_a_loss_that_is_not_finite_stops_names_and_keeps(
  tiny_run, loader, train, tmp_path, capsys, monkeypatch
):
  record = first_met(loader, 6)
  folder = tmp_path / 'run'
  with monkeypatch.context() as patch:
    patch.setattr(loop, 'make_loss', poisoned({record.query_id: math.nan}))
    assert train(folder) == 1
  message = capsys.readouterr().err
  assert message.startswith('gemb: Step 7: loss is nan')
  assert f"1 examples of 'golden_pairs': {record.name} (" in message
  assert message.count('\n') == 1
  report = json.loads((folder / 'not_finite_7.json').read_text())
  assert report['examples'] == [record.name]
  # The checkpoint of step 4 is good: without the poison it goes on from there.
  assert [path.name for path in (folder / 'checkpoints').iterdir()] == ['4']
  assert train(folder) == 0
  assert_same_result(folder, tiny_run)


def test_steps_that_are_left_out_are_told_and_the_same_after_a_restart(
  loader, train, tmp_path, capsys, monkeypatch
):
  bad, steep = first_met(loader, 5), first_met(loader, 7)
  poisons = {bad.query_id: math.nan, steep.query_id: 1000.0}
  found = {}
  for step in range(10):
    ids = {record.query_id for record in loader.examples(step)}
    if steep.query_id in ids:
      found[step + 1] = 'spike', steep.name
    if bad.query_id in ids:
      found[step + 1] = 'not_finite', bad.name
  assert {'spike', 'not_finite'} == {reason for reason, _ in found.values()}
  assert found.keys() < set(range(6, 11))

  whole, broken = tmp_path / 'whole', tmp_path / 'broken'
  monkeypatch.setattr(loop, 'make_loss', poisoned(poisons))
  guard = [
    'Run.guard=@GuardConfig()',
    "GuardConfig.not_finite='skip'",
    "GuardConfig.spike='skip'",
    'GuardConfig.after=5',
  ]
  assert train(whole, *guard) == 0
  lines = (whole / 'skipped.jsonl').read_text()
  told = [json.loads(line) for line in lines.splitlines()]
  assert {x['step']: (x['reason'], x['examples'][0]) for x in told} == found
  assert capsys.readouterr().out.count('The step is left out.') == len(found)
  skipped = [x for x in read_metrics(whole) if x.get('skipped')]
  assert [line['step'] for line in skipped] == list(found)
  assert not any('loss' in line for line in skipped)
  assert losses(whole).keys() == set(range(1, 11)) - found.keys()

  shutil.copytree(whole, broken)
  shutil.rmtree(broken / 'checkpoints' / '10')
  assert train(broken, *guard) == 0
  assert 'Going on from the checkpoint of step 8' in capsys.readouterr().out
  assert_same_result(broken, whole)
  assert (broken / 'skipped.jsonl').read_text() == lines
