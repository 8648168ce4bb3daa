import pytest

from gemb import config
from gemb.data import locks
from gemb.sweep.family import find_family, gin_text, open_family, plan_family

RATES = 'gemb.data.config.DataConfig.rates'
STEPS = 'gemb.run.Run.steps'
SCORES = {'bitext/accuracy@16': 0.5}


def test_the_files_of_a_folder_repeat_its_run(make_family):
  family = make_family()
  run, program = family.begin('one', {STEPS: 4})
  assert (run.steps, run.model) == (4, family.run.model)
  assert config.load(family.files('one')) == (run, program)
  assert family.load('one') == run
  assert find_family(family.root) == family


def test_a_name_depends_on_the_values_and_on_the_base(make_family):
  family = make_family()
  name = family.name_of({STEPS: 4, RATES: {'b': 1.0}})
  others = {
    family.name_of({STEPS: 5, RATES: {'b': 1.0}}),
    make_family('Run.seed=7', name='other').name_of(
      {STEPS: 4, RATES: {'b': 1.0}}
    ),
  }
  assert len(others - {name}) == 2
  assert name.startswith('points/') and len(name) == len('points/') + 10


def test_the_contents_of_two_values_are_not_mixed_up(make_family):
  tables = [
    f'gemb.data.config.DataConfig.{x}' for x in ('mined_negatives', 'filtered')
  ]
  contents = [{'a': 'x'}, {'b': 'y'}]
  one = dict(zip(tables, contents, strict=True))
  other = dict(zip(tables, contents[::-1], strict=True))
  family = make_family()
  assert family.name_of(one) != family.name_of(other)


def test_what_is_planned_is_what_is_opened(make_family, tiny_gin, golden_model):
  tokenizer = f"TokenizerConfig.path='{golden_model}'"
  run, program = config.load([tiny_gin], [tokenizer])
  opened = make_family()
  assert plan_family(opened.root, run, program) == opened
  elsewhere = opened.root.with_name('elsewhere')
  planned = plan_family(elsewhere, run, program)
  assert planned.name_of({STEPS: 4}) == opened.name_of({STEPS: 4})
  assert not elsewhere.exists()


def test_a_run_has_ended_with_its_checkpoint_and_evaluation(make_family, end):
  family = make_family()
  run, _ = family.begin('one', {STEPS: 4})
  assert not family.has_ended('one', run)
  end(family, 'one', {}, step=4)  # killed before the evaluation
  assert not family.has_ended('one', run)
  (family.root / 'one' / 'checkpoints' / '4').rmdir()
  (family.root / 'one' / 'checkpoints').rmdir()
  end(family, 'one', SCORES, step=4)
  assert family.has_ended('one', run)
  assert family.scores('one', run) == SCORES
  unevaluated = {
    f'gemb.evals.suite.EvalConfig.{kind}': ()
    for kind in ('bitext', 'retrieval')
  }
  metric = {'gemb.train.checkpoints.CheckpointConfig.best_metric': ''}
  run, _ = family.begin('two', {STEPS: 4} | unevaluated | metric)
  end(family, 'two', {}, step=4)
  assert family.has_ended('two', run)


def test_a_tokenizer_of_all_tasks_must_be_there(
  tiny_gin, tmp_path, monkeypatch
):
  monkeypatch.setenv('GEMB_DATA', str(tmp_path / 'data'))
  run, text = config.load([tiny_gin])
  with (
    pytest.raises(FileNotFoundError, match='run `gemb cache` to train one'),
    open_family(tmp_path / 'family', run, text),
  ):
    pass
  assert not (tmp_path / 'family').exists()


def test_a_folder_of_another_run_is_refused_with_what_differs(make_family):
  family = make_family()
  family.begin('one', {STEPS: 4})
  with pytest.raises(
    ValueError, match=r'another run, .*: seed was 0, is 1\. Give'
  ):
    make_family('Run.seed=1')
  with pytest.raises(ValueError, match=r'was 1, is 2; .*, and 1 more'):
    make_family(
      'Run.seed=1',
      'Run.steps=11',
      'Run.log_every_steps=2',
      'OptimizerConfig.weight_decay=0.5',
    )
  assert make_family() == family
  with pytest.raises(ValueError, match='holds other values than this run'):
    family.begin('one', {STEPS: 5})


def test_a_folder_without_a_sweep_is_refused(tmp_path):
  with pytest.raises(FileNotFoundError, match=r'holds no sweep \(no base.gin'):
    find_family(tmp_path)


def test_two_sweeps_in_one_folder_are_refused(make_family):
  folder = make_family().root
  with locks.hold(folder / '.lock'):
    (folder / 'base.gin').unlink()
    with pytest.raises(ValueError, match='is being swept by another process'):
      make_family()
    assert not (folder / 'base.gin').exists()  # it belongs to who is there
  make_family()


def test_values_are_written_as_gin_reads_them():
  text = gin_text(
    {RATES: {'a': 2.0, 'b': 1.0}, STEPS: 3, 'own/gemb.run.Run.seed': 1},
    ['Two', 'lines.'],
  )
  assert text == (
    '# Two\n'
    '# lines.\n'
    'from __gin__ import dynamic_registration\n'
    'import gemb.data.config\n'
    'import gemb.run\n'
    '\n'
    'gemb.data.config.DataConfig.rates = {\n'
    "    'a': 2.0,\n"
    "    'b': 1.0,\n"
    '}\n'
    'gemb.run.Run.steps = 3\n'
    'own/gemb.run.Run.seed = 1\n'
  )
  with pytest.raises(ValueError, match='which gin cannot write'):
    gin_text({STEPS: object()})
