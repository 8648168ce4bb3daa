import pytest

from gemb import config
from gemb.mixing.mixture import RATES
from gemb.mixing.training import train, train_mixture
from gemb.sweep.family import open_family

STEPS = 'gemb.run.Run.steps'


@pytest.fixture
def family(tiny_gin, two_tasks, tmp_path):
  run, text = config.load([tiny_gin], two_tasks)
  with open_family(tmp_path / 'family', run, text) as opened:
    yield opened


def test_a_run_differs_in_what_was_changed_alone(family, trained):
  train(family, 'one', {STEPS: 4, RATES: {'b': 2.0}})
  (run,) = trained
  assert (run.steps, run.data.rates) == (4, {'b': 2.0})
  assert (run.model, run.loss) == (family.run.model, family.run.loss)
  assert (family.root / 'one' / 'config.gin').is_file()


def test_a_run_that_has_ended_is_not_trained_again(family, trained):
  metrics = train(family, 'one', {STEPS: 4})
  assert train(family, 'one', {STEPS: 4}) == metrics
  assert len(trained) == 1
  # As if it was killed.
  (family.root / 'one' / 'checkpoints' / '4').rename(family.root / 'kept')
  (family.root / 'one' / 'checkpoints').rmdir()
  train(family, 'one', {STEPS: 4})
  assert len(trained) == 2


def test_the_scores_of_a_mixture_are_those_of_its_end(family, trained):
  scores = train_mixture(family, '0abc', {'a': 250, 'b': 750})
  assert scores == {f'bitext/accuracy@{p}': 0.65 for p in (4, 8, 16)}
  assert trained[0].data.rates == {'a': 250.0, 'b': 750.0}
  assert (family.root / 'points' / '0abc' / 'point.gin').is_file()
