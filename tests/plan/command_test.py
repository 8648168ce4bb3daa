"""gemb plan: what it prints, and what it refuses in one sentence."""

import pytest

from gemb import main
from gemb.plan import compiler, search


@pytest.fixture
def plan(tiny_gin, capsys):
  """Runs `gemb plan` on the tiny run; returns status, output and complaint."""

  def run(*arguments):
    status = main.main(['plan', f'--gin_file={tiny_gin}', *arguments])
    return status, *capsys.readouterr()

  return run


@pytest.fixture
def answered(monkeypatch, compiled):
  """Answers in the compiler's place."""
  monkeypatch.setattr(compiler, 'compile_program', lambda *_, **__: compiled)


@pytest.mark.usefixtures('answered')
def test_a_plan_tells_memory_speed_and_cost(plan):
  status, output, _ = plan('--topology=v5e:2x2', '--price=1.2', '--pairs=1000')
  assert status == 0
  assert 'It fits: 12.00 of 16.00 GiB a chip' in output
  assert 'of it activations' in output
  assert "times the model's own" in output
  assert '1,000 pairs take at least' in output
  assert 'at $1.2 a chip-hour' in output


@pytest.mark.usefixtures('answered')
def test_where_tasks_have_batch_sizes_the_largest_is_planned(plan):
  sizes = '--gin.DataConfig.batch_sizes={"golden_pairs": 64}'
  status, output, _ = plan('--topology=v5e:2x2', sizes)
  assert status == 0
  assert output.startswith('64 pairs with 1 hard negatives')
  assert '\n640 pairs take at least' in output  # in 10 steps


def test_a_plan_is_refused_where_the_mesh_fits_one_batch_size_alone(plan):
  prompts = '--gin.DataConfig.prompts={"golden_pairs": "search result", '
  prompts += '"golden_held_out": "search result", "b": "search result"}'
  status, _, error = plan(
    '--topology=v5e:4x4',
    prompts,
    '--gin.DataConfig.rates={"golden_pairs": 1.0, "b": 1.0}',
    '--gin.DataConfig.batch_sizes={"b": 24}',
    '--gin.Run.microbatch=96',
  )
  assert status == 2
  assert "DataConfig.batch_sizes['b'] is 24, which the 16 devices" in error


def test_sharding_is_shown_without_a_compiler(plan):
  status, output, _ = plan(
    '--topology=v5e:4x4', '--show_sharding', '--gin.MeshConfig.fsdp=4'
  )
  assert status == 0
  assert "parameters['encoder']['table']" in output
  assert 'embed: fsdp' in output
  assert 'No array of 1 MiB or more is whole on every device.' in output


@pytest.mark.usefixtures('answered')
def test_a_search_ends_with_the_bindings_of_the_best(plan, monkeypatch):
  monkeypatch.setattr(search, 'held_arrays', lambda *_: [])
  status, output, _ = plan(
    '--topology=v5e:2x2', '--search=speed', '--gin.Run.microbatch=32'
  )
  assert status == 0
  assert '\nFastest: batch 32, microbatch 32, remat none' in output
  assert '--gin.Run.microbatch=32' in output


@pytest.mark.parametrize(
  ('arguments', 'said'),
  [
    (['--topology=v5x:2x2'], 'no chip that is known here'),
    (['--topology=v5e:2x2x2'], 'must give 2 sides'),
    (['--topology=v5e:8x8'], 'DataConfig.batch_size is 32'),
    (['--topology=v5e:2x2', '--gin.MeshConfig.fsdp=3'], 'a multiple of 3'),
  ],
)
def test_what_is_wrong_is_one_sentence(plan, arguments, said):
  status, output, error = plan(*arguments)
  assert (status, output) == (2, '')
  assert error.startswith('gemb: ') and said in error
  assert error.count('\n') == 1


def test_a_missing_libtpu_is_one_sentence_too(plan, monkeypatch, tmp_path):
  monkeypatch.setenv('GEMB_DATA', str(tmp_path))
  monkeypatch.setattr(compiler.importlib.util, 'find_spec', lambda _: None)
  status, _, error = plan('--topology=v5e:2x2')
  assert status == 2
  assert "pip install -e '.[plan]'" in error
