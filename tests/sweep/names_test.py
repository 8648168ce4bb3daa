import pytest

from gemb import config
from gemb.sweep.names import canonical, has_value, value_in, whole_name

RATE = 'gemb.train.optimizer.OptimizerConfig.learning_rate'


@pytest.fixture
def run(tiny_gin):
  return config.load([tiny_gin])[0]


@pytest.mark.parametrize(
  'name', ['OptimizerConfig.learning_rate', f'{RATE[5:]}', RATE]
)
def test_any_end_of_a_name_is_enough(run, name):
  assert whole_name(run, name) == RATE
  assert whole_name(run, f'own/{name}') == f'own/{RATE}'


def test_a_name_finds_its_value(run):
  assert value_in(run, RATE) == 1e-2
  assert value_in(run, f'own/{RATE}') == 1e-2
  assert value_in(run, 'gemb.no.Such.value') is None


def test_equal_values_are_written_equally(run):
  assert repr(canonical(run, RATE, 1)) == '1.0'
  rates = 'gemb.data.config.DataConfig.rates'
  assert repr(canonical(run, rates, {'b': 1, 'a': 2})) == "{'a': 2.0, 'b': 1.0}"
  assert canonical(run, RATE, 'fast') == 'fast'  # to be refused with its type


def test_a_run_has_a_value_where_its_name_says(run):
  assert has_value(run, RATE, 1e-2) and has_value(run, f'own/{RATE}', 1e-2)
  assert not has_value(run, RATE, 1e-3)


@pytest.mark.parametrize(
  ('name', 'said'),
  [
    ('OptimzerConfig.learning_rate', 'mean OptimizerConfig'),
    ('OptimizerConfig.learning_rat', 'no parameter .* mean learning_rate'),
    ('izerConfig.learning_rate', 'the run has no izerConfig'),
    ('learning_rate', r'write CLASS\.PARAMETER'),
  ],
)
def test_what_is_no_name_is_told_with_the_nearest(run, name, said):
  with pytest.raises(ValueError, match=said):
    whole_name(run, name)
