import json

import numpy as np
import pytest

from gemb import config
from gemb.mixing.convergence import Curve
from gemb.mixing.rates import describe, measure, write_rates
from gemb.sweep.family import open_family


def curve(steps, losses):
  return Curve(steps=np.array(steps), loss=np.array(losses))


# Of 100 steps, 'fast' needs 10, 'slow' 90.
CURVES = {
  'fast': curve([1, 10, 100], [4.0, 1.01, 1.0]),
  'slow': curve([1, 10, 90, 100], [4.0, 3.0, 1.1, 1.0]),
}


def test_rates_are_in_proportion_to_the_steps_to_converge(tmp_path, tiny_gin):
  assert write_rates(tmp_path, CURVES) == {'fast': 100, 'slow': 900}
  prompts = dict.fromkeys(('fast', 'slow', 'golden_held_out'), 'clustering')
  run, _ = config.load(
    [tiny_gin, str(tmp_path / 'rates.gin')], [f'DataConfig.prompts={prompts}']
  )
  assert run.data.rates == {'fast': 100.0, 'slow': 900.0}
  assert '#   slow: 90 steps\n' in (tmp_path / 'rates.gin').read_text()
  found = json.loads((tmp_path / 'rates.json').read_text())
  assert found['slow'] == {
    'rate': 900,
    'steps': 90,
    'of_steps': 100,
    'late': True,
    'first_loss': 4.0,
    'last_loss': 1.0,
  }
  assert not found['fast']['late']
  assert '>slow: 90</text>' in (tmp_path / 'rates.svg').read_text()


def test_a_task_that_converges_at_once_still_has_a_batch(tmp_path):
  curves = {
    'flat': curve([1, 5_000], [1.0, 1.0]),
    'long': curve([1, 5_000], [2.0, 1.0]),
  }
  assert write_rates(tmp_path, curves) == {'flat': 1, 'long': 999}


def test_what_was_found_is_one_sentence():
  assert describe('fast', CURVES['fast']) == (
    'fast: 95% of the fall from 4.000 to 1.000 in 10 of 100 steps.'
  )
  assert describe('slow', CURVES['slow']).endswith(
    'in 90 of 100 steps, late: more Run.steps may move it.'
  )
  flat = curve([1, 2], [1.0, 1.0])
  assert describe('flat', flat) == (
    'flat: its loss, 1.000, does not fall; look at its examples.'
  )


def test_each_task_is_trained_on_alone_without_decay_or_evaluation(
  tiny_gin, two_tasks, tmp_path, trained
):
  run, text = config.load([tiny_gin], [*two_tasks, 'Run.steps=1000'])
  lines = []
  with open_family(tmp_path, run, text) as family:
    curves = measure(family, lines.append)
  assert [run.data.rates for run in trained] == [{'a': 1.0}, {'b': 1.0}]
  for run in trained:
    assert run.optimizer.final_fraction == 1.0
    assert run.evaluation.tasks == ()
    assert run.log_every_steps == 5
  # A loss that falls in a straight line: the ends are smoothed, so that the
  # fall begins and ends a bit within the run.
  assert curves['a'].converged == pytest.approx(950, abs=25)
  assert len(lines) == 2 and 'late' in lines[0]
  assert measure(family, lines.append)['b'].converged == curves['b'].converged
  assert len(trained) == 2
