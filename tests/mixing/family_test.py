import pytest

from gemb import config
from gemb.mixing.family import RATES, gin_text, open_family

STEPS = 'gemb.run.Run.steps'


@pytest.fixture
def make_family(tiny_gin, two_tasks, tmp_path):
  """Opens a family of the tiny run with two tasks; more are bindings."""

  def open_folder(*bindings):
    run, text = config.load([tiny_gin], [*two_tasks, *bindings])
    return open_family(tmp_path / 'family', run, text)

  return open_folder


def test_a_run_differs_in_what_was_changed_alone(make_family, trained):
  family = make_family()
  family.train('one', {STEPS: 4, RATES: {'b': 2.0}})
  (run,) = trained
  assert (run.steps, run.data.rates) == (4, {'b': 2.0})
  assert (run.model, run.loss) == (family.run.model, family.run.loss)


def test_the_files_of_a_folder_repeat_its_run(make_family, trained):
  family = make_family()
  family.train('one', {STEPS: 4})
  files = [family.root / 'base.gin', family.root / 'one' / 'point.gin']
  assert config.load(list(map(str, files)))[0] == trained[0]
  assert (family.root / 'one' / 'config.gin').is_file()


def test_a_run_that_has_ended_is_not_trained_again(make_family, trained):
  family = make_family()
  metrics = family.train('one', {STEPS: 4})
  assert family.train('one', {STEPS: 4}) == metrics
  assert len(trained) == 1
  (family.root / 'one' / 'checkpoints' / '4').rmdir()  # as if it was killed
  with pytest.raises(FileExistsError):
    (family.root / 'one' / 'checkpoints').mkdir()
  family.train('one', {STEPS: 4})
  assert len(trained) == 2


def test_the_scores_of_a_mixture_are_those_of_its_end(make_family, trained):
  family = make_family()
  scores = family.train_mixture('0abc', {'a': 250, 'b': 750})
  assert scores == {f'bitext/accuracy@{p}': 0.65 for p in (4, 8, 16)}
  assert trained[0].data.rates == {'a': 250.0, 'b': 750.0}
  assert (family.root / 'points' / '0abc' / 'point.gin').is_file()


def test_a_tokenizer_of_all_tasks_must_be_there(
  tiny_gin, two_tasks, tmp_path, monkeypatch
):
  monkeypatch.setenv('GEMB_DATA', str(tmp_path / 'data'))
  tasks, prompts, _ = two_tasks
  run, text = config.load([tiny_gin], [tasks, prompts])
  with pytest.raises(FileNotFoundError, match='run `gemb cache` to train one'):
    open_family(tmp_path / 'family', run, text)
  assert not (tmp_path / 'family').exists()


def test_a_folder_of_another_run_is_refused(make_family, trained):
  family = make_family()
  family.train('one', {STEPS: 4})
  with pytest.raises(ValueError, match='was begun with another run'):
    make_family('Run.seed=1')
  assert make_family() == family
  with pytest.raises(ValueError, match='holds other values than this run'):
    family.train('one', {STEPS: 5})


def test_values_are_written_as_gin_reads_them():
  text = gin_text(
    {RATES: {'a': 2.0, 'b': 1.0}, STEPS: 3, 'gemb.run.Run.seed': 1},
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
    'gemb.run.Run.seed = 1\n'
  )
