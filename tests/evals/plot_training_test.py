"""Which plots the lines of metrics.jsonl give, and what they show."""

import math

from gemb.evals import plot_training


def _names(metrics):
  return [plot.name for plot in plot_training.make_training_plots(metrics)]


def test_nothing_logged_gives_no_plot():
  assert _names([]) == []
  assert _names([{'step': 1, 'learning_rate': 0.1}]) == []


def test_each_plot_is_drawn_when_there_is_something_to_draw():
  metrics = [
    {'step': 1, 'loss': 3.0, 'loss/64': 1.5, 'loss/128': 1.5, 'accuracy': 0.1},
    {'step': 1, 'eval/wagtail/accuracy@64': 0.1},
  ]
  assert _names(metrics) == [
    'training_loss',
    'training_loss_by_prefix',
    'in_batch_accuracy',
    'held_out_quality',
  ]


def test_a_single_prefix_is_not_drawn_twice():
  metrics = [{'step': 1, 'loss': 3.0, 'loss/64': 3.0}]
  assert _names(metrics) == ['training_loss']


def test_a_single_logged_step_can_be_drawn():
  assert _names([{'step': 1, 'loss': 3.0}]) == ['training_loss']


def test_a_step_logged_twice_counts_once_with_its_later_value():
  metrics = [
    {'step': 1, 'loss': 3.0},
    {'step': 2, 'loss': 9.0},
    {'step': 2, 'loss': 2.0},
  ]
  steps, values = plot_training._series(metrics, 'loss')
  assert steps.tolist() == [1, 2]
  assert values.tolist() == [3.0, 2.0]


def test_steps_without_a_finite_value_are_left_out():
  metrics = [{'step': 1, 'loss': math.nan}, {'step': 2, 'loss': 2.0}]
  steps, values = plot_training._series(metrics, 'loss')
  assert steps.tolist() == [2]
  assert values.tolist() == [2.0]


def test_smoothing_leaves_a_constant_as_it_is():
  metrics = [{'step': step, 'loss': 2.0} for step in range(200)]
  _, values = plot_training._smooth(*plot_training._series(metrics, 'loss'))
  assert set(values.round(9)) == {2.0}


def test_a_long_run_makes_no_large_plot():
  metrics = [{'step': step, 'loss': step % 7} for step in range(50_000)]
  (plot,) = plot_training.make_training_plots(metrics)
  assert len(plot.svg) < 100_000


def test_held_out_quality_is_that_of_the_largest_prefix():
  metrics = [
    {'step': 5, 'eval/code/ndcg@10@64': 0.1, 'eval/code/ndcg@10@256': 0.2},
    {'step': 5, 'eval/code/mrr@10@256': 0.2, 'eval/code/seconds': 3.0},
  ]
  assert plot_training._held_out_keys(metrics) == {
    'code: nDCG@10 at 256 dimensions': 'eval/code/ndcg@10@256'
  }
