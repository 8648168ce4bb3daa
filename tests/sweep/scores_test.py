import pytest

from gemb import config
from gemb.sweep.scores import choose_scores

BEST = 'bitext/accuracy@8'
UNEVALUATED = (
  'EvalConfig.bitext=()',
  'EvalConfig.retrieval=()',
  "CheckpointConfig.best_metric=''",
)


@pytest.fixture
def load(tiny_gin):
  return lambda *bindings: config.load([tiny_gin], bindings)[0]


def test_a_metric_without_a_prefix_stands_for_all(load):
  found = choose_scores([load()], ['bitext/accuracy@4', 'bitext/accuracy'], '')
  assert found == tuple(f'bitext/accuracy@{prefix}' for prefix in (4, 16, 8))


def test_the_best_metric_comes_first_where_none_is_asked_for(load):
  found = choose_scores([load()], [], BEST)
  assert found == tuple(f'bitext/accuracy@{prefix}' for prefix in (8, 16, 4))
  for unknown in ('', 'bitext/accuracy@2'):
    found = choose_scores([load()], [], unknown)
    assert found[0] == 'golden_held_out/ndcg@10@16'


def test_runs_without_evaluation_have_no_scores(load):
  run = load(*UNEVALUATED)
  assert choose_scores([run], [], '') == ()
  with pytest.raises(ValueError, match='is of no evaluation of these runs'):
    choose_scores([run], ['bitext/accuracy'], '')


def test_a_metric_of_no_evaluation_is_told_with_the_nearest(load):
  with pytest.raises(ValueError, match='mean bitext/accuracy'):
    choose_scores([load()], ['bitext/acuracy'], '')
