"""Through the real libraries, offline: W&B's own file, MLflow's own folder."""

import json
import struct
import sys

import pytest

from gemb import stopping
from gemb.losses.config import LossConfig
from gemb.tracking.config import MlflowConfig, TrackingConfig, WandbConfig
from gemb.tracking.opening import flat
from gemb.train import metrics

WANDB = TrackingConfig(wandb=WandbConfig())


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
  monkeypatch.setenv('WANDB_MODE', 'offline')
  monkeypatch.setenv('WANDB_API_KEY', 'secret' * 7)
  monkeypatch.setenv('WANDB_CACHE_DIR', str(tmp_path / 'cache'))
  monkeypatch.setenv('WANDB_X_DISABLE_STATS', 'true')
  monkeypatch.delenv('MLFLOW_TRACKING_URI', raising=False)


def write(config, folder, start, lines, parameters, ends=None):
  """Writes lines of metrics as one start of a run would."""
  folder.mkdir(exist_ok=True)
  with metrics.open_writer(
    folder, config, parameters, start=start, steps=9
  ) as writer:
    for step, values in lines:
      writer.write(step, values)
    if ends:
      raise ends


def twice(config, folder):
  """Writes as a run does that is stopped, and goes on from an older step."""
  first = [
    (1, {'loss': 3.0}),
    (2, {'loss': 2.0}),
    (2, {'eval/accuracy@4': 0.5}),
  ]
  with pytest.raises(stopping.Stopped):
    write(config, folder, 0, first, {'steps': 2}, stopping.Stopped('stopped'))
  second = [*first[1:], (3, {'loss': 1.0})]
  write(config, folder, 1, second, {'steps': 3, 'commit': 'abc'})


def mlflow_run(uri, experiment='gemb'):
  """Returns a client of MLflow, and the one run of an experiment."""
  from mlflow.tracking import MlflowClient

  client = MlflowClient(tracking_uri=uri)
  found = client.get_experiment_by_name(experiment)
  (run,) = client.search_runs([found.experiment_id])
  return client, run


def wandb_records(folder):
  """Yields what Weights & Biases wrote for `wandb sync`, start after start."""
  import wandb
  from wandb.proto import wandb_internal_pb2

  wandb.teardown()  # its service has written all when it has ended
  for path in sorted(folder.rglob('*.wandb')):
    # A log of LevelDB: checksum, length and kind (1: whole) before each record.
    data, place = path.read_bytes(), 7
    while place < len(data):
      size, kind = struct.unpack_from('<HB', data, place + 4)
      assert kind == 1 and len(data) < 2**15, 'longer than these tests write'
      record = data[place + 7 : place + 7 + size]
      yield wandb_internal_pb2.Record.FromString(record)
      place += 7 + size


def test_weights_and_biases_has_each_line_once_in_one_run(tmp_path):
  twice(WANDB, tmp_path / 'mine')
  records = list(wandb_records(tmp_path / 'mine'))
  runs = [r.run for r in records if r.HasField('run')]
  assert len({run.run_id for run in runs}) == 1
  assert {(run.display_name, run.project) for run in runs} == {('mine', 'gemb')}
  rows = [
    {
      '/'.join(item.nested_key) or item.key: json.loads(item.value_json)
      for item in record.history.item
    }
    for record in records
    if record.HasField('history')
  ]
  seen = [
    {k: v for k, v in row.items() if not k.startswith('_')} for row in rows
  ]
  assert seen == [
    {'step': 1, 'loss': 3.0},
    {'step': 2, 'loss': 2.0},
    {'step': 2, 'eval/step': 2, 'eval/accuracy@4': 0.5},
    {'step': 3, 'loss': 1.0},
  ]
  exits = [r.exit.exit_code for r in records if r.HasField('exit')]
  assert exits == [1, 0]
  assert sum(r.HasField('preempting') for r in records) == 1


def test_weights_and_biases_gets_parameters_but_no_key_host_or_user(tmp_path):
  write(WANDB, tmp_path / 'mine', 0, [], {'optimizer.learning_rate': 0.1})
  configs = [
    {item.key or '/'.join(item.nested_key): item.value_json for item in update}
    for record in wandb_records(tmp_path / 'mine')
    for update in (record.config.update, record.run.config.update)
  ]
  assert any(
    config.get('optimizer.learning_rate') == '0.1' for config in configs
  )
  written = b''.join(
    path.read_bytes() for path in tmp_path.rglob('*') if path.is_file()
  )
  assert b'secretsecret' not in written
  assert not list(tmp_path.rglob('wandb-metadata.json'))
  runs = [r.run for r in wandb_records(tmp_path / 'mine') if r.HasField('run')]
  assert {run.host for run in runs} == {''}


def test_mlflow_has_each_line_once_in_one_run(tmp_path):
  uri = f'file:{tmp_path}/mlruns'
  config = TrackingConfig(mlflow=MlflowConfig(uri=uri, experiment='small'))
  twice(config, tmp_path / 'mine')
  client, run = mlflow_run(uri, 'small')
  assert (run.info.run_name, run.info.status) == ('mine', 'FINISHED')
  history = {
    name: [
      (point.step, point.value)
      for point in client.get_metric_history(run.info.run_id, name)
    ]
    for name in run.data.metrics
  }
  assert history == {
    'loss': [(1, 3.0), (2, 2.0), (3, 1.0)],
    'eval/accuracy:4': [(2, 0.5)],
  }
  # A parameter cannot change in MLflow: the new value is a tag.
  assert run.data.params == {'steps': '2', 'commit': 'abc'}
  assert run.data.tags['steps'] == '3'


def test_lines_that_were_not_sent_before_a_kill_are_sent_when_a_run_goes_on(
  tmp_path, monkeypatch
):
  from gemb.tracking.mlflow_run import MlflowRun

  uri = f'file:{tmp_path}/mlruns'
  config = TrackingConfig(mlflow=MlflowConfig(uri=uri))
  lines = [(step, {'loss': float(step)}) for step in range(1, 7)]
  send = MlflowRun.log

  def send_two(run, kind, step, values):
    if step > 2:
      raise TimeoutError  # the process is killed before it is sent
    send(run, kind, step, values)

  with monkeypatch.context() as patched:
    patched.setattr(MlflowRun, 'log', send_two)
    write(config, tmp_path / 'mine', 0, lines[:5], {})
  write(config, tmp_path / 'mine', 5, lines[5:], {})
  client, run = mlflow_run(uri)
  points = client.get_metric_history(run.info.run_id, 'loss')
  assert [point.step for point in points] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
  ('end', 'status'),
  [
    (stopping.Stopped('SIGTERM'), 'KILLED'),
    (KeyboardInterrupt(), 'KILLED'),
    (OSError('the disk is full'), 'FAILED'),
  ],
)
def test_a_service_is_told_how_a_run_ended(tmp_path, end, status):
  uri = f'file:{tmp_path}/mlruns'
  config = TrackingConfig(mlflow=MlflowConfig(uri=uri))
  with pytest.raises(type(end)):
    write(config, tmp_path / 'mine', 0, [], {}, end)
  assert mlflow_run(uri)[1].info.status == status


def test_many_parameters_are_written_and_may_change_and_change_back(tmp_path):
  uri = f'file:{tmp_path}/mlruns'
  config = TrackingConfig(mlflow=MlflowConfig(uri=uri))
  for value in ('1.0', '2.0', '1.0'):
    many = {f'rates.{n}': value for n in range(250)}
    write(config, tmp_path / 'mine', 0, [], many | {'prompt': 'long ' * 9999})
    data = mlflow_run(uri)[1].data
    assert len(data.params) == 251
    shown = data.params | data.tags
    assert {shown[f'rates.{n}'] for n in range(250)} == {value}


def test_an_experiment_that_another_run_has_just_made_is_used(
  tmp_path, monkeypatch
):
  from mlflow.tracking import MlflowClient

  uri = f'file:{tmp_path}/mlruns'
  monkeypatch.setenv('MLFLOW_ALLOW_FILE_STORE', 'true')
  MlflowClient(tracking_uri=uri).create_experiment('gemb')
  look = MlflowClient.get_experiment_by_name
  found = iter([None])  # the first time it is not there
  with monkeypatch.context() as patched:
    patched.setattr(
      MlflowClient,
      'get_experiment_by_name',
      lambda client, name: next(found, look(client, name)),
    )
    write(
      TrackingConfig(mlflow=MlflowConfig(uri=uri)), tmp_path / 'mine', 0, [], {}
    )
  assert mlflow_run(uri)[1].info.status == 'FINISHED'


def test_a_server_that_is_not_there_is_told_before_training(
  tmp_path, monkeypatch
):
  monkeypatch.setenv('MLFLOW_HTTP_REQUEST_MAX_RETRIES', '0')
  config = TrackingConfig(mlflow=MlflowConfig())
  with pytest.raises(ValueError, match='MLFLOW_TRACKING_URI is not set'):
    write(config, tmp_path, 0, [], {})
  monkeypatch.setenv('MLFLOW_TRACKING_URI', 'http://me:secret@127.0.0.1:9')
  with pytest.raises(ValueError, match='does not let the run begin') as caught:
    write(config, tmp_path, 0, [], {})
  assert 'http://127.0.0.1:9' in str(caught.value)
  assert 'secret' not in str(caught.value)


def test_a_key_that_cannot_be_one_is_told_before_training(
  tmp_path, monkeypatch
):
  import wandb

  wandb.teardown()  # it has read the environment, and reads it anew
  monkeypatch.setenv('WANDB_MODE', 'online')
  monkeypatch.setenv('WANDB_API_KEY', 'secret')
  with pytest.raises(ValueError, match='does not let the run begin') as caught:
    write(WANDB, tmp_path, 0, [], {})
  wandb.teardown()
  assert 'secret' not in str(caught.value)


@pytest.mark.parametrize('name', ['wandb', 'mlflow'])
def test_a_service_that_is_not_installed_is_told(name, tmp_path, monkeypatch):
  for module in (name, f'{name}.entities'):
    monkeypatch.setitem(sys.modules, module, None)
  monkeypatch.delitem(sys.modules, f'gemb.tracking.{name}_run', raising=False)
  chosen = {'wandb': WandbConfig(), 'mlflow': MlflowConfig(uri='file:/x')}
  with pytest.raises(ValueError, match=rf"pip install -e '\.\[{name}\]'"):
    write(TrackingConfig(**{name: chosen[name]}), tmp_path, 0, [], {})


def test_the_first_process_alone_is_followed(tmp_path, monkeypatch):
  monkeypatch.setattr(metrics.distributed, 'is_first', lambda: False)
  write(WANDB, tmp_path, 0, [(1, {'loss': 3.0})], {})
  assert not list(tmp_path.iterdir())


def test_a_table_has_the_values_of_a_tree_by_their_paths():
  tree = {'sources': ({'task': 'a'}, {'task': 'b'}), 'shapes': ((1, 2),)}
  assert flat(tree) == {
    'sources.0.task': 'a',
    'sources.1.task': 'b',
    'shapes.0': [1, 2],
  }
  assert (
    flat(LossConfig(prefixes=(4, 8), temperature=0.05)).items()
    >= {'temperature': 0.05}.items()
  )
