import datetime
import json

import pytest

from gemb import workdir
from gemb.data.tokenizer import Tokenizer


@pytest.fixture
def tokenizer(golden_model):
  return Tokenizer(golden_model)


def test_a_folder_is_made_with_its_parents(tmp_path):
  made = workdir.make_workdir(tmp_path / 'runs' / 'try')
  assert made.root == tmp_path / 'runs' / 'try'
  assert list(made.root.iterdir()) == []


def test_a_folder_that_is_there_keeps_what_it_holds(tmp_path):
  (tmp_path / 'config.gin').write_text('mine')
  assert workdir.make_workdir(tmp_path).config.read_text() == 'mine'


def test_a_relative_folder_stays_where_it_was(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  assert workdir.make_workdir('run').root == tmp_path / 'run'


def test_all_files_lie_in_the_folder(tmp_path):
  found = workdir.Workdir(tmp_path)
  names = {
    'config': 'config.gin',
    'about': 'about.json',
    'starts': 'starts.jsonl',
    'tokenizer': 'tokenizer.model',
    'checkpoints': 'checkpoints',
    'results': 'results.json',
    'report': 'report.html',
  }
  for attribute, name in names.items():
    assert getattr(found, attribute) == tmp_path / name


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
  (tmp_path / 'file').write_text('')
  for path in (tmp_path / 'file', tmp_path / 'file' / 'run'):
    with pytest.raises(OSError, match=r'cannot be written \(.*choose another'):
      workdir.make_workdir(path)


def test_a_folder_without_a_run_is_refused(tmp_path):
  with pytest.raises(FileNotFoundError, match=r'holds no run \(no config'):
    workdir.find_workdir(tmp_path)
  with pytest.raises(FileNotFoundError, match='nowhere holds no run'):
    workdir.find_workdir(tmp_path / 'nowhere')


def test_a_run_that_began_is_found(tmp_path):
  made = workdir.make_workdir(tmp_path)
  made.write_run("Run.name = 'Ω'\n", {'commit': 'abc'})
  found = workdir.find_workdir(tmp_path)
  assert found == made
  assert found.config.read_text(encoding='utf-8') == "Run.name = 'Ω'\n"
  assert json.loads(found.about.read_text()) == {'commit': 'abc'}


def test_every_start_leaves_a_line_that_names_no_user_and_no_host(tmp_path):
  made = workdir.make_workdir(tmp_path)
  about = {'commit': 'abc', 'device': 'cpu', 'devices': 8, 'hosts': 1}
  made.write_start(0, about | {'command': 'gemb train', 'python': '3.11'})
  made.write_start(4, about | {'devices': 2}, ['x was 1, is 2'])
  lines = [json.loads(line) for line in made.starts.read_text().splitlines()]
  for line in lines:
    assert datetime.datetime.fromisoformat(line.pop('time')).utcoffset() == (
      datetime.timedelta(0)
    )
  assert lines == [
    {'step': 0} | about | {'changed': []},
    {'step': 4} | about | {'devices': 2, 'changed': ['x was 1, is 2']},
  ]


def test_each_value_that_differs_between_two_configs_is_told():
  was = """from gemb import run

run.Run.steps = 10
run.Run.seed = 0
# run.Run.guard = GuardConfig(spike='ignore')
"""
  now = """from gemb import run as gemb_run

run.Run.steps = 20
run.Run.seed = 0
run.Run.guard = @guard.GuardConfig()
guard.GuardConfig.spike = 'stop'
"""
  assert workdir.changes(was, was) == []
  assert workdir.changes(was, now) == [
    "guard.GuardConfig.spike was not there, is 'stop'",
    "run.Run.guard was GuardConfig(spike='ignore'), is @guard.GuardConfig()",
    'run.Run.steps was 10, is 20',
  ]


def test_a_folder_that_another_machine_has_not_written_is_told(tmp_path):
  made = workdir.make_workdir(tmp_path)
  for seen in (None, 'Run.steps = 2\n'):
    if seen:
      made.config.write_text(seen)
    with pytest.raises(OSError, match='is not the folder that process 0 writ'):
      made.check_begun('Run.steps = 1\n')
  made.write_run('Run.steps = 1\n', {})
  made.check_begun('Run.steps = 1\n')


def test_the_tokenizer_is_kept(tmp_path, tokenizer):
  made = workdir.make_workdir(tmp_path)
  made.write_tokenizer(tokenizer)
  made.write_tokenizer(tokenizer)
  assert Tokenizer(made.tokenizer).sha256 == tokenizer.sha256


def test_another_tokenizer_is_refused(tmp_path, tokenizer):
  made = workdir.make_workdir(tmp_path)
  content = tokenizer.path.read_bytes() + b'\xfa\x3f\x00'  # an unknown field
  made.tokenizer.write_bytes(content)
  with pytest.raises(
    ValueError,
    match=f'was begun with tokenizer .*, and the run names '
    f'{tokenizer.sha256[:12]}',
  ):
    made.write_tokenizer(tokenizer)
  assert made.tokenizer.read_bytes() == content
