"""`gemb certify`, from its arguments to its exit status."""

import json
import subprocess
import sys

import pytest

from gemb import config, main
from gemb.certify import measure, meshes

RUN = '--gin_file=configs/run/02_finetune.gin'
DEVICES = """
from gemb.commands import certifying
certifying._simulate_devices()
import jax
print(len(jax.devices()), jax.devices()[0].platform)
"""


@pytest.fixture
def certify(finetuning, mesh, monkeypatch):
  """Runs the command on one mesh of eight devices; returns its status."""
  chosen = [mesh(data=8)], ["The mesh axis 'tensor' was left out."]
  monkeypatch.setattr(meshes, 'choose_meshes', lambda run: chosen)
  monkeypatch.setattr(measure, 'prepare', lambda run: finetuning)
  return lambda *options: main.main(['certify', RUN, *options])


def test_a_run_is_certified_and_a_copy_lies_in_its_folder(
  certify, tmp_path, capsys
):
  assert certify(f'--workdir={tmp_path}') == 0
  said = capsys.readouterr().out
  assert said.startswith('data=8: the loss differs by ')
  assert said.endswith((tmp_path / 'certificate.md').read_text())
  assert '| Run.microbatch                 | 64 ' in said
  assert "The mesh axis 'tensor' was left out." in said
  content = json.loads((tmp_path / 'certificate.json').read_text())
  assert content['agrees'] is True
  assert content['rows'][0]['mesh'] == {'data': 8, 'fsdp': 1, 'tensor': 1}
  assert content['about']['commit']


def test_a_planted_fault_ends_with_status_1(certify, capsys):
  assert certify('--fault=scaled_gradient') == 1
  said = capsys.readouterr()
  assert '# Not certified' in said.out
  assert said.err.startswith('gemb: 1 of 1 meshes do not agree')
  assert said.err.count('\n') == 1


def test_a_planted_fault_leaves_no_copy(certify, tmp_path, capsys):
  options = '--fault=scaled_gradient', f'--workdir={tmp_path}'
  assert certify(*options) == 2
  assert 'leave out --workdir' in capsys.readouterr().err
  assert not list(tmp_path.iterdir())


def test_the_folder_of_another_run_gets_no_certificate(
  certify, tmp_path, capsys
):
  _, text = config.load(['configs/run/00_quickstart.gin'])
  (tmp_path / 'config.gin').write_text(text)
  assert certify(f'--workdir={tmp_path}') == 2
  assert 'holds another run' in capsys.readouterr().err


def test_an_unknown_fault_is_refused_with_those_that_there_are(certify, capsys):
  with pytest.raises(SystemExit):
    certify('--fault=shifted')
  assert 'one_sided_mask' in capsys.readouterr().err


def test_devices_are_simulated_before_jax_starts():
  done = subprocess.run(
    [sys.executable, '-c', DEVICES], capture_output=True, text=True
  )
  assert done.stdout.split() == ['8', 'cpu'], done.stderr
